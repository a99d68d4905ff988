"""The contract of every store, and that the rows it tells of give the same search as its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from gemel.distances import distance
from gemel.errors import GalleryError
from gemel.gallery import MemoryStore, Meta, PostgresStore, Row, SQLiteStore, Store, Tombstone
from gemel.gallery.matrix import Matrix

DIM = 6
META = Meta("id", DIM, "euclidean", 0)
MAKERS: dict[str, Callable[[Callable[[str], Any]], Store]] = {
    "memory": lambda _: MemoryStore("id", DIM, "euclidean"),
    "sqlite": lambda fixture: SQLiteStore.create(fixture("tmp_path") / "rows.db", META, {}),
    "postgres": lambda fixture: PostgresStore.create(fixture("postgres").fresh(), META, {}),
}


@pytest.fixture(params=MAKERS.values(), ids=MAKERS)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    made = request.param(request.getfixturevalue)
    yield made
    made.close()


def rows(n: int, *, seed: int = 0) -> list[Row]:
    vectors = np.random.default_rng(seed).normal(size=(n, DIM)).astype(np.float32)
    return [
        Row(f"r{seed}-{i}", f"who{i % 4}", vectors[i], f"{i}.png", 7 * i, {"i": i}, source=f"/{i}.png")
        for i in range(n)
    ]


def told(store: Store) -> Matrix:
    matrix = Matrix(DIM, distance("euclidean"))
    matrix.apply(store.changes(0))
    return matrix


def of(matrix: Matrix, identity: str) -> list[Row]:
    return matrix.rows(matrix.roll.places(identity))


def same_search(store: Store, matrix: Matrix) -> None:
    for seed in range(5):
        q = np.random.default_rng(100 + seed).normal(size=DIM).astype(np.float32)
        for where in (None, "who1", "nobody"):
            own, follows = store.search(q, 7, where), matrix.search(q, 7, where)
            if own is not None:
                assert own.ids == follows.ids
                np.testing.assert_array_equal(own.distance, follows.distance)


def said(row: Row) -> tuple[Any, ...]:
    """All of a row."""
    return *(getattr(row, each.name) for each in fields(row) if each.name != "vector"), row.vector.tolist()


def test_what_is_put_comes_back_whole(store: Store) -> None:
    given = rows(5)
    assert store.put(given) == store.meta().seq == 5
    expected = [said(replace(row, seq=i + 1)) for i, row in enumerate(given)]
    assert [said(row) for row in store.changes(0)] == expected
    assert [said(row) for row in told(store).rows()] == expected


def test_embeddings_of_other_dimensions_are_refused(store: Store) -> None:
    store.put(rows(2))
    with pytest.raises(GalleryError, match=r"holds embeddings of 6 dimensions; one of 7 came. Nothing was changed"):
        store.put([*rows(3, seed=1), Row("x", "ada", np.ones(DIM + 1, np.float32))])
    assert store.meta().seq == len(list(store.changes(0))) == 2


def test_of_what_comes_twice_at_once_the_last_stays(store: Store) -> None:
    first, second = rows(2)
    assert store.put([first, second, replace(first, identity="other")]) == 3
    assert [(row.id, row.identity, row.seq) for row in store.changes(0)] == [("r0-1", "who1", 2), ("r0-0", "other", 3)]


def test_a_row_outlives_what_it_was_made_from(store: Store) -> None:
    store.put(rows(4))
    matrix = told(store)
    kept = of(matrix, "who1")
    store.remove(["r0-1"])
    matrix.apply(store.changes(4))
    assert [said(row) for row in kept] == [said(replace(rows(4)[1], seq=2))]
    assert of(matrix, "who1") == []


def test_an_empty_store_has_nothing(store: Store) -> None:
    assert list(store.changes(0)) == []
    assert store.meta().seq == 0
    hits = store.search(np.zeros(DIM, np.float32), 3)
    assert hits is None or hits.ids == ()


def test_a_known_id_replaces(store: Store) -> None:
    store.put(rows(3))
    store.put([replace(rows(3)[0], identity="other")])
    assert len(told(store)) == 3
    assert [row.id for row in of(told(store), "other")] == ["r0-0"]


def test_removed_rows_are_gone_for_good(store: Store) -> None:
    store.put(rows(6))
    store.remove(["r0-1", "unknown", "r0-1"])
    assert store.meta().seq == 7
    assert "r0-1" not in told(store).roll
    last = list(store.changes(6))
    assert last == [Tombstone("r0-1", 7)]
    assert not any(isinstance(c, Row) and c.id == "r0-1" for c in store.changes(0))
    same_search(store, told(store))


def test_changes_since_are_what_is_missing(store: Store) -> None:
    store.put(rows(6))
    follower = told(store)
    store.remove(["r0-2"])
    store.put(rows(4, seed=1))
    store.put([replace(rows(6)[3], identity="moved")])
    follower.apply(store.changes(follower.seq))
    assert follower.seq == store.meta().seq
    assert [said(row) for row in follower.rows()] == [said(row) for row in told(store).rows()]
    same_search(store, follower)
    same_search(store, told(store))


def test_what_it_indexes_it_finds_itself(store: Store) -> None:
    store.put(rows(60))
    matrix, breadth = told(store), store.index()
    if breadth is not None:
        promise = matrix.promise(store.search, breadth, least=0.99)
        assert (promise.queries, promise.breadth, promise.inside, promise.recall) == (6, breadth, True, 1.0)
    same_search(store, matrix)


def test_search_is_exact_after_any_history(store: Store) -> None:
    rng = np.random.default_rng(0)
    follower = told(store)
    for step in range(30):
        store.put(rows(int(rng.integers(1, 6)), seed=step))
        known = [row.id for row in told(store).rows()]
        store.remove([str(x) for x in rng.choice(known, size=len(known) // 4, replace=False)])
        if step % 7 == 0:
            follower.apply(store.changes(follower.seq))
            same_search(store, follower)
    everything = told(store)
    q = np.zeros(DIM, np.float32)
    far = {row.id: float(np.linalg.norm(row.vector)) for row in everything.rows()}
    assert list(everything.search(q, 9).ids) == sorted(far, key=far.__getitem__)[:9]


def test_a_model_is_kept_beside_the_rows(store: Store) -> None:
    assert store.model() == {}
    for files in ({"manifest.json": b"{}", "encoder.onnx": bytes(range(256)) * 9, "empty": b""}, {"other": b"1"}):
        store.keep_model(files)
        assert store.model() == files
        assert store.model("manifest.json", "nothing") == {n: c for n, c in files.items() if n == "manifest.json"}
    assert store.meta().seq == 0


def test_the_forgotten_do_not_linger_in_memory() -> None:
    store = MemoryStore("id", DIM, "euclidean")
    secret = Row(
        "secret-id", "secret-who", np.full(DIM, 12345.0, np.float32), "secret-name", 5, {"site": "secret-site"}
    )
    store.put([*rows(2), replace(secret, source="secret-place")])
    matrix = store._matrix
    assert matrix.roll.fitting({"site": "secret-site"}) == [2]
    store.remove(["secret-id"])
    assert not (matrix.vectors == 12345).any()
    assert "secret" not in f"{vars(matrix.roll)} {vars(matrix.roll.columns)}"


def test_what_is_removed_is_overwritten_where_it_was_read_to(store: Store) -> None:
    store.put([*rows(9), Row("x", "ada", np.full(DIM, 12345.0, np.float32))])
    matrix, read = told(store), store.changes(0)
    follower = Matrix(DIM, distance("euclidean"))
    follower.apply(read)
    assert np.shares_memory(follower.vectors, read.vectors)
    store.remove(["x"])
    for each in (follower, matrix):
        each.apply(store.changes(each.seq))
        assert not (each.vectors == 12345).any()
    assert not (read.vectors == 12345).any()


@pytest.mark.parametrize("seed", range(3))
def test_the_roll_follows_any_history(seed: int) -> None:
    """Beside a list of rows that is gone through from its beginning."""
    rng, store, known = np.random.default_rng(seed), MemoryStore("id", DIM, "euclidean"), list[Row]()
    follower = told(store)
    for _ in range(40):
        came = [replace(row, id=f"r{rng.integers(30)}", identity=f"who{rng.integers(6)}") for row in rows(4)]
        store.put(came)
        for row in came:
            known = [*(one for one in known if one.id != row.id), row]
        gone = {f"r{i}" for i in rng.integers(30, size=4)}
        store.remove(list(gone))
        known = [row for row in known if row.id not in gone]
        follower.apply(store.changes(follower.seq))
        for matrix in (follower, told(store)):
            assert [row.id for row in matrix.rows()] == [row.id for row in known]
            for whom in (f"who{i}" for i in range(6)):
                assert [row.id for row in of(matrix, whom)] == [row.id for row in known if row.identity == whom]
                assert matrix.roll.contents(whom) == {row.content for row in known if row.identity == whom}
            assert set(matrix.roll.identities()) == {row.identity for row in known}
            places = matrix.roll.fitting({"i": [1, 3]})
            assert [matrix.roll.columns.ids[place] for place in places] == [
                row.id for row in known if row.metadata["i"] in (1, 3)
            ]
