"""Items of many requests are embedded together, and each gets its own; full, late and broken ones are told apart."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from gemel.errors import ModelError
from gemel.gallery import Gallery
from gemel.items import VectorModality
from gemel.items.decoded import Bad
from gemel.serve.app import application
from gemel.serve.batching import Batcher, Item, TooBusy
from gemel.serve.service import Service
from gemel.siamese import Embedded, Method, Siamese


class Gate:
    """An encoder that holds every batch until it is let go, and notes how many items came."""

    sha256 = "gate"

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.open, self.holds = threading.Event(), threading.Event()

    def __call__(self, arrays: Any) -> np.ndarray:
        rows = arrays["vector"]
        self.sizes.append(len(rows))
        self.holds.set()
        assert self.open.wait(10)
        if (rows == 13).any():
            raise ModelError("thirteen")
        with np.errstate(over="ignore"):
            return rows * np.float32(2)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def twin(gate: Gate) -> Siamese:
    return Siamese(modality=VectorModality(2), encoder=gate, method=Method("euclidean", 2))


def run(batcher: Batcher, story: Callable[[], Awaitable[None]]) -> None:
    async def told() -> None:
        async with asyncio.timeout(20):
            await story()

    try:
        apart(told())
    finally:
        batcher.close()


def apart(story: Coroutine[Any, Any, None]) -> None:
    """In a thread of its own: a browser that other tests drive keeps a loop running in this one."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, story).result()


def item(value: float) -> Item:
    return Item([value, value], f"item {value:g}")


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.005)


def test_what_comes_meanwhile_is_the_next_batch_and_each_gets_its_own(twin: Siamese, gate: Gate) -> None:
    batcher = Batcher(twin, workers=1, batch=8)

    async def story() -> None:
        asked = [asyncio.create_task(batcher.embed([item(0)]))]
        await asyncio.to_thread(gate.holds.wait, 10)
        for i in range(1, 11):
            asked.append(asyncio.create_task(batcher.embed([item(i), Item([1.0], "short"), item(-i)])))
        await until(lambda: batcher.inside == 31 and len(batcher._jobs) == 10)
        gate.open.set()
        for i, found in enumerate(await asyncio.gather(*asked)):
            first, last = found[0], found[-1]
            assert isinstance(first, Embedded)
            assert isinstance(last, Embedded)
            assert (first.vector[0], last.vector[0], first.name) == (2 * i, -2 * i, f"item {i}")
            if i:
                assert isinstance(found[1], Bad)
                assert (found[1].row, found[1].name) == (1, "short")
        assert gate.sizes == [1, 8, 8, 4]
        assert batcher.inside == 0

    run(batcher, story)


def test_more_than_may_wait_is_refused_and_nothing_is_lost(twin: Siamese, gate: Gate) -> None:
    batcher = Batcher(twin, workers=1, waiting=4)

    async def story() -> None:
        asked = [asyncio.create_task(batcher.embed([item(i), item(i)])) for i in range(2)]
        await until(lambda: batcher.inside == 4)
        with pytest.raises(TooBusy) as busy:
            await batcher.embed([item(9)])
        assert busy.value.retry > 0
        gate.open.set()
        assert [len(found) for found in await asyncio.gather(*asked)] == [2, 2]
        assert len(await batcher.embed([item(i) for i in range(6)])) == 6  # alone, a large one is no flood

    run(batcher, story)


def test_a_request_that_nobody_waits_for_is_not_encoded(twin: Siamese, gate: Gate) -> None:
    batcher = Batcher(twin, workers=1)

    async def story() -> None:
        first = asyncio.create_task(batcher.embed([item(0)]))
        await asyncio.to_thread(gate.holds.wait, 10)
        left, stays = (asyncio.create_task(batcher.embed([item(i)])) for i in (1, 2))
        await until(lambda: len(batcher._jobs) == 2)
        left.cancel()
        await asyncio.sleep(0.01)
        gate.open.set()
        await asyncio.gather(first, stays)
        assert sum(gate.sizes) == 2
        assert batcher.inside == 0

    run(batcher, story)


def test_what_nobody_waits_for_is_neither_decoded_nor_held(twin: Siamese, gate: Gate) -> None:
    """Not in a request that is being decoded, not in those behind it, and not where it waits for the encoder."""
    started, go, loaded = threading.Event(), threading.Event(), list[Any]()

    class Large(list[float]):
        """Numbers that can be seen to be gone."""

    def load(source: Any) -> Any:
        loaded.append(source[0])
        started.set()
        assert go.wait(10)
        return twin.modality.load(source)

    batcher = Batcher(twin, workers=1, load=load)
    batcher._decoders = ThreadPoolExecutor(1)
    seen: list[weakref.ref[Large]] = []

    def items(value: int) -> list[Item]:
        given = [Item(Large([value, value])) for _ in range(3)]
        seen.extend(weakref.ref(one.source) for one in given)
        return given

    async def story() -> None:
        first = asyncio.create_task(batcher.embed(items(1)))
        await asyncio.to_thread(started.wait, 10)
        others = [asyncio.create_task(batcher.embed(items(value))) for value in (2, 3)]
        await until(lambda: batcher.inside == 9)
        for task in (first, *others):
            task.cancel()
        await asyncio.wait((first, *others))
        del first, others, task
        gc.collect()
        assert sum(ref() is not None for ref in seen) == 1  # the one that is being decoded
        go.set()
        gate.open.set()
        assert len(await batcher.embed([item(4)])) == 1
        assert loaded == [1, 4]

    run(batcher, story)


def test_one_that_breaks_the_encoder_breaks_no_other(twin: Siamese, gate: Gate) -> None:
    batcher = Batcher(twin, workers=1)

    async def story() -> None:
        asked = [asyncio.create_task(batcher.embed([item(0)]))]
        await asyncio.to_thread(gate.holds.wait, 10)
        asked += [asyncio.create_task(batcher.embed([item(i)])) for i in (12, 13, 14)]
        await until(lambda: len(batcher._jobs) == 3)
        gate.open.set()
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(one) for one in found] == [list, list, ModelError, list]

    run(batcher, story)


def test_an_embedding_that_is_not_finite_is_a_bad_item(twin: Siamese, gate: Gate) -> None:
    batcher = Batcher(twin, workers=1)
    gate.open.set()

    async def story() -> None:
        found = await batcher.embed([item(3e38), item(1)])
        assert isinstance(found[0], Bad)
        assert "finite" in found[0].reason
        assert isinstance(found[1], Embedded)

    run(batcher, story)


def test_a_first_item_lingers_for_others(twin: Siamese, gate: Gate) -> None:
    batcher = Batcher(twin, workers=1, batch=3, linger=10)
    gate.open.set()

    async def story() -> None:
        await asyncio.gather(*(batcher.embed([item(i)]) for i in range(3)))
        assert gate.sizes == [3]

    run(batcher, story)


def test_closing_finishes_what_was_accepted(twin: Siamese, gate: Gate) -> None:
    batcher = Batcher(twin, workers=1)

    async def story() -> None:
        asked = [asyncio.create_task(batcher.embed([item(i)])) for i in range(3)]
        await asyncio.to_thread(gate.holds.wait, 10)
        await until(lambda: batcher.inside == 3)
        await asyncio.sleep(0.05)
        gate.open.set()
        await asyncio.to_thread(batcher.close)
        assert len(await asyncio.gather(*asked)) == 3

    run(batcher, story)


def test_an_application_that_closes_leaves_its_loop_free(twin: Siamese, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the requests that were given up could not let go of what is behind them, and it would all be decoded first."""
    free, close, closed = threading.Event(), Service.close, list[bool]()

    def closing(service: Service) -> None:
        closed.append(free.wait(5))
        close(service)

    monkeypatch.setattr(Service, "close", closing)

    async def story() -> None:
        app: Any = application(Gallery(twin=twin)).app
        async with app.router.lifespan_context(app):
            asyncio.get_running_loop().call_later(0.05, free.set)

    apart(story())
    assert closed == [True]
