"""The store in one SQLite file: the embedded default, for one writer at a time and many readers.

Write-ahead log, flushed to disk before a change is acknowledged; what is removed is overwritten. Every row has a
checksum, so that damage is found when it is read. Searching is left to the caller, who follows `changes`.
"""

from __future__ import annotations

import sqlite3
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import GalleryError
from gemel.gallery.rows import Changes, Columns, Row, Seq, Tombstone, written
from gemel.gallery.store import CHANGED_MEANWHILE, Hits, Meta, refuse_strange

if TYPE_CHECKING:
    from jaxtyping import Float

APPLICATION = 0x67656D6C
"""What SQLite's header says of whose file it is: "geml"."""
FORMAT = 1
"""The newest schema that this version reads, and the one that it writes."""
PATIENCE = 30.0
"""Seconds to wait for another process that writes."""
AT_ONCE = 1024
"""Rows that are read and looked through together."""
CHUNK = 1 << 26
"""Bytes of a model file that lie in one row: SQLite holds no more than a gigabyte in one."""

SCHEMA = f"""
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {FORMAT};
CREATE TABLE meta (embedding_id TEXT NOT NULL, dim INTEGER NOT NULL, distance TEXT NOT NULL, seq INTEGER NOT NULL);
CREATE TABLE rows (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, identity TEXT NOT NULL, name TEXT NOT NULL,
    source TEXT NOT NULL, content INTEGER NOT NULL, metadata TEXT NOT NULL, vector BLOB NOT NULL, crc INTEGER NOT NULL,
    original BLOB
);
CREATE TABLE gone (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);
CREATE TABLE model (name TEXT NOT NULL, part INTEGER NOT NULL, content BLOB NOT NULL, PRIMARY KEY (name, part));
"""
COLUMNS = "seq, id, identity, name, source, content, metadata, vector, crc"
WITHIN = "WHERE seq > ? AND seq <= ? ORDER BY seq"
PUT = (
    f"INSERT INTO rows ({COLUMNS}, original) VALUES ({', '.join('?' * 10)}) ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in COLUMNS.split(", ") if name != "id")
    + ", original = coalesce(excluded.original, original)"
)


class SQLiteStore:
    """Rows in a SQLite file. Safe to use from several threads, and from several processes with a store each.

    Args:
        path: the file; there must be one, as `create` makes it.

    Raises:
        GalleryError: no such file, not a gallery, of a newer format, or damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.RLock()
        if self.path.is_dir():
            raise GalleryError(f"{path} is a folder; a gallery is a file, such as people.db.")
        if not self.path.is_file():
            raise GalleryError(f"There is no gallery {path}; name a model to begin one: --model MODEL.gemel.")
        with _explained(self.path):
            self._db = _connected(self.path)
            self._check()

    @classmethod
    def create(cls, path: str | Path, meta: Meta, model: Mapping[str, bytes]) -> SQLiteStore:
        """A store without rows in a new file, which holds a copy of the model too.

        Raises:
            GalleryError: there is something at that place, or it cannot be written.
        """
        place = Path(path)
        if place.exists():
            raise GalleryError(f"{path} exists already; choose another name.")
        if not place.absolute().parent.is_dir():
            raise GalleryError(f"The folder {place.absolute().parent} does not exist. Make it first.")
        with _explained(place):
            db = _connected(place)
            try:
                db.executescript(f"BEGIN IMMEDIATE; {SCHEMA}")
                db.execute("INSERT INTO meta VALUES (?, ?, ?, 0)", (meta.embedding_id, meta.dim, meta.distance))
                _keep(db, model)
                db.execute("COMMIT")
            finally:
                db.close()
        return cls(path)

    def put(self, rows: Sequence[Row]) -> Seq:
        """Add or replace rows."""
        with self._writing() as seq:
            refuse_strange(rows, self._db.execute("SELECT dim FROM meta").fetchone()[0], self.path)
            new = [replace(row, seq=seq + 1 + i) for i, row in enumerate(rows)]
            self._db.executemany("DELETE FROM gone WHERE id = ?", [(row.id,) for row in new])
            self._db.executemany(PUT, map(_values, new))
            return self._advanced(seq + len(new))

    def remove(self, ids: Sequence[str]) -> Seq:
        """Remove rows; unknown ids are passed over. Nothing of them stays in the file or its log."""
        with self._writing() as seq:
            gone = [row_id for row_id in dict.fromkeys(ids) if self._has(row_id)]
            for i, row_id in enumerate(gone):
                self._bury(row_id, seq + 1 + i)
            after = self._advanced(seq + len(gone))
        self._flushed()
        return after

    def changes(self, since: Seq, until: Seq = (1 << 63) - 1) -> Changes:
        """The last change of every row that changed after `since`, and not after `until`."""
        columns, within = Columns(), (since, until)
        with self._spoken():
            self._db.execute("BEGIN")
            try:
                vectors = np.empty((AT_ONCE, self._db.execute("SELECT dim FROM meta").fetchone()[0]), np.float32)
                rows = self._db.execute(f"SELECT {COLUMNS} FROM rows {WITHIN}", within)
                while some := rows.fetchmany(AT_ONCE):
                    start = len(columns)
                    columns.extend(self._undamaged(some))
                    vectors = _with_room(vectors, len(columns))
                    blobs = b"".join(values[-2] for values in some)
                    vectors[start : len(columns)] = np.frombuffer(blobs, np.float32).reshape(len(some), -1)
                gone = self._db.execute(f"SELECT id, seq FROM gone {WITHIN}", within).fetchall()
            finally:
                self._db.execute("COMMIT")
        return Changes(columns, vectors[: len(columns)], [Tombstone(*values) for values in gone])

    def meta(self) -> Meta:
        """What the store holds."""
        with self._spoken():
            return Meta(*self._db.execute("SELECT embedding_id, dim, distance, seq FROM meta").fetchone())

    def search(self, q: Float[np.ndarray, " d"], k: int, where: str | None = None) -> Hits | None:
        """None: SQLite knows no distances."""
        return None

    def index(self) -> int | None:
        """None: as it searches nothing."""
        return None

    def originals(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        """The originals of rows, as far as they are kept."""
        found = {}
        with self._spoken():
            for row_id in ids:
                row = self._db.execute("SELECT original FROM rows WHERE id = ?", (row_id,)).fetchone()
                if row is not None and row[0] is not None:
                    found[row_id] = row[0]
        return found

    def exchange(self, meta: Meta, vectors: Mapping[str, Float[np.ndarray, " d"]], model: Mapping[str, bytes]) -> None:
        """Put other embeddings in place of all, and the model that they are of."""
        with self._writing() as seq:
            if seq != meta.seq:
                raise GalleryError(CHANGED_MEANWHILE)
            known = self._db.execute("SELECT id, identity FROM rows ORDER BY seq").fetchall()
            for row_id, identity in known:
                seq += 1
                if row_id not in vectors:
                    self._bury(row_id, seq)
                    continue
                vector = np.ascontiguousarray(vectors[row_id], np.float32).tobytes()
                values = seq, vector, _crc(identity, vector), row_id
                self._db.execute("UPDATE rows SET seq = ?, vector = ?, crc = ? WHERE id = ?", values)
            self._db.execute(
                "UPDATE meta SET embedding_id = ?, dim = ?, distance = ?", (meta.embedding_id, meta.dim, meta.distance)
            )
            _keep(self._db, model)
            self._advanced(seq)
        self._flushed()

    def model(self, *names: str) -> Mapping[str, bytes]:
        """The files of the model that is kept here."""
        parts: dict[str, list[bytes]] = {}
        only = f"WHERE name IN ({', '.join('?' * len(names))})" if names else ""
        with self._spoken():
            for name, content in self._db.execute(f"SELECT name, content FROM model {only} ORDER BY name, part", names):
                parts.setdefault(name, []).append(content)
        return {name: b"".join(held) for name, held in parts.items()}

    def keep_model(self, files: Mapping[str, bytes]) -> None:
        """Keep these files instead of those that are there."""
        with self._writing():
            _keep(self._db, files)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    def _check(self) -> None:
        owner = self._db.execute("PRAGMA application_id").fetchone()[0]
        written = self._db.execute("PRAGMA user_version").fetchone()[0]
        if owner != APPLICATION:
            raise GalleryError(f"{self.path} is a SQLite file, but not a gallery of gemel.")
        if written > FORMAT:
            raise GalleryError(
                f"{self.path} has gallery format {written}; this gemel reads up to format {FORMAT}. "
                "Upgrade with: pip install -U gemel"
            )

    def _undamaged(self, rows: Sequence[tuple[Any, ...]]) -> Columns:
        """Rows as they were read, without their embeddings. Raises GalleryError where one is not what was written."""
        *columns, vectors, crcs = zip(*rows, strict=True)
        found = Columns(*columns)
        for place, crc in enumerate(map(_crc, found.identities, vectors)):
            if crc != crcs[place]:
                whose = f"{found.names[place] or found.ids[place]!r} ({found.identities[place]})"
                raise GalleryError(
                    f"{self.path} is damaged: the embedding of {whose} is not what was written. Restore the file "
                    "from a copy, or rescue the rest with: gemel gallery rebuild"
                )
        return found

    @contextmanager
    def _writing(self) -> Iterator[Seq]:
        """One change, whole or not at all; begins with the number of the last one."""
        with self._spoken():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db.execute("SELECT seq FROM meta").fetchone()[0]
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _has(self, row_id: str) -> bool:
        return self._db.execute("SELECT 1 FROM rows WHERE id = ?", (row_id,)).fetchone() is not None

    def _bury(self, row_id: str, seq: Seq) -> None:
        self._db.execute("DELETE FROM rows WHERE id = ?", (row_id,))
        self._db.execute("INSERT OR REPLACE INTO gone VALUES (?, ?)", (seq, row_id))

    def _flushed(self) -> None:
        """Move the log into the file, and empty it: it may hold what was removed."""
        with self._spoken():
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _advanced(self, seq: Seq) -> Seq:
        self._db.execute("UPDATE meta SET seq = ?", (seq,))
        return seq

    @contextmanager
    def _spoken(self) -> Iterator[None]:
        with self._lock, _explained(self.path):
            yield


def _connected(path: Path) -> sqlite3.Connection:
    """A connection; to a file that cannot be written, one that only reads."""
    db = _opened(path)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("SELECT count(*) FROM sqlite_schema")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            raise
        db.close()
        log = Path(f"{path}-wal")  # what it holds would not be seen by a connection that takes no locks
        db = _opened(
            f"{path.absolute().as_uri()}?{'mode=ro' if log.exists() and log.stat().st_size else 'immutable=1'}"
        )
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA secure_delete = ON")
    return db


def _opened(place: Path | str) -> sqlite3.Connection:
    uri = isinstance(place, str)
    return sqlite3.connect(place, timeout=PATIENCE, isolation_level=None, check_same_thread=False, uri=uri)


def _keep(db: sqlite3.Connection, files: Mapping[str, bytes]) -> None:
    """Keep the files of a model, in the transaction that runs."""
    db.execute("DELETE FROM model")
    for name, content in files.items():
        parts = [content[start : start + CHUNK] for start in range(0, max(1, len(content)), CHUNK)]
        db.executemany("INSERT INTO model VALUES (?, ?, ?)", [(name, i, part) for i, part in enumerate(parts)])


def _with_room(vectors: Float[np.ndarray, "n d"], count: int) -> Float[np.ndarray, "m d"]:
    """The same, with places for `count` rows and more; what is not written to takes no memory."""
    if count <= len(vectors):
        return vectors
    more = np.empty((2 * count, vectors.shape[1]), vectors.dtype)
    more[: len(vectors)] = vectors
    return more


def _values(row: Row) -> tuple[Any, ...]:
    vector = np.ascontiguousarray(row.vector, np.float32).tobytes()
    crc, metadata = _crc(row.identity, vector), written(row.metadata)
    return row.seq, row.id, row.identity, row.name, row.source, row.content, metadata, vector, crc, row.original


def _crc(identity: str, vector: bytes) -> int:
    return zlib.crc32(vector, zlib.crc32(identity.encode()))


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Errors of SQLite in words: what happened, that nothing changed, and what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise GalleryError(f"{path}{_reason(getattr(error, 'sqlite_errorcode', 0) & 0xFF, error)}") from None


def _reason(code: int, error: sqlite3.Error) -> str:
    known = {
        sqlite3.SQLITE_FULL: ": the disk is full. Nothing was changed; make room and try again.",
        sqlite3.SQLITE_IOERR: f": the disk could not be written or read ({error}). Nothing was changed.",
        sqlite3.SQLITE_READONLY: " cannot be written. Nothing was changed; check the permissions of file and folder.",
        sqlite3.SQLITE_CANTOPEN: " cannot be opened. Check the path and the permissions of file and folder.",
        sqlite3.SQLITE_BUSY: f": another process has kept it for {PATIENCE:.0f} s. Nothing was changed; try again.",
        sqlite3.SQLITE_NOTADB: " is not a gallery of gemel, or its first page is damaged.",
        sqlite3.SQLITE_CORRUPT: f" is damaged ({error}). Restore the file from a copy, or rescue what can be read "
        "with: gemel gallery rebuild",
    }
    return known.get(code, f": {error}")
