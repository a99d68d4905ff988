"""A stream of pairs against a double loop: labels, shares, windows, evenness, and its memory."""

from __future__ import annotations

import tracemalloc
from itertools import combinations
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.errors import DataError, NotEnoughData
from gemel.measure.by_identity import CHUNK, by_identity
from gemel.measure.pair_stream import PairStream
from gemel.measure.pairing import PairSample

By = Literal["identities", "pairs"]
BYS: tuple[By, ...] = ("identities", "pairs")
labels = st.lists(st.integers(-1, 6), min_size=4, max_size=40).map(np.array).filter(lambda x: telling(x))


def telling(identity: np.ndarray) -> bool:
    counts = np.bincount(identity[identity >= 0])
    return (counts > 1).any() and (counts > 0).sum() > 1


def taken(stream: PairStream, blocks: int) -> PairSample:
    parts = [stream.pairs(block) for block in range(blocks)]
    return PairSample(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def returns(pairs: PairSample) -> int:
    """The fewest pairs from one to its return, in either order."""
    last: dict[tuple[int, int], int] = {}
    nearest = len(pairs.a) + 1
    for i, pair in enumerate(zip(pairs.a.tolist(), pairs.b.tolist(), strict=True)):
        nearest = min(nearest, i - last.get(pair, -len(pairs.a) - 1))
        last[pair] = i
    return nearest


@settings(max_examples=50, deadline=None)
@given(
    identity=labels,
    same=st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.5, 1 / 3, 1 / 101, 1.0])),
    by=st.sampled_from(BYS),
    block=st.integers(40, 200),
    seed=st.integers(0, 5),
)
def test_pairs_are_labelled_distinct_and_mixed_as_asked(
    identity: np.ndarray, same: float, by: By, block: int, seed: int
) -> None:
    stream = PairStream(identity, same=same, by=by, block=block, seed=seed)
    pairs = taken(stream, -(-300 // block))
    assert (pairs.a < pairs.b).all()
    assert (identity[pairs.a] >= 0).all()
    np.testing.assert_array_equal(identity[pairs.a] == identity[pairs.b], pairs.same)
    drift = np.cumsum(pairs.same) - same * np.arange(1, len(pairs.same) + 1)
    assert (np.abs(drift) <= 1 + 1e-6).all()
    assert drift.max() - drift.min() <= 1 + 1e-6
    assert returns(pairs) >= stream.window


@settings(max_examples=50, deadline=None)
@given(identity=labels, same=st.floats(0, 1), by=st.sampled_from(BYS), wish=st.floats(0, 1))
def test_a_window_is_kept_or_refused_with_the_widest_that_would_be(
    identity: np.ndarray, same: float, by: By, wish: float
) -> None:
    with pytest.raises(NotEnoughData, match="Ask for a window of") as refused:
        PairStream(identity, same=same, by=by, window=10**12)
    widest = int(str(refused.value).split("return after ")[1].split(".")[0])
    window = int(wish * min(widest, 3000))
    stream = PairStream(identity, same=same, by=by, window=window, block=500)
    assert stream.window >= window
    assert returns(taken(stream, 8)) >= window
    PairStream(identity, same=same, by=by, window=widest)


@settings(max_examples=30, deadline=None)
@given(identity=labels, by=st.sampled_from(BYS), block=st.integers(0, 9), far=st.integers(0, 10**9))
def test_a_block_depends_on_its_number_and_the_seed_alone(identity: np.ndarray, by: By, block: int, far: int) -> None:
    once, again = (PairStream(identity, by=by, same=0.3, block=60, seed=2) for _ in range(2))
    again.pairs(block + 1)
    for mine, other in zip(once.pairs(block), again.pairs(block), strict=True):
        np.testing.assert_array_equal(mine, other)
    whole = taken(PairStream(identity, by=by, same=0.3, block=600, seed=2), 1)
    for mine, other in zip(once.pairs(block), whole, strict=True):
        np.testing.assert_array_equal(mine, other[60 * block : 60 * block + 60])
    deep = once.pairs(far)
    np.testing.assert_array_equal(identity[deep.a] == identity[deep.b], deep.same)


def test_seeds_differ() -> None:
    identity = np.repeat(np.arange(20), 5)
    one, other = (PairStream(identity, block=50, seed=seed).pairs(0) for seed in (0, 1))
    assert not np.array_equal(one.a, other.a)


IDENTITY = np.array([0, 3, 0, 1, 0, 2, -1, 1, 2, 0, 3, 2, 0, 1])  # 5, 3, 3 and 2 items, and one unknown


def drawn(by: By, seeds: int, pairs: int) -> dict[tuple[int, int], int]:
    found = dict.fromkeys(combinations(np.flatnonzero(IDENTITY >= 0).tolist(), 2), 0)
    for seed in range(seeds):
        sample = PairStream(IDENTITY, by=by, block=pairs, seed=seed).pairs(0)
        for pair in zip(sample.a.tolist(), sample.b.tolist(), strict=True):
            found[pair] += 1
    return found


def off(counts: list[int], expected: list[float]) -> float:
    """Standard deviations by which a chi-square is above what it should be."""
    square = sum((c - e) ** 2 / e for c, e in zip(counts, expected, strict=True))
    return (square - len(counts)) / (2 * len(counts)) ** 0.5


@pytest.mark.parametrize("same", [True, False])
def test_by_pairs_every_pair_of_a_kind_comes_equally_often(same: bool) -> None:
    found = {p: n for p, n in drawn("pairs", 400, 8).items() if (IDENTITY[p[0]] == IDENTITY[p[1]]) == same}
    assert len(found) == (10 + 3 + 3 + 1 if same else 13 * 12 // 2 - 17)
    assert off(list(found.values()), [400 * 4 / len(found)] * len(found)) < 4


@pytest.mark.parametrize("same", [True, False])
def test_by_identities_every_identity_or_two_of_them_come_equally_often(same: bool) -> None:
    found = {p: n for p, n in drawn("identities", 400, 6).items() if (IDENTITY[p[0]] == IDENTITY[p[1]]) == same}
    cells = [tuple(sorted((IDENTITY[a], IDENTITY[b]))) for a, b in found]
    share = [400 * 3 / len(set(cells)) / cells.count(cell) for cell in cells]
    assert off(list(found.values()), share) < 4


def test_by_identities_a_pass_has_every_identity_once_and_its_pairs_in_turn() -> None:
    pairs = PairStream(IDENTITY, same=1.0, block=40).pairs(0)
    np.testing.assert_array_equal(np.sort(IDENTITY[pairs.a].reshape(10, 4), axis=1), np.tile(np.arange(4), (10, 1)))
    large = {(int(a), int(b)) for a, b in zip(pairs.a, pairs.b, strict=True) if IDENTITY[a] == 0}
    assert len(large) == 10


@pytest.mark.parametrize(
    ("identity", "same", "reason"),
    [
        ([0, 1, 2], 0.5, "None of 3 identities has two items"),
        ([-1, -1], 0.5, "None of 0 identities"),
        ([], 0.0, "two identities, and there is 0"),
        ([4, 4, 4, -1], 0.5, "two identities, and there is 1"),
    ],
)
def test_the_impossible_is_refused(identity: list[int], same: float, reason: str) -> None:
    with pytest.raises(NotEnoughData, match=reason):
        PairStream(np.array(identity, np.int64), same=same)


def test_one_kind_alone_asks_only_for_what_it_needs() -> None:
    assert PairStream(np.array([4, 4, -1]), same=1.0, block=3).pairs(0).same.all()
    assert not PairStream(np.array([0, 1, 2]), same=0.0, block=3).pairs(0).same.any()


@pytest.mark.parametrize("wrong", [{"same": 1.1}, {"same": -0.1}, {"window": -1}, {"block": 0}])
def test_wrong_questions_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(DataError, match="a share of same pairs from 0 to 1"):
        PairStream(IDENTITY, **wrong)  # type: ignore[arg-type]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(-2, 9), max_size=50),
    st.sampled_from([1, 10**12]),
    st.sampled_from([np.int8, np.int32, np.int64]),
)
def test_an_index_is_a_stable_sort(codes: list[int], apart: int, dtype: type) -> None:
    identity = np.array(codes, dtype) if apart == 1 else np.array(codes, np.int64) * apart
    index = by_identity(identity)
    known = np.flatnonzero(identity >= 0)
    np.testing.assert_array_equal(index.order, known[np.argsort(identity[known], kind="stable")])
    np.testing.assert_array_equal(index.counts, np.unique(identity[known], return_counts=True)[1])


def test_an_index_of_many_chunks_is_the_same_sort() -> None:
    identity = np.random.default_rng(0).integers(-1, 5000, 2 * CHUNK + 17).astype(np.int32)
    known = np.flatnonzero(identity >= 0)
    np.testing.assert_array_equal(by_identity(identity).order, known[np.argsort(identity[known], kind="stable")])


@pytest.mark.parametrize("by", BYS)
def test_a_million_items_stream_in_the_memory_of_a_block(by: By) -> None:
    identity = np.random.default_rng(0).integers(-1, 50_000, size=1_000_000).astype(np.int32)
    tracemalloc.start()
    stream = PairStream(identity, by=by, window=20_000, block=10_000)
    built = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    pairs = taken(stream, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert built < 4 * len(identity) + 50_000 * 30
    assert peak - built < 10e6
    np.testing.assert_array_equal(identity[pairs.a] == identity[pairs.b], pairs.same)
    assert returns(pairs) >= 20_000
