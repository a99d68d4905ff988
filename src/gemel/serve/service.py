"""A gallery behind a queue: what the routes ask, in the one order that keeps everyone served.

A request's items are read, embedded with those of others, and only then is the gallery asked, beside the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from starlette.requests import Request

from gemel.gallery import Enrolled, Gallery, Row
from gemel.items.decoded import Bad
from gemel.serve import shown
from gemel.serve.audit import Audit
from gemel.serve.batching import Batcher, Item, TooBusy
from gemel.serve.bodies import Body
from gemel.serve.incoming import Reader, bounded
from gemel.serve.metrics import Metrics
from gemel.serve.problems import Problem
from gemel.serve.schemas import Enroll
from gemel.serve.settings import Settings
from gemel.siamese.embedding import Embedded

T = TypeVar("T")

ASKERS = 4
"""Threads in which the gallery is asked; a write waits for the disk in one of them."""


class Service:
    """What is served.

    Args:
        gallery: who is known, and the twin.
        settings: how it is served.
    """

    def __init__(self, gallery: Gallery, settings: Settings) -> None:
        limits = settings.limits
        self.gallery, self.settings = gallery, settings
        self.reader = Reader(gallery.twin.modality, limits)
        self.audit = Audit(settings.audit)
        self.metrics = Metrics(lambda: self.batcher.inside, lambda: len(gallery))
        self.batcher = Batcher(
            gallery.twin,
            batch=limits.batch,
            linger=limits.linger,
            waiting=limits.waiting,
            seen=self.metrics.batch,
            load=bounded(gallery.twin.modality, limits).load,
        )
        self._askers = ThreadPoolExecutor(ASKERS, thread_name_prefix="ask")

    async def read(self, body: Body, reading: Callable[..., T], *args: Any) -> T:
        """What a reader makes of a body's values; beside the loop where that may take a while."""
        return await self.ask(reading, *args) if body.long else reading(*args)

    async def embed(self, request: Request, given: Sequence[Item | Bad]) -> list[Embedded | Bad]:
        """Each item with its embedding, or why it has none.

        Raises:
            Problem: too much waits, it took too long, or nobody waits for the answer any more.
        """
        items = [one for one in given if isinstance(one, Item)]
        found = iter(await self._in_time(request, items) if items else ())
        whole = [next(found) if isinstance(one, Item) else one for one in given]
        return [replace(one, row=row) if isinstance(one, Bad) else one for row, one in enumerate(whole)]

    async def embed_all(self, request: Request, given: dict[str, Item]) -> list[Embedded]:
        """The items of a request that needs every one of them.

        Args:
            given: field of the request → item.

        Raises:
            Problem: as in `embed`; or an item cannot be used.
        """
        found = await self.embed(request, list(given.values()))
        bad = [one for one in found if isinstance(one, Bad)]
        if bad:
            raise unusable(bad, list(given))
        return [one for one in found if isinstance(one, Embedded)]

    async def ask(self, function: Callable[..., T], *args: Any, **named: Any) -> T:
        """The answer of the gallery, without holding up the loop.

        Raises:
            Problem: it does not come in time, as where another process writes for long. What was asked for may be done
                all the same, and enrolling it again changes nothing.
        """
        loop, patience = asyncio.get_running_loop(), self.settings.limits.patience
        try:
            async with asyncio.timeout(patience):
                return await loop.run_in_executor(self._askers, lambda: function(*args, **named))
        except TimeoutError:
            words = f"The gallery did not answer within {patience:g} seconds."
            raise Problem("unavailable", words, retry=patience) from None

    def enroll(self, key: str, asked: Enroll, items: list[Embedded]) -> Enrolled:
        """Make items known; what this returns is kept, and noted."""
        with self.audit.noting("enrol", key, identity=asked.identity) as told:
            done = self.gallery.enroll(asked.identity, items, asked.metadata, keep=asked.keep)
            told["ids"] = list(done.ids)
        return done

    def forget(self, key: str, identity: str) -> int:
        """Remove an identity, and note it; returns how many items are gone."""
        with self.audit.noting("delete", key, identity=identity) as told:
            told["items"] = removed = self.gallery.forget(identity)
        return removed

    def forget_item(self, key: str, id: str) -> str:
        """Remove an item, and note it; returns whom it showed."""
        with self.audit.noting("delete", key, ids=[id]) as told:
            told["identity"] = identity = self.gallery.forget_item(id).identity
        return identity

    def visible(self, ids: Sequence[str]) -> set[str]:
        """Which of these enrolled items can be shown."""
        kept = set(self.gallery.originals(ids))
        if self.settings.files:
            kept.update(id for id in ids if id not in kept and Path(self.gallery.item(id).source).is_file())
        return kept

    def original(self, row: Row) -> Any:
        """An enrolled item itself; None where it was not kept."""
        kept = self.gallery.originals([row.id]).get(row.id)
        if kept is None and self.settings.files and Path(row.source).is_file():
            return Path(row.source)
        return kept

    def close(self) -> None:
        """Finish what was accepted; the gallery is closed too."""
        self.batcher.close()
        self._askers.shutdown()
        self.audit.close()
        self.gallery.close()

    async def _in_time(self, request: Request, items: list[Item]) -> list[Embedded | Bad]:
        """Embeddings, unless the client goes away or waits too long."""
        embedding = asyncio.ensure_future(self.batcher.embed(items))
        leaving = asyncio.ensure_future(_left(request))
        try:
            patience = self.settings.limits.patience
            await asyncio.wait({embedding, leaving}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if embedding.done():
                return embedding.result()
            if leaving.done():
                raise Problem("gone", "The client went away before its answer.")
            raise Problem("unavailable", f"The server did not come to it within {patience:g} seconds.", retry=patience)
        except TooBusy as busy:
            words = "The server has more to do than it can; try again soon."
            raise Problem("too-busy", words, retry=busy.retry) from None
        finally:
            embedding.cancel()
            leaving.cancel()


async def _left(request: Request) -> None:
    """Returns when the client has gone; its body has been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def unusable(bad: Sequence[Bad], fields: Sequence[str] | None = None) -> Problem:
    """The problem of items that cannot be used.

    Args:
        bad: which, and why.
        fields: where each item of the request stood; None: they are rows of `items`.
    """
    places = ["items" if fields is None else fields[one.row] for one in bad]
    told = [{"field": place, **shown.bad(one)} for place, one in zip(places, bad, strict=True)]
    listed = "; ".join(f"{one.name or place}: {one.reason}" for place, one in zip(places, bad, strict=True))
    return Problem("unreadable-item", f"{listed[:500]}.", items=told)
