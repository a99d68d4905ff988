"""What a database must withstand: kill -9 of its server, other writers, lost connections; it finds the same."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gemel.distances import DISTANCES, distance
from gemel.errors import GalleryError, MissingExtra
from gemel.gallery import Gallery, Hits, MemoryStore, Meta, PostgresStore, Row, SQLiteStore, Store, Tombstone
from gemel.gallery.matrix import Matrix
from gemel.gallery.moving import migrate
from gemel.gallery.rescue import rescue
from gemel.neighbors.hnsw import Promise
from gemel.siamese import Siamese
from tests.gallery.server import Server

DIM = 12
META = Meta("id", DIM, "euclidean", 0)

WRITER = """
import sys, time
import numpy as np
from gemel.errors import GalleryError, MissingExtra
from gemel.gallery import PostgresStore, Row
store, name = PostgresStore(sys.argv[1]), sys.argv[2]
for i in range(int(sys.argv[3])):
    rows = [Row(f"{name}-{i}-{j}", "ada", np.full(12, i, np.float32)) for j in range(20)]
    while True:
        try:
            store.put(rows)
            break
        except GalleryError:
            time.sleep(0.02)
    print(i, flush=True)
"""


@pytest.fixture
def store(postgres: Server) -> Iterator[PostgresStore]:
    with closing(PostgresStore.create(postgres.fresh(), META, {"manifest.json": b"{}"})) as made:
        yield made


def url_of(store: PostgresStore) -> str:
    """Where it is, for another store."""
    place = store._link.place
    return f"postgresql://gemel@/postgres?host={place.host}&gallery={place.gallery}"


def rows(n: int, *, seed: int = 0) -> list[Row]:
    rng = np.random.default_rng(seed)
    return [Row(f"r{seed}-{i}", f"who{i % 5}", rng.normal(size=DIM).astype(np.float32)) for i in range(n)]


def writer(url: str, name: str, rounds: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, url, name, str(rounds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def told(store: Store, meta: Meta) -> Matrix:
    matrix = Matrix(meta.dim, distance(meta.distance))
    matrix.apply(store.changes(0))
    return matrix


def test_what_was_acknowledged_survives_kill_9_of_the_server(postgres: Server) -> None:
    url, rng = postgres.fresh(), np.random.default_rng(0)
    PostgresStore.create(url, META, {}).close()
    with writer(url, "w", 100_000) as child:
        assert child.stdout is not None
        try:
            for _ in range(3):
                done = [int(child.stdout.readline()) for _ in range(int(rng.integers(20, 60)))][-1]
                postgres.kill()
                postgres.start()
                with closing(PostgresStore(url)) as store:
                    held = [change.id for change in store.changes(0)]
                assert set(held) >= {f"w-{i}-{j}" for i in range(done + 1) for j in range(20)}
                assert len(held) % 20 == 0  # whole or not at all
        finally:
            child.kill()


def test_two_writers_queue_and_a_reader_follows(store: PostgresStore) -> None:
    rounds, last = 15, 0
    seen: dict[str, bool] = {}
    with writer(url_of(store), "a", rounds) as other, closing(PostgresStore(url_of(store))) as own:
        assert other.stdout is not None
        other.stdout.readline()
        for i in range(rounds):
            own.put([Row(f"b-{i}-{j}", "bob", np.full(DIM, i, np.float32)) for j in range(20)])
            own.remove([f"a-{i}-0", f"b-{i}-0"])
            for change in store.changes(last):
                assert change.seq > last
                seen[change.id], last = isinstance(change, Row), change.seq
    assert other.returncode == 0
    seen |= {change.id: isinstance(change, Row) for change in store.changes(last)}
    assert seen == {change.id: isinstance(change, Row) for change in store.changes(0)}
    assert {f"{name}-{i}-{j}" for name in "ab" for i in range(rounds) for j in range(20)} == set(seen)
    assert not any(seen[f"b-{i}-0"] for i in range(rounds))
    assert store.meta().seq == 2 * rounds * 20 + list(seen.values()).count(False)


def test_threads_may_share_a_store(store: PostgresStore) -> None:
    threads = [threading.Thread(target=lambda i=i: store.put(rows(2, seed=i))) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [change.seq for change in store.changes(0)] == list(range(1, 17))


@pytest.mark.parametrize("name", DISTANCES)
def test_it_finds_what_all_rows_side_by_side_find(postgres: Server, name: str) -> None:
    meta, rng = Meta("id", DIM, name, 0), np.random.default_rng(1)
    vectors = rng.normal(size=(120, DIM)).astype(np.float32)
    vectors[::7] = vectors[3]  # copies, more of them than are looked at first
    vectors[5::30] = 0  # no angle to any other
    vectors[9] = 3 * vectors[3]  # the same angle, but for rounding
    vectors[10] = vectors[3] + 1e-6
    with closing(PostgresStore.create(postgres.fresh(), meta, {})) as store:
        store.put([Row(f"r{i}", f"who{i % 3}", vector) for i, vector in enumerate(vectors)])
        store.put([Row("r7", "who1", vectors[7])])  # now the last of its copies
        matrix = told(store, meta)
        for q in (vectors[3], vectors[0], np.zeros(DIM, np.float32), *rng.normal(size=(4, DIM)).astype(np.float32)):
            for k, where in ((0, None), (1, None), (4, None), (30, "who1"), (3, "nobody"), (500, None)):
                found, expected = store.search(q, k, where), matrix.search(q, k, where)
                if found is None:
                    assert name == "cosine"
                    assert not q.any()
                    continue
                assert found.ids == expected.ids
                np.testing.assert_array_equal(found.distance, expected.distance)


@pytest.mark.parametrize("name", DISTANCES)
def test_an_index_finds_nearly_the_same_and_follows_to_another_model(postgres: Server, name: str) -> None:
    meta, rng = Meta("id", DIM, name, 0), np.random.default_rng(2)
    with closing(PostgresStore.create(postgres.fresh(), meta, {})) as store:
        store.put(rows(200))
        store.index()
        store._link.ask("SELECT set_config('enable_seqscan', 'off', false)")
        for now in (meta, Meta("other", 5, name, 200)):
            if now is not meta:
                fresh = {f"r0-{i}": rng.normal(size=5).astype(np.float32) for i in range(199)}
                store.exchange(now, fresh, {"manifest.json": b"new"})
                store.put([Row("late", "who1", rng.normal(size=5).astype(np.float32))])
            matrix, same = told(store, now), 0
            for q in rng.normal(size=(10, now.dim)).astype(np.float32):
                same += len({*matrix.search(q, 10).ids}.intersection(store.search(q, 10).ids))
                assert store.search(q, 20, "who1").ids == matrix.search(q, 20, "who1").ids
            assert same >= 95
            query = f"EXPLAIN SELECT id FROM {{s}}.gemel_rows WHERE {plan(now)} LIMIT 10"
            assert "gemel_rows_near" in str(store._ask(query))
        assert store.model() == {"manifest.json": b"new"}


def test_what_an_index_overlooks_is_measured(store: PostgresStore) -> None:
    """Beside searches that find every other row, and none."""
    store.put(rows(300))
    matrix = told(store, META)

    def half(q: np.ndarray, k: int) -> Hits:
        hits = matrix.search(q, 2 * k)
        return Hits(hits.ids[::2], hits.distance[::2])

    promise = matrix.promise(half, 9, least=0.9)
    assert promise == Promise(0.9, 10, promise.recall, 30, 9, inside=True)
    assert not promise.kept
    assert promise.recall == pytest.approx(0.5, abs=0.01)
    assert matrix.promise(lambda q, _: Hits((), np.empty(0, np.float32)), 9, least=0.9).recall == 0
    assert matrix.promise(store.search, 9, least=0.9).recall == 1


def test_the_index_of_a_gallery_in_a_database_is_the_servers(postgres: Server) -> None:
    url, twin = postgres.fresh(), Siamese.from_vectors(DIM)
    vectors = np.random.default_rng(8).normal(size=(400, DIM)).astype(np.float32)
    with Gallery(url, twin) as people, Gallery(url, twin) as other:
        people.enroll("ada", vectors)
        promise = people.index()
        assert (promise.inside, promise.queries, promise.kept) == (True, 40, True)
        assert people._followed.matrix.graph is None
        assert people.store._ask("SELECT to_regclass('{s}.gemel_rows_near') IS NOT NULL") == [(True,)]
        other.enroll("bob", -vectors[:1])
        assert people.search(-vectors[0], 1)[0].identity == "bob"
        assert promise.breadth == int(people.store._ask("SHOW hnsw.ef_search")[0][0])


def plan(meta: Meta) -> str:
    operator = {"euclidean": "<->", "manhattan": "<+>", "cosine": "<=>"}[meta.distance]
    return f"vector_dims(embedding) = {meta.dim} ORDER BY embedding::vector({meta.dim}) {operator} '{[1.0] * meta.dim}'"


def test_too_many_dimensions_for_an_index_say_so(postgres: Server) -> None:
    with closing(PostgresStore.create(postgres.fresh(), Meta("id", 2001, "cosine", 0), {})) as store:
        with pytest.raises(GalleryError, match="up to 2,000 dimensions; these embeddings have 2,001"):
            store.index()
        store.put([Row("long", "ada", np.ones(2001, np.float32))])
        assert store.search(np.ones(2001, np.float32), 1).ids == ("long",)


def test_an_exchange_leaves_what_it_leaves_in_memory(store: PostgresStore) -> None:
    memory, goal = MemoryStore("id", DIM, "euclidean"), Meta("other", 3, "cosine", 7)
    fresh = {f"r0-{i}": np.full(3, i, np.float32) for i in (4, 0, 2)}
    for one in (store, memory):
        one.put([Row(row.id, row.identity, row.vector, original=b"x") for row in rows(6)])
        one.remove(["r0-5"])
        with pytest.raises(GalleryError, match="meanwhile"):
            one.exchange(Meta("other", 3, "cosine", 6), fresh, {})
        one.exchange(goal, fresh, {"a": b"1"})
    assert store.meta() == memory.meta()
    assert list(map(said, store.changes(0))) == list(map(said, memory.changes(0)))
    assert store.originals(["r0-0", "r0-1", "r0-5"]) == memory.originals(["r0-0", "r0-1", "r0-5"]) == {"r0-0": b"x"}


def said(change: Row | Tombstone) -> tuple[Any, ...]:
    if isinstance(change, Tombstone):
        return change.id, change.seq
    return change.id, change.seq, change.identity, change.metadata, change.vector.tolist()


@pytest.mark.parametrize("n", [3, 40])
def test_many_and_few_come_back_alike(store: PostgresStore, n: int) -> None:
    odd = 'tab\t, line\n, \\N, "quoted", ’, 名前, 😀'
    given = [
        Row(f"{odd}{i}", odd, row.vector / 3e7, odd, -(1 << 62) - i, {odd: [i, None]}, 0, f"/{odd}", bytes(range(256)))
        for i, row in enumerate(rows(n))
    ]
    again = Row(given[1].id, "again", given[1].vector, content=7)
    assert store.put([*given, again]) == n + 1
    back = {row.id: row for row in store.changes(0) if isinstance(row, Row)}
    assert [row.seq for row in back.values()] == [1, *range(3, n + 2)]
    for before in [given[0], *given[2:]]:
        after = back[before.id]
        assert (after.identity, after.name, after.content, after.metadata, after.source) == (
            *(before.identity, before.name, before.content, before.metadata, before.source),
        )
        np.testing.assert_array_equal(after.vector, before.vector)
    assert (back[again.id].identity, back[again.id].content) == ("again", 7)
    assert store.originals([again.id, "nobody"]) == {again.id: bytes(range(256))}


def test_what_cannot_be_kept_changes_nothing(store: PostgresStore) -> None:
    store.put(rows(2))
    bad = [
        (np.full(DIM, np.nan, np.float32), "ada", "NaN not allowed"),
        (np.ones(DIM + 1, np.float32), "ada", "holds embeddings of 12 dimensions; one of 13 came"),
        (np.ones(DIM, np.float32), "zero\0", "0x00|NUL"),
        (np.ones(DIM, np.float32), "half \ud800", "is no text that can be kept"),
    ]
    for n in (1, 40):
        for vector, name, reason in bad:
            with pytest.raises(GalleryError, match=f"(?s)({reason}).*othing was changed"):
                store.put([*rows(n, seed=5), Row("x", name, vector)])
    assert store.meta().seq == len(list(store.changes(0))) == 2


def test_a_lost_connection_is_opened_anew_before_anything_is_changed(store: PostgresStore, postgres: Server) -> None:
    store.put(rows(3))
    lose(store, postgres)
    assert len(list(store.changes(0))) == 3
    lose(store, postgres)
    assert store.put(rows(1, seed=1)) == 4
    with pytest.raises(GalleryError, match=r"cannot be reached.*nothing was changed"):
        half_a_change(store, postgres)
    assert store.meta().seq == len(list(store.changes(0))) == 4
    with pytest.raises(GalleryError, match=r"in the very moment of the change.*look"), store._writing():
        lose(store, postgres)
    store.close()
    with pytest.raises(GalleryError, match="closed"):
        store.meta()


def half_a_change(store: PostgresStore, postgres: Server) -> None:
    with store._writing() as (db, meta):
        store._put(db, rows(1, seed=2))
        lose(store, postgres)
        store._advanced(db, meta.seq + 1)


def lose(store: PostgresStore, postgres: Server) -> None:
    """End the connection from the other side."""
    import psycopg

    with closing(psycopg.connect(postgres.url(), autocommit=True)) as db:
        db.execute("SELECT pg_terminate_backend(%s, 2000)", (store._link._db.info.backend_pid,))


def test_a_writer_that_waits_too_long_says_so(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemel.gallery.link.PATIENCE", 0.05)
    with closing(PostgresStore(url_of(store))) as other:
        with store._writing(), pytest.raises(GalleryError, match=r"another process.*nothing was changed"):
            other.put(rows(1))
        assert other.meta().seq == 0
        assert other.put(rows(1)) == 1


def test_a_change_waits_for_the_disk_whatever_the_server_was_told(store: PostgresStore) -> None:
    with closing(PostgresStore(f"{url_of(store)}&options=-csynchronous_commit%3Doff")) as other:
        with other._writing() as (db, _):
            assert db.execute("SHOW synchronous_commit").fetchone() == ("on",)
        assert other._ask("SHOW synchronous_commit") == [("off",)]


def test_who_may_only_read_reads(store: PostgresStore) -> None:
    store.put(rows(3))
    with closing(PostgresStore(f"{url_of(store)}&options=-cdefault_transaction_read_only%3Don")) as other:
        assert len(list(other.changes(0))) == 3
        assert len(other.search(rows(1)[0].vector, 2).ids) == 2
        with pytest.raises(GalleryError, match=r"may not do that .*read-only.*nothing was changed"):
            other.put(rows(1))


def test_a_database_that_cannot_be_reached_is_named_but_its_password_is_not(tmp_path: Path) -> None:
    pytest.importorskip("psycopg", reason="takes psycopg: pip install 'gemel[postgres]'")
    nowhere = f"postgresql://ada:s3cret@/staff?host={tmp_path}&gallery=people"
    for url, words in {
        nowhere: f"gallery 'people' of database 'staff' at {tmp_path}",
        "postgres://ada:s3cret@127.0.0.1:1/staff": "database 'staff' at 127.0.0.1: it cannot be reached",
        "postgresql://ada:s3cret@[::1/staff": "This is no URL of a database",
        "postgresql://ada:s3cret@host/staff?colour=red": "This is no URL of a database",
        f"postgresql://ada:s3cret@host/staff?gallery={'x' * 64}": "at most 63 bytes",
        "postgresql://ada:s3cret@host/staff?gallery=100%25": "without %",
    }.items():
        with pytest.raises(GalleryError) as caught:
            Gallery(url)
        assert words in str(caught.value)
        assert caught.value.__cause__ is None
        assert "s3cret" not in str(caught.value)
    with pytest.raises(GalleryError, match="pg_dump"):
        rescue(nowhere, tmp_path / "rescued.db")


def test_without_psycopg_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtra, match=r"pip install 'gemel\[postgres\]'"):
        Gallery("postgresql://ada@host/staff")


def test_what_is_there_and_what_is_not(store: PostgresStore, postgres: Server) -> None:
    with pytest.raises(GalleryError, match="there is a gallery already"):
        PostgresStore.create(url_of(store), META, {})
    for nothing in (postgres.url(), postgres.fresh()):
        with pytest.raises(GalleryError, match="there is no gallery yet; name a model"):
            Gallery(nothing)
    store._link.ask(f"WITH x AS (UPDATE {store._link.schema}.gemel_meta SET format = 99 RETURNING 1) SELECT 1")
    with pytest.raises(GalleryError, match=r"gallery format 99.*pip install -U gemel"):
        PostgresStore(url_of(store))


def test_the_same_script_with_another_url_gives_the_same_answers(
    twin: Siamese, postgres: Server, tmp_path: Path
) -> None:
    centers = np.random.default_rng(4).normal(size=(8, 16)).astype(np.float32)
    answers = [script(url, twin, centers) for url in (str(tmp_path / "people.db"), postgres.fresh())]
    assert answers[0] == answers[1]


def script(url: str, twin: Siamese, centers: np.ndarray) -> list[Any]:
    rng, answers = np.random.default_rng(5), list[Any]()
    with Gallery(url, twin) as people:
        for i, center in enumerate(centers):
            near = (center + 0.2 * rng.normal(size=(3, len(center)))).astype(np.float32)
            answers.append(people.enroll(f"p{i}", near, {"site": "north" if i % 2 else "south"}))
    with Gallery(url) as people:
        probes = (centers + 0.2 * rng.normal(size=centers.shape)).astype(np.float32)
        answers += [people.identify(probe) for probe in probes]
        answers += [people.search(probe, 5, where={"site": "north"}) for probe in probes]
        answers += [people.verify("p1", probe) for probe in probes]
        answers += [people.forget("p3"), people.rename("p2", "ada"), people.identities()]
        answers += [[(row.identity, row.name, row.seq, row.vector.tolist()) for row in people.items()]]
        answers += [people.search(probe, 30) for probe in probes]
    return answers


def test_a_gallery_in_a_database_moves_to_another_model(
    postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url, before, after = postgres.fresh(), Siamese.from_vectors(DIM), Siamese.from_vectors(DIM, "euclidean")
    vectors = np.random.default_rng(6).normal(size=(20, DIM)).astype(np.float32)
    with Gallery(url, before) as people:
        people.enroll("ada", vectors)
    assert migrate(url, after).items == 20
    with Gallery(url) as people:
        assert people.twin.metric.name == "euclidean"
        assert people.search(vectors[4], 1)[0].distance == 0
    assert not list(tmp_path.iterdir())


def test_a_copy_goes_from_a_file_to_a_database(store: PostgresStore, tmp_path: Path) -> None:
    with closing(SQLiteStore.create(tmp_path / "rows.db", META, {})) as file:
        file.put(rows(30))
        store.put([row for row in file.changes(0) if isinstance(row, Row)])
        assert list(map(said, store.changes(0))) == list(map(said, file.changes(0)))
