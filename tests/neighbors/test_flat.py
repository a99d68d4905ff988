"""Search over rows that are kept against search from scratch, whatever happened to the rows before."""

from __future__ import annotations

import numpy as np
import pytest

from gemel import distances
from gemel.neighbors import cityblock, flat
from gemel.neighbors.exact import nearest
from gemel.neighbors.flat import Flat

NAMES = list(distances.DISTANCES)


@pytest.fixture(params=[True, False], ids=["faiss", "numpy"], autouse=True)
def with_faiss(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        pytest.importorskip("faiss")
    else:
        monkeypatch.setattr(cityblock, "faiss", lambda: None)


@pytest.fixture(params=[(1 << 20, 256), (2048, 8)], ids=["one tile", "many tiles"])
def tiles(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flat, "TILE", request.param[0])
    monkeypatch.setattr(flat, "QUERIES", request.param[1])


def same(found: Flat, query: np.ndarray, base: np.ndarray, k: int, places: np.ndarray | None = None) -> None:
    """As if `base` were searched; `places` says where its rows stand."""
    got, want = found.search(query, k), nearest(query, base, k, found.distance)
    np.testing.assert_array_equal(got.index, want.index if places is None else places[want.index])
    np.testing.assert_array_equal(got.distance, want.distance)
    assert got.distance.dtype == want.distance.dtype


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(("n", "k"), [(700, 1), (700, 10), (701, 300), (5, 9), (0, 3), (40, 0)])
@pytest.mark.usefixtures("tiles")
def test_it_finds_what_search_from_scratch_finds(name: str, dtype: type, n: int, k: int) -> None:
    rng = np.random.default_rng(0)
    query, base = rng.normal(size=(9, 6)).astype(dtype), rng.normal(size=(n, 6)).astype(dtype)
    same(Flat(base, distances.distance(name)), query, base, k)
    same(Flat(base, distances.distance(name)), query[:1], base, k)
    same(Flat(base, distances.distance(name)), query[:0], base, k)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("tiles")
def test_rows_that_products_cannot_tell_apart_are_told_apart(name: str) -> None:
    rng = np.random.default_rng(1)
    center = rng.normal(size=64) * 30
    base = (center + rng.normal(size=(300, 64)) * 1e-4).astype(np.float32)
    same(Flat(base, distances.distance(name)), base[:40], base, 7)
    ties = np.concatenate([np.repeat(base[:4], 90, axis=0), np.zeros((40, 64), np.float32)])
    query = np.concatenate([base[:5], np.zeros((2, 64), np.float32)])
    same(Flat(ties, distances.distance(name)), query, ties, 50)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("tiles")
def test_far_and_large_rows_hide_nothing(name: str) -> None:
    rng = np.random.default_rng(2)
    base = rng.normal(size=(400, 8)) * 10.0 ** rng.integers(-3, 7, size=(400, 1))
    base = base.astype(np.float32)
    same(Flat(base, distances.distance(name)), base[::10], base, 6)


@pytest.mark.parametrize("name", NAMES)
def test_candidates_without_end_are_decided_in_between(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemel.neighbors.candidates.MOST", 100)
    monkeypatch.setattr(flat, "TILE", 2048)
    base = np.repeat(np.random.default_rng(3).normal(size=(3, 4)), 700, axis=0).astype(np.float32)
    same(Flat(base, distances.distance(name)), base[[0, 700, 1400]], base, 5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("tiles")
def test_it_is_exact_after_any_history(name: str) -> None:
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(20, 6)).astype(np.float32)
    given, found, places = rows.copy(), Flat(rows, distances.distance(name)), np.arange(20)
    query = rng.normal(size=(5, 6)).astype(np.float32)
    kept = rows.copy()
    for step in range(12):
        more = rng.normal(size=(int(rng.integers(0, 90)), 6)).astype(np.float32)
        places = np.concatenate([places, found.end + np.arange(len(more))])
        kept = np.concatenate([kept, more])
        found.append(more)
        gone = rng.random(len(kept)) < 0.3
        found.remove(np.repeat(places[gone], 2))
        found.remove(places[gone])
        places, kept = places[~gone], kept[~gone]
        assert len(found) == len(kept)
        same(found, query, kept, 7, places)
        if step % 3 == 2:
            np.testing.assert_array_equal(found.compact(), places)
            places = np.arange(len(kept))
            assert found.end == len(kept)
            same(found, query, kept, 7)
        np.testing.assert_array_equal(found.vectors[places], kept)
    np.testing.assert_array_equal(rows, given)


@pytest.mark.parametrize("name", NAMES)
def test_removed_rows_are_overwritten(name: str) -> None:
    secret = np.full((1, 4), 12345, np.float32)
    found = Flat(np.zeros((0, 4), np.float32), distances.distance(name))
    found.append(np.concatenate([secret, np.ones((3, 4), np.float32)]))
    outgrown = found._vectors
    found.append(np.ones((40, 4), np.float32))
    assert not (outgrown == 12345).any()
    found.remove(np.array([0]))
    assert not (found._vectors == 12345).any()
    found.compact()
    assert (found._vectors[len(found) :] == 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_many_queries_are_searched_side_by_side(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("threadpoolctl")
    monkeypatch.setattr(flat, "workers", lambda: 3)
    rng = np.random.default_rng(5)
    query, base = (rng.normal(size=(n, 8)).astype(np.float32) for n in (200, 500))
    same(Flat(base, distances.distance(name)), query, base, 4)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("since", [0, 30, 90, 100])
def test_rows_from_a_place_on(name: str, since: int) -> None:
    rng = np.random.default_rng(6)
    query, base = (rng.normal(size=(n, 5)).astype(np.float32) for n in (4, 100))
    found = Flat(base, distances.distance(name))
    found.remove(np.arange(50, 80))
    left = np.setdiff1d(np.arange(since, 100), np.arange(50, 80))
    got, want = found.search(query, 12, since=since), nearest(query, base[left], 12, found.distance)
    np.testing.assert_array_equal(got.index, left[want.index] if len(left) else want.index)
    np.testing.assert_array_equal(got.distance, want.distance)
