"""Keyed permutations: every number once, none preferred at any place, and passes that keep their distance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.measure.permutation import Passes, key_of, permuted


@settings(max_examples=50, deadline=None)
@given(size=st.integers(1, 3000), seed=st.integers(0, 2**63))
def test_every_number_stands_at_one_place(size: int, seed: int) -> None:
    np.testing.assert_array_equal(np.sort(permuted(np.arange(size), size, key_of(seed))), np.arange(size))


@settings(max_examples=50, deadline=None)
@given(sizes=st.lists(st.integers(1, 2**61), min_size=1, max_size=20), seed=st.integers(0, 100))
def test_a_place_alone_is_as_among_others(sizes: list[int], seed: int) -> None:
    size = np.array(sizes)
    place = size // 3
    together = permuted(place, size, key_of(seed, np.arange(len(size))))
    assert ((together >= 0) & (together < size)).all()
    for i, n in enumerate(sizes):
        assert permuted(place[i : i + 1], n, key_of(seed, np.array([i])))[0] == together[i]


def chi_square_is_plausible(counts: np.ndarray) -> bool:
    """Within five standard deviations of what equally frequent cells give."""
    expected = counts.mean()
    freedom = counts.size - 1
    return abs(((counts - expected) ** 2 / expected).sum() - freedom) < 5 * (2 * freedom) ** 0.5


@pytest.mark.parametrize("size", [2, 3, 4, 6, 7, 10, 15, 28, 100])
def test_over_keys_two_places_hold_any_two_numbers_equally_often(size: int) -> None:
    keys = key_of(5, np.arange(20_000))
    first, last = (permuted(np.full(len(keys), place), size, keys) for place in (0, size - 1))
    joint = np.bincount(first * size + last, minlength=size**2).reshape(size, size)
    assert chi_square_is_plausible(joint[~np.eye(size, dtype=bool)])


def test_a_huge_permutation_shows_no_pattern() -> None:
    size = 5 * 10**15
    found = permuted(np.arange(1 << 16), size, key_of(1))
    assert chi_square_is_plausible(np.bincount(found * 64 // size, minlength=64))
    assert chi_square_is_plausible(np.bincount(found % 64, minlength=64))
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 0.02


def test_keys_depend_on_all_parts_and_their_order() -> None:
    keys = [key_of(*parts)[0] for parts in ((1,), (2,), (1, 2), (2, 1), (1, 2, 0), (-1,), (0,))]
    assert len(set(keys)) == len(keys)
    np.testing.assert_array_equal(key_of(3, np.arange(5)), [key_of(3, i)[0] for i in range(5)])


@settings(max_examples=50, deadline=None)
@given(count=st.integers(1, 60), key=st.integers(0, 50), apart=st.integers(1, 60))
def test_passes_hold_everything_and_nothing_returns_too_soon(count: int, key: int, apart: int) -> None:
    passes = Passes(count, key, apart=apart)
    found = passes.at(np.arange(4 * count))
    np.testing.assert_array_equal(np.sort(found.reshape(4, count), axis=1), np.tile(np.arange(count), (4, 1)))
    assert passes.apart >= min(apart, count)
    times = np.argsort(found, kind="stable").reshape(count, 4)
    assert np.diff(times, axis=1).min() >= passes.apart
    for place in range(0, 4 * count, 7):
        assert passes.at(np.array([place]))[0] == found[place]


def test_passes_differ_unless_they_must_not() -> None:
    free, strict = (Passes(100, 0, apart=apart).at(np.arange(200)) for apart in (51, 52))
    assert not np.array_equal(free[:100], free[100:])
    np.testing.assert_array_equal(strict[:100], strict[100:])
