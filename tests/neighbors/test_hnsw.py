"""Laws of approximate search: it finds what was promised, what is gone never, what came later always."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gemel.distances import DISTANCES, distance
from gemel.errors import DataError, MissingExtra
from gemel.neighbors import cityblock, hnsw, stored
from gemel.neighbors.exact import Neighbors
from gemel.neighbors.flat import Flat
from gemel.neighbors.hnsw import Hnsw, built
from gemel.neighbors.recall import recall

pytest.importorskip("faiss")
N, DIM = 2000, 12


def drawn(n: int, seed: int) -> np.ndarray:
    """Around forty centres."""
    centers, rng = np.random.default_rng(9).normal(size=(40, DIM)), np.random.default_rng(seed)
    return (centers[rng.integers(40, size=n)] + 0.3 * rng.normal(size=(n, DIM))).astype(np.float32)


def made(name: str) -> Hnsw:
    return built(Flat(drawn(N, 0), distance(name)), links=8, effort=40)


@pytest.mark.parametrize("name", list(DISTANCES))
def test_it_finds_what_it_promises_also_for_others(name: str) -> None:
    index, query = made(name), drawn(100, 1)
    assert index.promise.kept
    assert index.promise.queries == N // 10
    found, exact = index.search(query, 10), index.rows.search(query, 10)
    assert recall(found, exact) >= 0.97
    own = index.distance.paired(np.repeat(query, 10, 0), index.vectors[found.index.ravel()])
    np.testing.assert_array_equal(found.distance.ravel(), own)
    assert (np.diff(found.distance) >= 0).all()


@pytest.mark.parametrize("name", list(DISTANCES))
def test_the_removed_are_never_found_and_the_added_always(name: str) -> None:
    index, rng = made(name), np.random.default_rng(2)
    gone = rng.choice(N, 700, replace=False)
    secret = index.vectors[gone].copy()
    index.remove(gone)
    late = drawn(50, 3)
    index.append(late)
    found = index.search(late, 5)
    np.testing.assert_array_equal(found.index[:, 0], N + np.arange(50))
    assert not np.isin(found.index, gone).any()
    assert recall(found, index.rows.search(late, 5)) >= 0.95
    assert index.outside == pytest.approx((700 + 50) / 2050)
    storage = hnsw._stored(index.graph)
    assert not np.isin(hnsw.embedded(secret, index.distance)[:, 0], storage[:, 0]).any()
    kept = index.compact()
    after = index.search(late, 5)
    np.testing.assert_array_equal(kept[after.index], found.index)
    np.testing.assert_array_equal(after.distance, found.distance)


def test_where_nearly_all_are_gone_the_search_is_exact() -> None:
    index = made("euclidean")
    index.remove(np.arange(3, N))
    np.testing.assert_array_equal(np.sort(index.search(drawn(4, 5), 9).index, 1), [[0, 1, 2]] * 4)
    index.remove(np.arange(3))
    assert index.search(drawn(4, 5), 9).index.shape == (4, 0)


@pytest.mark.parametrize("n", [0, 1, 5, 30])
def test_few_rows(n: int) -> None:
    index, query = built(Flat(drawn(n, 0), distance("cosine"))), drawn(3, 1)
    found, exact = index.search(query, 4), index.rows.search(query, 4)
    np.testing.assert_array_equal(found.index, exact.index)
    np.testing.assert_array_equal(found.distance, exact.distance)


def test_a_promise_that_is_not_kept_says_so() -> None:
    rows = Flat(np.random.default_rng(0).normal(size=(N, 40)).astype(np.float32), distance("euclidean"))
    index = built(rows, links=4, effort=8, widest=32)
    assert not index.promise.kept
    assert index.promise.breadth == 32
    wider = built(rows, links=4, effort=8)
    assert wider.promise.recall > index.promise.recall


def test_equals_are_no_misses() -> None:
    exact = Neighbors(np.array([[0, 1]]), np.array([[0.0, 0.5]]))
    assert recall(Neighbors(np.array([[7, 8]]), np.array([[0.0, 0.5 + 1e-7]])), exact) == 1
    assert recall(Neighbors(np.array([[0, 8]]), np.array([[0.0, 0.6]])), exact) == 0.5
    assert recall(Neighbors(np.array([[0, -1]]), np.array([[0.0, np.inf]])), exact) == 0.5


@pytest.mark.parametrize("name", list(DISTANCES))
def test_a_file_gives_back_the_graph_over_the_rows_of_now(name: str, tmp_path: Path) -> None:
    index, path, query = made(name), tmp_path / "rows.graph", drawn(60, 1)
    numbers = np.arange(N) * 3 + 5
    before = index.search(query, 6)
    header = stored.save(index, path, numbers, "key")
    assert stored.header(path) == header
    assert (header.seq, header.count, header.dim, header.distance) == (numbers[-1], N, DIM, name)
    assert index.vectors[:1].tobytes() not in path.read_bytes()
    again = stored.load(path, Flat(index.vectors, index.distance), numbers, "key")
    np.testing.assert_array_equal(again.search(query, 6).index, before.index)
    assert again.promise == index.promise

    left = np.flatnonzero(np.random.default_rng(0).random(N) < 0.7)
    rows = Flat(np.concatenate([index.vectors[left], query]), index.distance)
    again = stored.load(path, rows, np.concatenate([numbers[left], numbers[-1] + 1 + np.arange(60)]), "key")
    found = again.search(query, 6)
    np.testing.assert_array_equal(found.index[:, 0], len(left) + np.arange(60))
    assert recall(found, again.rows.search(query, 6)) >= 0.95


def test_a_file_that_does_not_fit_is_refused_in_words(tmp_path: Path) -> None:
    index, path = built(Flat(drawn(300, 0), distance("euclidean")), links=4), tmp_path / "rows.graph"
    numbers = np.arange(300)
    stored.save(index, path, numbers, "key")
    content = path.read_bytes()
    for other in (content[:10], content[:60], content[:-1], content[:-9] + b"x" + content[-8:], b"PK\3\4 else"):
        path.write_bytes(other)
        with pytest.raises(DataError, match="build the graph again"):
            stored.load(path, index.rows, numbers, "key")
    path.write_bytes(content)
    for rows, these, key in (
        (index.rows, numbers, "another"),
        (Flat(index.vectors, distance("cosine")), numbers, "key"),
        (Flat(index.vectors[:, :4], distance("euclidean")), numbers, "key"),
        (Flat(drawn(301, 0), distance("euclidean")), np.append(np.arange(300) * 0.5, 299).astype(int), "key"),
    ):
        with pytest.raises(DataError, match="build the graph again"):
            stored.load(path, rows, these, key)


def test_without_faiss_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise MissingExtra("pip install 'gemel[ann]'")

    monkeypatch.setattr(hnsw, "faiss", lambda: None)
    monkeypatch.setattr(hnsw, "require", missing)
    with pytest.raises(MissingExtra, match="ann"):
        built(Flat(drawn(10, 0), distance("euclidean")))
    assert cityblock.faiss() is not None
