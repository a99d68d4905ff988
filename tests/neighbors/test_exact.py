"""Exact search against a sort of every distance."""

from __future__ import annotations

import numpy as np
import pytest

from gemel import distances
from gemel.neighbors.exact import nearest

NAMES = list(distances.DISTANCES)


def brute_force(query: np.ndarray, base: np.ndarray, k: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    d = distances.distance(name)
    far = np.stack([d.paired(np.repeat(q[None], len(base), 0), base) for q in query])
    order = np.lexsort((np.broadcast_to(np.arange(len(base)), far.shape), far))[:, :k]
    return order, np.take_along_axis(far, order, 1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("block", [1, 50, 1 << 24])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_nearest_is_a_sort_of_every_distance(name: str, block: int, dtype: type) -> None:
    rng = np.random.default_rng(0)
    query, base = rng.normal(size=(9, 6)).astype(dtype), rng.normal(size=(31, 6)).astype(dtype)
    found = nearest(query, base, 5, distances.distance(name), block=block)
    index, far = brute_force(query, base, 5, name)
    np.testing.assert_array_equal(found.index, index)
    np.testing.assert_array_equal(found.distance, far)


@pytest.mark.parametrize("name", NAMES)
def test_rows_that_the_fast_kernel_cannot_tell_apart_are_told_apart(name: str) -> None:
    rng = np.random.default_rng(1)
    center = rng.normal(size=64) * 30
    base = (center + rng.normal(size=(300, 64)) * 1e-4).astype(np.float32)
    found = nearest(base[:40], base, 7, distances.distance(name))
    index, far = brute_force(base[:40], base, 7, name)
    np.testing.assert_array_equal(found.index, index)
    np.testing.assert_array_equal(found.distance, far)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_is_its_own_nearest_at_zero_and_ties_go_to_the_earlier(name: str) -> None:
    base = np.random.default_rng(2).normal(size=(20, 8)).astype(np.float32)
    doubled = np.concatenate([base, base])
    found = nearest(base, doubled, 2, distances.distance(name))
    np.testing.assert_array_equal(found.index, np.stack([np.arange(20), np.arange(20) + 20], 1))
    assert np.abs(found.distance).max() <= 1e-6


def test_rows_all_alike_come_in_order() -> None:
    found = nearest(np.ones((3, 4)), np.ones((50, 4)), 4, distances.distance("euclidean"))
    np.testing.assert_array_equal(found.index, np.tile(np.arange(4), (3, 1)))


def test_what_is_added_far_away_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    query, base = rng.normal(size=(5, 4)), rng.normal(size=(40, 4))
    more = np.concatenate([base, base + 1e6])
    for name in ("euclidean", "manhattan"):
        a, b = (nearest(query, rows, 6, distances.distance(name)) for rows in (base, more))
        np.testing.assert_array_equal(a.index, b.index)


@pytest.mark.parametrize(
    ("queries", "rows", "k", "shape"), [(3, 2, 9, (3, 2)), (3, 0, 4, (3, 0)), (0, 5, 2, (0, 2)), (2, 5, 0, (2, 0))]
)
def test_edges(queries: int, rows: int, k: int, shape: tuple[int, int]) -> None:
    found = nearest(np.ones((queries, 3)), np.ones((rows, 3)), k, distances.distance("cosine"))
    assert found.index.shape == found.distance.shape == shape
