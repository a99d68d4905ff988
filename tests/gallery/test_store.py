"""The contract of every store, and that the rows it tells of give the same search as its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gemel.distances import distance
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
    return [Row(f"r{seed}-{i}", f"who{i % 4}", vectors[i], name=f"{i}.png", metadata={"i": i}) for i in range(n)]


def told(store: Store) -> Matrix:
    matrix = Matrix(DIM, distance("euclidean"))
    matrix.apply(store.changes(0))
    return matrix


def same_search(store: Store, matrix: Matrix) -> None:
    for seed in range(5):
        q = np.random.default_rng(100 + seed).normal(size=DIM).astype(np.float32)
        for where in (None, "who1", "nobody"):
            own, follows = store.search(q, 7, where), matrix.search(q, 7, where)
            if own is not None:
                assert own.ids == follows.ids
                np.testing.assert_array_equal(own.distance, follows.distance)


def test_what_is_put_comes_back_whole(store: Store) -> None:
    given = rows(5)
    assert store.put(given) == store.meta().seq == 5
    back = list(store.changes(0))
    assert [row.seq for row in back] == [1, 2, 3, 4, 5]
    for before, after in zip(given, back, strict=True):
        assert isinstance(after, Row)
        assert (after.id, after.identity, after.name, after.metadata) == (
            before.id,
            before.identity,
            before.name,
            before.metadata,
        )
        np.testing.assert_array_equal(after.vector, before.vector)


def test_an_empty_store_has_nothing(store: Store) -> None:
    assert list(store.changes(0)) == []
    assert store.meta().seq == 0
    hits = store.search(np.zeros(DIM, np.float32), 3)
    assert hits is None or hits.ids == ()


def test_a_known_id_replaces(store: Store) -> None:
    store.put(rows(3))
    store.put([replace(rows(3)[0], identity="other")])
    assert len(told(store)) == 3
    assert [row.id for row in told(store).of("other")] == ["r0-0"]


def test_removed_rows_are_gone_for_good(store: Store) -> None:
    store.put(rows(6))
    store.remove(["r0-1", "unknown", "r0-1"])
    assert store.meta().seq == 7
    assert "r0-1" not in told(store).rows
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
    assert follower.rows.keys() == told(store).rows.keys()
    same_search(store, follower)
    same_search(store, told(store))


def test_search_is_exact_after_any_history(store: Store) -> None:
    rng = np.random.default_rng(0)
    follower = told(store)
    for step in range(30):
        store.put(rows(int(rng.integers(1, 6)), seed=step))
        known = list(told(store).rows)
        store.remove([str(x) for x in rng.choice(known, size=len(known) // 4, replace=False)])
        if step % 7 == 0:
            follower.apply(store.changes(follower.seq))
            same_search(store, follower)
    everything = told(store)
    q = np.zeros(DIM, np.float32)
    far = {row_id: float(np.linalg.norm(row.vector)) for row_id, row in everything.rows.items()}
    assert list(everything.search(q, 9).ids) == sorted(far, key=far.__getitem__)[:9]


def test_a_model_is_kept_beside_the_rows(store: Store) -> None:
    assert store.model() == {}
    for files in ({"manifest.json": b"{}", "encoder.onnx": bytes(range(256)) * 9, "empty": b""}, {"other": b"1"}):
        store.keep_model(files)
        assert store.model() == files
        assert store.model("manifest.json", "nothing") == {n: c for n, c in files.items() if n == "manifest.json"}
    assert store.meta().seq == 0


def test_forgotten_vectors_do_not_linger_in_memory() -> None:
    store = MemoryStore("id", DIM, "euclidean")
    secret = np.full(DIM, 12345.0, np.float32)
    store.put([*rows(2), Row("x", "ada", secret)])
    store.remove(["x"])
    assert not (store._matrix.vectors == 12345).any()
