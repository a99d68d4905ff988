"""The store in a PostgreSQL database with pgvector: for many writers, on many machines, and for searching there.

Every row lies in `gemel_rows`, its embedding as a vector without a fixed dimension, so that a gallery may move to
another model. The one row of `gemel_meta` is locked by whoever writes, so that changes are numbered in the order in
which they become visible, without gaps. What PostgreSQL finds is measured again here, by the one definition of the
distance.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.distances import distance
from gemel.errors import GalleryError
from gemel.gallery.link import BREADTH, Link, Place
from gemel.gallery.rows import Changes, Columns, Row, Seq, Tombstone, written
from gemel.gallery.store import CHANGED_MEANWHILE, Hits, Meta, refuse_strange
from gemel.neighbors.exact import nearest

if TYPE_CHECKING:
    from jaxtyping import Float

APPLICATION = 0x67656D6C
"""Number of the lock under which a gallery is made: "geml"."""
FORMAT = 1
"""The newest schema that this version reads, and the one that it writes."""
CHUNK = 1 << 24
"""Bytes of a model file that lie in one row."""
BULK = 8
"""Rows from which on they are copied together, instead of one after another."""
MARGIN = 8
"""Rows that are looked at beyond those asked for: the server's distances are rounded in another way."""
MOST = 1000
"""Rows for which an index is asked; for more, all are looked at."""
INDEXABLE = 2000
"""Dimensions of the longest vector in an index of pgvector."""
OPERATORS = {"euclidean": ("<->", "l2"), "manhattan": ("<+>", "l1"), "cosine": ("<=>", "cosine")}
"""What pgvector calls the distances: operator, and name in an index."""

# Embeddings of usual size stay in the row, where a search through all finds them. Those of no length are at no angle.
SCHEMA = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE {s}.gemel_meta (
    format integer NOT NULL, embedding_id text NOT NULL, dim integer NOT NULL, distance text NOT NULL,
    seq bigint NOT NULL
);
CREATE TABLE {s}.gemel_rows (
    seq bigint NOT NULL UNIQUE, id text PRIMARY KEY, identity text NOT NULL, name text NOT NULL, source text NOT NULL,
    content bigint NOT NULL, metadata text NOT NULL, embedding vector NOT NULL
) WITH (toast_tuple_target = 8160);
CREATE INDEX gemel_rows_identity ON {s}.gemel_rows USING hash (identity);
CREATE INDEX gemel_rows_zero ON {s}.gemel_rows (seq) WHERE vector_norm(embedding) = 0;
CREATE TABLE {s}.gemel_originals (id text PRIMARY KEY, content bytea NOT NULL);
CREATE TABLE {s}.gemel_gone (seq bigint NOT NULL UNIQUE, id text PRIMARY KEY);
CREATE TABLE {s}.gemel_model (
    name text NOT NULL, part integer NOT NULL, content bytea NOT NULL, PRIMARY KEY (name, part)
);
"""
COLUMNS = "seq, id, identity, name, source, content, metadata, embedding"
KINDS = ["int8", "text", "text", "text", "text", "int8", "text", "bytea"]
REPLACING = "ON CONFLICT (id) DO UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}" for name in COLUMNS.split(", ") if name != "id"
)
DURABLE = "CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END"
"""What makes a transaction wait for the disk where somebody has told the server not to."""


class PostgresStore:
    """Rows in a PostgreSQL database. Safe to use from several threads, and from many processes with a store each.

    What is removed is gone from every answer at once, and from the disk of the server as it cleans up after itself.

    Args:
        url: `postgresql://user@host/database`; with `?gallery=name` in a schema of that name, so that one database
            holds several galleries.

    Raises:
        GalleryError: it cannot be reached, holds no gallery, or one of a newer format.
        MissingExtra: psycopg is not installed.
    """

    def __init__(self, url: str) -> None:
        self._link = Link(Place.of(url))
        try:
            self._check()
        except BaseException:
            self._link.close()
            raise

    @classmethod
    def create(cls, url: str, meta: Meta, model: Mapping[str, bytes]) -> PostgresStore:
        """A store without rows in new tables, which hold a copy of the model too.

        Raises:
            GalleryError: there is one already, or it cannot be made.
        """
        link = Link(Place.of(url))
        try:
            with link.change() as db:
                db.execute("SELECT pg_advisory_xact_lock(%s)", (APPLICATION,))
                if _known(db, link.schema, "gemel_meta"):
                    raise GalleryError(f"{link.place}: there is a gallery already. Choose another name: ?gallery=NAME.")
                if link.place.gallery and not _known(db, link.schema):
                    db.execute(f"CREATE SCHEMA {link.schema}")
                db.execute(SCHEMA.format(s=link.schema))
                values = FORMAT, meta.embedding_id, meta.dim, meta.distance
                db.execute(f"INSERT INTO {link.schema}.gemel_meta VALUES (%s, %s, %s, %s, 0)", values)
                _keep(db, link.schema, model)
                db.execute(f"SELECT {DURABLE}")
        finally:
            link.close()
        return cls(url)

    @staticmethod
    def holds(url: str) -> bool:
        """Whether there is a gallery. Raises GalleryError where that cannot be found out."""
        link = Link(Place.of(url))
        try:
            return bool(link.ask("SELECT to_regclass(%s) IS NOT NULL", (f"{link.schema}.gemel_meta",))[0][0])
        finally:
            link.close()

    def put(self, rows: Sequence[Row]) -> Seq:
        """Add or replace rows."""
        with self._writing() as (db, meta):
            refuse_strange(rows, meta.dim, self._link.place)
            new = {row.id: replace(row, seq=meta.seq + 1 + i) for i, row in enumerate(rows)}
            originals = {row.id: row.original for row in rows if row.original is not None}
            db.execute(self._sql("DELETE FROM {s}.gemel_gone WHERE id = ANY(%s)"), (list(new),))
            self._put(db, list(new.values()))
            if originals:
                db.cursor().executemany(
                    self._sql(
                        "INSERT INTO {s}.gemel_originals VALUES (%s, %s) "
                        "ON CONFLICT (id) DO UPDATE SET content = excluded.content"
                    ),
                    list(originals.items()),
                )
            return self._advanced(db, meta.seq + len(rows))

    def remove(self, ids: Sequence[str]) -> Seq:
        """Remove rows; unknown ids are passed over."""
        with self._writing() as (db, meta):
            query = self._sql("SELECT id FROM {s}.gemel_rows WHERE id = ANY(%s)")
            known = {row_id for (row_id,) in db.execute(query, (list(ids),))}
            gone = [row_id for row_id in dict.fromkeys(ids) if row_id in known]
            return self._advanced(db, self._bury(db, gone, meta.seq))

    def changes(self, since: Seq) -> Changes:
        """The last change of every row that changed after `since`."""
        query = (
            f"SELECT {COLUMNS} FROM {{s}}.gemel_rows WHERE seq > %s UNION ALL "
            "SELECT seq, id, NULL, NULL, NULL, NULL, NULL, NULL FROM {s}.gemel_gone WHERE seq > %s ORDER BY seq"
        )
        found = self._ask(query, (since, since))
        rows = [values for values in found if values[-1] is not None]
        gone = [Tombstone(row_id, seq) for seq, row_id, *_, vector in found if vector is None]
        *columns, vectors = zip(*rows, strict=True) if rows else ((),) * len(KINDS)
        return Changes(Columns(*columns), _vectors(vectors), gone)

    def meta(self) -> Meta:
        """What the store holds."""
        return Meta(*self._ask("SELECT embedding_id, dim, distance, seq FROM {s}.gemel_meta")[0])

    def search(self, q: Float[np.ndarray, " d"], k: int, where: str | None = None) -> Hits | None:
        """The `k` nearest rows, as the server finds them: exactly, or with `index` nearly so among all.

        None where it cannot: a vector without length has no angle to any other.
        """
        meta = self.meta()
        if meta.distance not in OPERATORS or (meta.distance == "cosine" and not q.any()):
            return None
        metric, fetch = distance(meta.distance), max(k, 0) + MARGIN
        whole = where is not None
        while True:
            whole = whole or fetch > MOST
            ids, vectors, far = self._proposed(meta, q, fetch, where, whole=whole)
            if len(far) < fetch and not whole:
                whole = True  # an index may have overlooked some
                continue
            found = nearest(q[None], vectors, k, metric)
            if len(far) < fetch or far.max() > _reach(found.distance[0], meta):
                return Hits(tuple(ids[int(i)] for i in found.index[0]), found.distance[0])
            fetch *= 4

    def originals(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        """The originals of rows, as far as they are kept."""
        return dict(self._ask("SELECT id, content FROM {s}.gemel_originals WHERE id = ANY(%s)", (list(ids),)))

    def exchange(self, meta: Meta, vectors: Mapping[str, Float[np.ndarray, " d"]], model: Mapping[str, bytes]) -> None:
        """Put other embeddings in place of all, and the model that they are of; an index is made anew."""
        with self._writing() as (db, before):
            if before.seq != meta.seq:
                raise GalleryError(CHANGED_MEANWHILE)
            indexed = _known(db, self._link.schema, "gemel_rows_near")
            db.execute(self._sql("DROP INDEX IF EXISTS {s}.gemel_rows_near"))
            known = [row_id for (row_id,) in db.execute(self._sql("SELECT id FROM {s}.gemel_rows ORDER BY seq"))]
            seq = self._bury(db, [row_id for row_id in known if row_id not in vectors], meta.seq)
            kept = [row_id for row_id in known if row_id in vectors]
            self._renew(db, [(seq + 1 + i, row_id, vectors[row_id]) for i, row_id in enumerate(kept)])
            values = meta.embedding_id, meta.dim, meta.distance
            db.execute(self._sql("UPDATE {s}.gemel_meta SET embedding_id = %s, dim = %s, distance = %s"), values)
            _keep(db, self._link.schema, model)
            if indexed and meta.dim <= INDEXABLE:
                self._index(db, meta)
            self._advanced(db, seq + len(kept))

    def index(self) -> int | None:
        """Let the server search fast among many rows, and nearly exactly; whoever writes waits until it is made.

        Returns how many candidates a search of it holds; None: pgvector does not know the distance.

        It is made several times as fast where the server's `maintenance_work_mem` has room for all embeddings. A
        search among the rows of one identity stays exact.

        Raises:
            GalleryError: the embeddings have too many dimensions.
        """
        with self._writing() as (db, meta):
            if meta.distance not in OPERATORS:
                return None
            if meta.dim > INDEXABLE:
                raise GalleryError(
                    f"An index of pgvector takes up to {INDEXABLE:,} dimensions; these embeddings have {meta.dim:,}. "
                    "Searching stays exact, without one."
                )
            db.execute(self._sql("DROP INDEX IF EXISTS {s}.gemel_rows_near"))
            self._index(db, meta)
        return BREADTH

    def model(self, *names: str) -> Mapping[str, bytes]:
        """The files of the model that is kept here."""
        only = "WHERE name = ANY(%s)" if names else ""
        query = f"SELECT name, content FROM {{s}}.gemel_model {only} ORDER BY name, part"
        parts: dict[str, list[bytes]] = {}
        for name, content in self._ask(query, (list(names),) if names else ()):
            parts.setdefault(name, []).append(content)
        return {name: b"".join(held) for name, held in parts.items()}

    def keep_model(self, files: Mapping[str, bytes]) -> None:
        """Keep these files instead of those that are there."""
        with self._writing() as (db, _):
            _keep(db, self._link.schema, files)

    def close(self) -> None:
        """Let go of the connection."""
        self._link.close()

    def _check(self) -> None:
        if not self._ask("SELECT to_regclass(%s) IS NOT NULL", (f"{self._link.schema}.gemel_meta",))[0][0]:
            raise GalleryError(
                f"{self._link.place}: there is no gallery yet; name a model to begin one: --model MODEL.gemel."
            )
        written = self._ask("SELECT format FROM {s}.gemel_meta")[0][0]
        if written > FORMAT:
            raise GalleryError(
                f"{self._link.place} has gallery format {written}; this gemel reads up to format {FORMAT}. "
                "Upgrade with: pip install -U gemel"
            )

    def _sql(self, query: str) -> str:
        return query.format(s=self._link.schema)

    def _ask(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._link.ask(self._sql(query), values)

    @contextmanager
    def _writing(self) -> Iterator[tuple[Any, Meta]]:
        """One change, whole or not at all, while nobody else writes; begins with what there is."""
        with self._link.change() as db:
            query = "SELECT embedding_id, dim, distance, seq, {durable} FROM {s}.gemel_meta FOR UPDATE"
            *meta, _ = db.execute(query.format(s=self._link.schema, durable=DURABLE)).fetchone()
            yield db, Meta(*meta)

    def _advanced(self, db: Any, seq: Seq) -> Seq:
        db.execute(self._sql("UPDATE {s}.gemel_meta SET seq = %s"), (seq,))
        return seq

    def _put(self, db: Any, rows: Sequence[Row]) -> None:
        into = f"INSERT INTO {{s}}.gemel_rows ({COLUMNS})"
        if len(rows) < BULK:
            places = ", ".join(["%s"] * len(KINDS))
            db.cursor().executemany(
                self._sql(f"{into} VALUES ({places}) {REPLACING}"), [_values(row, _text(row.vector)) for row in rows]
            )
            return
        db.execute(
            self._sql("CREATE TEMP TABLE IF NOT EXISTS gemel_incoming (LIKE {s}.gemel_rows) ON COMMIT DELETE ROWS")
        )
        with db.cursor().copy(f"COPY pg_temp.gemel_incoming ({COLUMNS}) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(KINDS)
            for row in rows:
                copy.write_row(_values(row, _binary(row.vector)))
        db.execute(self._sql(f"{into} SELECT {COLUMNS} FROM pg_temp.gemel_incoming ORDER BY seq {REPLACING}"))

    def _renew(self, db: Any, changed: Sequence[tuple[Seq, str, Float[np.ndarray, " d"]]]) -> None:
        """Other embeddings, and numbers of their changes, for rows."""
        db.execute("CREATE TEMP TABLE gemel_renewed (seq bigint, id text, embedding vector) ON COMMIT DROP")
        with db.cursor().copy("COPY pg_temp.gemel_renewed FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int8", "text", "bytea"])
            for seq, row_id, vector in changed:
                copy.write_row((seq, row_id, _binary(vector)))
        db.execute(
            self._sql(
                "UPDATE {s}.gemel_rows AS r SET seq = n.seq, embedding = n.embedding FROM pg_temp.gemel_renewed AS n "
                "WHERE r.id = n.id"
            )
        )

    def _bury(self, db: Any, ids: Sequence[str], seq: Seq) -> Seq:
        """Tombstones in place of rows; returns the number of the last change."""
        for table in ("gemel_rows", "gemel_originals"):
            db.execute(self._sql(f"DELETE FROM {{s}}.{table} WHERE id = ANY(%s)"), (list(ids),))
        numbers = list(range(seq + 1, seq + 1 + len(ids)))
        db.execute(
            self._sql("INSERT INTO {s}.gemel_gone SELECT * FROM unnest(%s::bigint[], %s::text[])"), (numbers, list(ids))
        )
        return seq + len(ids)

    def _index(self, db: Any, meta: Meta) -> None:
        # Only of that dimension: rows of an earlier model may lie there until the server has cleaned up.
        kind = f"(embedding::vector({meta.dim})) vector_{OPERATORS[meta.distance][1]}_ops"
        only = f"vector_dims(embedding) = {meta.dim}"
        db.execute(self._sql(f"CREATE INDEX gemel_rows_near ON {{s}}.gemel_rows USING hnsw ({kind}) WHERE {only}"))

    def _proposed(
        self, meta: Meta, q: Float[np.ndarray, " d"], fetch: int, where: str | None, *, whole: bool
    ) -> tuple[list[str], Float[np.ndarray, "n d"], Float[np.ndarray, " m"]]:
        """The rows that are nearest as the server says, in the order they were put, and how far it says they are.

        Vectors without length come besides: they have no cosine, and the server puts them behind all others.
        """
        # An index is of embeddings with their dimension; without it, the server looks at every row.
        column = "embedding" if whole else f"embedding::vector({meta.dim})"
        of, whom = f"vector_dims(embedding) = {meta.dim}", list[str]()
        if where is not None:
            of, whom = "identity = %s", [where]
        query = f"""
            (SELECT seq, id, embedding, {column} {OPERATORS[meta.distance][0]} %s::vector AS far
             FROM {{s}}.gemel_rows WHERE {of} ORDER BY far LIMIT %s)
            UNION ALL
            (SELECT seq, id, embedding, 'NaN'
             FROM {{s}}.gemel_rows WHERE vector_norm(embedding) = 0 AND {of} ORDER BY seq LIMIT %s)
        """
        found = self._ask(query, (_text(q), *whom, fetch, *whom, fetch if meta.distance == "cosine" else 0))
        each = {seq: (row_id, vector) for seq, row_id, vector, _ in sorted(found)}
        far = np.array([far for *_, far in found], np.float64)
        ids, vectors = [row_id for row_id, _ in each.values()], [vector for _, vector in each.values()]
        return ids, _vectors(vectors, len(q)), far[~np.isnan(far)]


def _known(db: Any, schema: str, table: str = "") -> bool:
    """Whether there is a schema, or something of that name in it."""
    name, kind = (f"{schema}.{table}", "class") if table else (schema, "namespace")
    return db.execute(f"SELECT to_reg{kind}(%s) IS NOT NULL", (name,)).fetchone()[0]


def _keep(db: Any, schema: str, files: Mapping[str, bytes]) -> None:
    """Keep the files of a model, in the transaction that runs."""
    db.execute(f"DELETE FROM {schema}.gemel_model")
    for name, content in files.items():
        parts = [content[start : start + CHUNK] for start in range(0, max(1, len(content)), CHUNK)]
        for i, part in enumerate(parts):
            db.execute(f"INSERT INTO {schema}.gemel_model VALUES (%s, %s, %s)", (name, i, part))


def _reach(found: Float[np.ndarray, " k"], meta: Meta) -> float:
    """What the server may say of a row that is no farther than those that were found.

    Both add up as many numbers as there are dimensions, in single precision and in orders of their own. Lengths and
    differences are off by a share of themselves, an angle by a share of one.
    """
    if not len(found):
        return -1.0
    error, last = 4 * (meta.dim + 8) * float(np.finfo(np.float32).eps), float(found[-1])
    return last + error * (last + (meta.distance == "cosine"))


def _values(row: Row, vector: Any) -> tuple[Any, ...]:
    return row.seq, row.id, row.identity, row.name, row.source, row.content, written(row.metadata), vector


def _binary(vector: Float[np.ndarray, " d"]) -> bytes:
    """A vector as pgvector reads it: how many numbers, nothing, and the numbers, highest byte first."""
    return struct.pack(">HH", len(vector), 0) + vector.astype(">f4").tobytes()


def _vectors(written: Sequence[bytes], dim: int = 0) -> Float[np.ndarray, "n d"]:
    """What `_binary` wrote, side by side; of `dim` dimensions where there are none."""
    numbers = np.frombuffer(b"".join(written), ">f4")
    width = len(numbers) // len(written) if written else 1 + dim
    return numbers.reshape(len(written), width)[:, 1:].astype(np.float32)


def _text(vector: Float[np.ndarray, " d"]) -> str:
    return f"[{','.join(map(repr, vector.astype(np.float32).tolist()))}]"
