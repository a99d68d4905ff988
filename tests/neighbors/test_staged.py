"""The second look at rows that are kept, some of them gone."""

from __future__ import annotations

import numpy as np

from gemel.distances import distance
from gemel.neighbors.exact import nearest
from gemel.neighbors.flat import Flat
from gemel.neighbors.staged import second_look


def test_where_everything_is_proposed_the_second_distance_alone_decides() -> None:
    rng = np.random.default_rng(0)
    base, query = (rng.normal(size=(n, 5)).astype(np.float32) for n in (60, 4))
    found = Flat(base, distance("euclidean"))
    found.remove(np.arange(0, 60, 3))
    left = np.setdiff1d(np.arange(60), np.arange(0, 60, 3))
    got = second_look(query, found, 7, distance("manhattan"))
    want = nearest(query, base[left], 7, distance("manhattan"))
    np.testing.assert_array_equal(got.index, left[want.index])
    np.testing.assert_array_equal(got.distance, want.distance)
    assert second_look(query, found, 3, distance("manhattan"), pool=1).index.shape == (4, 3)
