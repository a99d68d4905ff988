"""Groups merge where they are close on the whole; a chain does not."""

from __future__ import annotations

import numpy as np

from gemel.distances import distance
from gemel.neighbors.close import close_pairs
from gemel.neighbors.merging import merged

EUCLIDEAN = distance("euclidean")


def groups(vectors: np.ndarray, limit: float, start: np.ndarray | None = None) -> list[list[int]]:
    begin = np.arange(len(vectors)) if start is None else start
    found = merged(begin, close_pairs(vectors, limit, EUCLIDEAN), vectors, limit, EUCLIDEAN)
    return sorted(np.flatnonzero(found == name).tolist() for name in np.unique(found))


def test_two_clouds_stay_two_and_each_becomes_one() -> None:
    rng = np.random.default_rng(0)
    clouds = np.concatenate([rng.normal(size=(10, 3)) * 0.1, 5 + rng.normal(size=(10, 3)) * 0.1]).astype(np.float32)
    assert groups(clouds, 2.0) == [list(range(10)), list(range(10, 20))]


def test_a_bridge_joins_no_clouds() -> None:
    line = np.array([[0], [0.1], [0.2], [1.1], [2.0], [2.1], [2.2]], np.float32)
    found = groups(line, 1.0)
    assert [0, 1, 2] in [group[:3] for group in found]
    assert not any(0 in group and 6 in group for group in found)


def test_a_chain_breaks_where_it_is_too_long() -> None:
    chain = np.arange(20, dtype=np.float32)[:, None]
    found = groups(chain, 1.0)
    assert max(map(len, found)) <= 3
    for group in found:
        assert group == list(range(group[0], group[-1] + 1))


def test_groups_that_are_given_are_kept_together() -> None:
    apart = np.array([[0], [9], [0.5], [20]], np.float32)
    assert groups(apart, 1.0, np.array([0, 0, 2, 3])) == [[0, 1], [2], [3]]


def test_nothing_close_changes_nothing() -> None:
    apart = np.array([[0], [5], [10]], np.float32)
    assert groups(apart, 1.0) == [[0], [1], [2]]
