"""Requests that arrive together are embedded together; no more is accepted than can be embedded in time.

Items are decoded in a few threads, so that a large picture holds up nobody behind it, and encoded by workers, a
batch at a time: whatever has come meanwhile is the next one. A worker keeps to one core, for the cores of a processor
do more side by side than together. Knows a twin's modality and encoder; knows no HTTP.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from gemel.errors import UnreadableItem
from gemel.items.decoded import Bad, content_id
from gemel.siamese import Siamese
from gemel.siamese.embedding import Embedded, encoded
from gemel.siamese.onnx import Encoder

SHORT = 1000
"""Characters of a text that is looked at sooner than a thread for it would wake up."""
SLOW = 0.05
"""Seconds an item from which on all cores work on it together, when nothing else is to be done."""


class TooBusy(Exception):
    """More waits than can be embedded soon.

    Args:
        retry: seconds after which there may be room.
    """

    def __init__(self, retry: float) -> None:
        super().__init__("too busy")
        self.retry = retry


@dataclass(frozen=True)
class Item:
    """One item of a request.

    Attributes:
        source: what the twin's modality loads.
        name: what it is called.
    """

    source: Any
    name: str = ""


@dataclass(eq=False)
class _Job:
    """The decoded items of one request."""

    raws: list[Any]
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[np.ndarray]


class Batcher:
    """Embeds the items of many requests.

    Args:
        twin: what embeds them.
        batch: items that are encoded at once.
        linger: seconds that a worker waits, at most, until its share of all items inside can be encoded together.
        waiting: items that may be inside; more are refused.
        workers: threads that encode; None: one for each core, and one more.
        seen: called with (items, seconds) after each batch.
        load: what decodes an item; None: as the twin's modality does.
    """

    def __init__(
        self,
        twin: Siamese,
        *,
        batch: int = 64,
        linger: float = 0.0,
        waiting: int = 256,
        workers: int | None = None,
        seen: Callable[[int, float], None] | None = None,
        load: Callable[[Any], Any] | None = None,
    ) -> None:
        self.twin, self.batch, self.linger, self.waiting = twin, batch, linger, waiting
        self.inside = 0
        self._seen, self._load = seen, load or twin.modality.load
        self._pace = 0.01  # seconds an item of one worker, a running mean
        self._wide = twin.encoder
        self._narrow = twin.encoder.but(threads=1) if hasattr(twin.encoder, "but") else twin.encoder
        self._working = 0
        self._jobs: deque[_Job] = deque()
        self._come = threading.Condition()
        self._closing = False
        cores = os.cpu_count() or 1
        count = workers or cores + 1  # while the answers of one are sent, the others keep the cores busy
        self._decoders = ThreadPoolExecutor(max(2, cores), thread_name_prefix="decode")
        self._workers = [threading.Thread(target=self._run, name=f"encode {i}", daemon=True) for i in range(count)]
        for worker in self._workers:
            worker.start()

    async def embed(self, items: Sequence[Item]) -> list[Embedded | Bad]:
        """Each item with its embedding, or why it has none.

        Raises:
            TooBusy: as many wait as may; nothing was done.
        """
        count = len(items)
        if self.inside and self.inside + count > self.waiting:
            raise TooBusy(self._pace * self.inside / len(self._workers))
        self.inside += count
        try:
            return await self._embedded(items)
        finally:
            self.inside -= count

    async def _embedded(self, items: Sequence[Item]) -> list[Embedded | Bad]:
        loop, waiting = asyncio.get_running_loop(), deque(items)
        try:
            if all(isinstance(item.source, str) and len(item.source) <= SHORT for item in items):
                found: list[Any] = self._decoded(waiting)
            else:
                found = await loop.run_in_executor(self._decoders, self._decoded, waiting)
        finally:
            waiting.clear()  # where nobody waits any more, nothing more is decoded, and nothing is held
        raws = [one[0] for one in found if not isinstance(one, Bad)]
        if not raws:
            return found
        job = _Job(raws, loop, loop.create_future())
        with self._come:
            self._jobs.append(job)
            self._come.notify()
        try:
            vectors = iter(await job.done)
        except asyncio.CancelledError:
            with self._come, suppress(ValueError):  # a worker may have it
                self._jobs.remove(job)
            raise
        return [
            one if isinstance(one, Bad) else _named(item, next(vectors), one[1], row)
            for row, (item, one) in enumerate(zip(items, found, strict=True))
        ]

    def close(self) -> None:
        """Finish what was accepted, and end."""
        with self._come:
            self._closing = True
            self._come.notify_all()
        for worker in self._workers:
            worker.join()
        self._decoders.shutdown()

    def _decoded(self, waiting: deque[Item]) -> list[tuple[Any, int] | Bad]:
        """Takes one item after the other, so that the others can be taken away meanwhile."""
        found = list[tuple[Any, int] | Bad]()
        while waiting:
            try:
                item = waiting.popleft()
            except IndexError:  # in this very moment
                break
            found.append(self._one(item, len(found)))
        return found

    def _one(self, item: Item, row: int) -> tuple[Any, int] | Bad:
        try:
            raw = self._load(item.source)
        except UnreadableItem as error:
            return Bad(item.name, error.reason, row)
        return raw, content_id(raw)

    def _run(self) -> None:
        while jobs := self._taken():
            self._working += 1
            try:
                self._finish(jobs)
            finally:
                self._working -= 1

    def _finish(self, jobs: list[_Job]) -> None:
        start, alone = time.perf_counter(), self._working == 1 and not self._jobs
        encoder = self._wide if alone and self._pace > SLOW else self._narrow
        raws = [raw for job in jobs for raw in job.raws]
        try:
            vectors = self._encoded(raws, encoder)
        except Exception as error:
            self._fail(jobs, error)
            return
        took = time.perf_counter() - start
        if encoder is self._narrow:
            self._pace += 0.1 * (took / len(raws) - self._pace)
        if self._seen is not None:
            self._seen(len(raws), took)
        cuts = np.cumsum([len(job.raws) for job in jobs])[:-1]
        _tell(jobs, np.split(vectors, cuts))

    def _encoded(self, raws: list[Any], encoder: Encoder) -> np.ndarray:
        return encoded(raws, self.twin.modality, encoder, self.twin.method.dim)

    def _taken(self) -> list[_Job]:
        """The jobs of the next batch, those left out whose request is gone; none: it is over."""
        while True:
            with self._come:
                while not self._jobs and not self._closing:
                    self._come.wait()
                if self.linger:
                    self._come.wait_for(self._is_worth_it, self.linger)
                jobs, size = list[_Job](), 0
                while self._jobs and (not jobs or size + len(self._jobs[0].raws) <= self.batch):
                    job = self._jobs.popleft()
                    if not job.done.cancelled():
                        jobs.append(job)
                        size += len(job.raws)
                if jobs or (self._closing and not self._jobs):
                    return jobs

    def _is_worth_it(self) -> bool:
        """Whether a worker's share of all that is inside waits by now; call with the lock."""
        waiting = sum(len(job.raws) for job in self._jobs)
        return self._closing or waiting >= min(self.batch, self.inside / len(self._workers))

    def _fail(self, jobs: list[_Job], error: Exception) -> None:
        """Tell an error to the one job that it belongs to: those of a batch that failed are tried one by one."""
        for job in jobs:
            result: np.ndarray | Exception = error
            if len(jobs) > 1:
                try:
                    result = self._encoded(job.raws, self._narrow)
                except Exception as own:
                    result = own
            _tell([job], [result])


def _named(item: Item, vector: np.ndarray, content: int, row: int) -> Embedded | Bad:
    if not np.isfinite(vector).all():
        return Bad(item.name, "its embedding is not finite", row)
    return Embedded(item.source, vector, content, item.name)


def _tell(jobs: Sequence[_Job], results: Sequence[np.ndarray | Exception]) -> None:
    """Hand every job its result, with one call for each loop that waits."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[_Job, Any]]] = {}
    for job, result in zip(jobs, results, strict=True):
        loops.setdefault(job.loop, []).append((job, result))
    for loop, pairs in loops.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, pairs)


def _settle(pairs: list[tuple[_Job, Any]]) -> None:
    for job, result in pairs:
        if job.done.done():
            continue
        if isinstance(result, Exception):
            job.done.set_exception(result)
        else:
            job.done.set_result(result)
