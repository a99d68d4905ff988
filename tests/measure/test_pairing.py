"""Pairs against a double loop, and against its memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel import measure
from gemel.errors import DataError

Known = dict[tuple[int, int], bool]


def loop_pairs(identity: np.ndarray, group: np.ndarray | None, impostor_of: np.ndarray | None) -> Known:
    found: Known = {}
    for i in range(len(identity)):
        for j in range(i + 1, len(identity)):
            if group is not None and (group[i] != group[j] or group[i] < 0):
                continue
            if identity[i] >= 0 and identity[j] >= 0:
                found[i, j] = bool(identity[i] == identity[j])
            elif impostor_of is not None:
                for fake, genuine in ((i, j), (j, i)):
                    if impostor_of[fake] >= 0 and identity[genuine] == impostor_of[fake]:
                        found[i, j] = False
    return found


def listed(pairs: measure.PairSample) -> Known:
    found = {(int(a), int(b)): bool(s) for a, b, s in zip(*pairs, strict=True)}
    assert len(found) == len(pairs.a)
    return found


item = st.tuples(st.integers(-1, 3), st.integers(-1, 2), st.integers(-1, 3))


@settings(deadline=None, max_examples=150)
@given(st.lists(item, min_size=0, max_size=14), st.booleans(), st.booleans())
def test_pairs_are_what_a_double_loop_finds(rows: list[tuple[int, int, int]], grouped: bool, forged: bool) -> None:
    identity, group, claimed = np.array(rows, np.int64).reshape(-1, 3).T
    claimed = np.where(identity < 0, claimed, -1)
    options = {"group": group if grouped else None, "impostor_of": claimed if forged else None}
    assert listed(measure.pairs_of(identity, **options)) == loop_pairs(identity, **options)


def test_a_sample_is_uniform_distinct_and_repeatable() -> None:
    identity = np.repeat(np.arange(6), 4)
    every = loop_pairs(identity, None, None)
    seen: dict[tuple[int, int], int] = dict.fromkeys((k for k, same in every.items() if not same), 0)
    for seed in range(600):
        pairs = listed(measure.pairs_of(identity, limit=40, seed=seed))
        assert all(every[pair] == same for pair, same in pairs.items())
        assert sum(not same for same in pairs.values()) == 40
        assert sum(pairs.values()) == 36
        for pair in pairs:
            if pair in seen:
                seen[pair] += 1
    counts = np.array(list(seen.values()))
    expected = 600 * 40 / len(seen)
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < len(seen) + 4 * (2 * len(seen)) ** 0.5
    assert listed(measure.pairs_of(identity, limit=40, seed=5)) == listed(measure.pairs_of(identity, limit=40, seed=5))


def test_a_small_sample_of_many_pairs_is_uniform_too() -> None:
    identity = np.arange(300)
    pairs = [measure.pairs_of(identity, limit=500, seed=seed) for seed in range(30)]
    gap = np.concatenate([p.b - p.a for p in pairs])
    assert gap.mean() == pytest.approx(301 / 3, rel=0.03)


def test_a_hundred_thousand_items_take_bounded_memory() -> None:
    identity = np.random.default_rng(0).integers(-1, 20, size=100_000)
    tracemalloc.start()
    pairs = measure.pairs_of(identity, limit=50_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6
    assert (pairs.same.sum(), len(pairs.same)) == (50_000, 100_000)
    assert (identity[pairs.a] >= 0).all()
    assert ((identity[pairs.a] == identity[pairs.b]) == pairs.same).all()


def test_a_forgery_rests_on_the_identity_it_pretends_to_be() -> None:
    identity, claimed = np.array([0, 0, 1, -1]), np.array([-1, -1, -1, 1])
    np.testing.assert_array_equal(measure.owners(identity, claimed), [0, 0, 1, 1])
    np.testing.assert_array_equal(measure.owners(identity), identity)


def test_wrong_questions_are_refused() -> None:
    with pytest.raises(DataError, match="set its identity to -1"):
        measure.pairs_of(np.array([0, 1]), impostor_of=np.array([-1, 0]))
    with pytest.raises(DataError, match="at least 1"):
        measure.pairs_of(np.array([0, 1]), limit=0)
