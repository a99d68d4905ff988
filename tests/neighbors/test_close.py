"""All pairs within a distance, against every pair by definition."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gemel.distances import DISTANCES
from gemel.errors import DataError
from gemel.neighbors import close

every_distance = pytest.mark.parametrize("name", DISTANCES)


def every_pair(vectors: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    a, b = np.triu_indices(len(vectors), 1)
    return a, b, DISTANCES[name].paired(vectors[a], vectors[b])


@every_distance
@pytest.mark.parametrize("tile", [1, 7, 64, 4096])
def test_the_pairs_are_those_of_a_full_comparison(name: str, tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(close, "TILE", tile)
    vectors = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    vectors[50:] = vectors[:10]  # copies, at distance 0
    a, b, far = every_pair(vectors, name)
    limit = float(np.quantile(far, 0.2))
    found = close.close_pairs(vectors, limit, DISTANCES[name])
    near = far <= limit
    assert set(zip(found.a.tolist(), found.b.tolist(), strict=True)) == set(zip(a[near], b[near], strict=True))
    assert (np.diff(found.distance) >= 0).all()
    np.testing.assert_array_equal(found.distance, DISTANCES[name].paired(vectors[found.a], vectors[found.b]))
    assert found.distance[:10].tolist() == [0.0] * 10


@every_distance
def test_rounding_of_the_fast_kernel_loses_nothing(name: str) -> None:
    rng = np.random.default_rng(1)
    base = np.repeat(rng.normal(size=(20, 64)), 2, axis=0) * 100
    vectors = (base + 1e-4 * rng.normal(size=base.shape)).astype(np.float32)
    far = every_pair(vectors, name)[2]
    limit = float(np.sort(far)[12])  # the bound itself counts
    found = close.close_pairs(vectors, limit, DISTANCES[name])
    assert len(found) == int((far <= limit).sum())


@every_distance
def test_nothing_and_everything(name: str) -> None:
    vectors = np.random.default_rng(2).normal(size=(9, 3)).astype(np.float32)
    assert len(close.close_pairs(vectors, -np.inf, DISTANCES[name])) == 0
    assert len(close.close_pairs(vectors, np.inf, DISTANCES[name])) == 36
    assert len(close.close_pairs(vectors[:0], 1.0, DISTANCES[name])) == 0


def test_more_pairs_than_anyone_reads_are_refused() -> None:
    with pytest.raises(DataError, match=r"More than 10 pairs.*lower false match rate"):
        close.close_pairs(np.zeros((9, 3), np.float32), 1.0, DISTANCES["cosine"], most=10)


@pytest.mark.parametrize("limit", [-1e-9, -math.inf])
def test_below_zero_nothing_is_close(limit: float) -> None:
    assert len(close.close_pairs(np.zeros((5, 3), np.float32), limit, DISTANCES["cosine"])) == 0
