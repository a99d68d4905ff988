"""A connection to PostgreSQL: where it leads, kept open, opened anew where that is safe, its errors in words.

Knows nothing of rows; never shows a password.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import unquote

from gemel.errors import GalleryError, require

SCHEMES = ("postgresql://", "postgres://")
PATIENCE = 30.0
"""Seconds to wait for another process that writes."""
REACH = 10
"""Seconds to wait for a server that does not answer, where the URL does not say connect_timeout."""
BREADTH = 200
"""Candidates that a search through an index holds at first."""
LONGEST = 63
"""Bytes of the longest name of a schema; PostgreSQL would cut a longer one without a word."""

# Searching goes on in an index until there are enough rows; types and operators of pgvector are found in any schema.
SETTINGS = """
SELECT quote_ident(current_schema()),
    set_config('lock_timeout', %s, false),
    set_config('hnsw.iterative_scan', 'relaxed_order', false),
    set_config('hnsw.ef_search', %s, false),
    set_config('search_path', concat_ws(', ', nullif(current_setting('search_path'), ''), (
        SELECT quote_ident(nspname) FROM pg_extension JOIN pg_namespace AS n ON n.oid = extnamespace
        WHERE extname = 'vector')), false)
"""


def is_database(url: object) -> bool:
    """Whether a gallery of that name is kept in PostgreSQL."""
    return isinstance(url, str) and url.startswith(SCHEMES)


@dataclass(frozen=True)
class Place:
    """Which gallery of which database.

    Attributes:
        host: the server; a folder where it is reached by a socket.
        database: its name there.
        gallery: name of the schema that holds the tables; empty: the first that the connection finds.
        parameters: what libpq is told, a password among it.
    """

    host: str
    database: str
    gallery: str
    parameters: dict[str, Any] = field(repr=False)

    @classmethod
    def of(cls, url: str) -> Self:
        """The place that a URL names: `postgresql://user@host/database?gallery=name`, and what else libpq takes."""
        psycopg = require("psycopg", extra="postgres", purpose="keep a gallery in PostgreSQL")
        address, _, query = url.partition("?")
        said = [part for part in query.split("&") if part]
        mine = [part for part in said if part.startswith("gallery=")]
        rest = "&".join(part for part in said if part not in mine)
        try:
            parameters = psycopg.conninfo.conninfo_to_dict(f"{address}?{rest}" if rest else address)
        except psycopg.Error:  # says the whole URL, with the password
            raise GalleryError(
                "This is no URL of a database. Write postgresql://USER@HOST/DATABASE, and special characters of a "
                "password as %40 and the like."
            ) from None
        gallery = unquote(mine[-1].removeprefix("gallery=")) if mine else ""
        if len(gallery.encode()) > LONGEST or "%" in gallery:
            raise GalleryError(f"A gallery in PostgreSQL has a name of at most {LONGEST} bytes, and without %.")
        host = str(parameters.get("host") or parameters.get("hostaddr") or "this machine")
        database = str(parameters.get("dbname") or parameters.get("user") or "")
        return cls(host, database, gallery, {"connect_timeout": REACH, **parameters})

    @property
    def plain(self) -> str:
        """A name for files that belong to it."""
        return "-".join(name.replace("/", "_") for name in (self.database, self.gallery) if name) or "gallery"

    def __str__(self) -> str:
        whole = f"database {self.database!r} at {self.host}"
        return f"gallery {self.gallery!r} of {whole}" if self.gallery else whole


class Link:
    """A connection that several threads may share; one question or change at a time.

    Args:
        place: where it leads.

    Attributes:
        schema: of the tables, quoted.

    Raises:
        GalleryError: it leads nowhere.
        MissingExtra: psycopg is not installed.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.schema = ""
        self._psycopg = require("psycopg", extra="postgres", purpose="keep a gallery in PostgreSQL")
        self._lock = threading.RLock()
        self._ended = False
        with self.explained():
            self._db = self._connected()

    def ask(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The answer to one question; asked again, over a new connection, where the old one was lost."""
        with self._lock, self.explained():
            return self._again(lambda db: db.cursor(binary=True).execute(query, values).fetchall())

    @contextmanager
    def change(self) -> Iterator[Any]:
        """A transaction, whole or not at all, and on disk when it is over; gives the connection that it is made by."""
        with self._lock, self.explained(", and nothing was changed"):
            self._again(lambda db: db.execute("BEGIN"))
            db = self._db
            try:
                yield db
            except BaseException:
                with suppress(self._psycopg.Error):
                    db.execute("ROLLBACK")
                raise
            self._commit(db)

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            self._ended = True
            self._db.close()

    @contextmanager
    def explained(self, so: str = "") -> Iterator[None]:
        """Errors of PostgreSQL in words: what happened, what came of it, and what to do."""
        try:
            yield
        except self._psycopg.Error as error:
            raise GalleryError(f"{self.place}: {_reason(error, so)}") from None
        except UnicodeEncodeError as error:
            raise GalleryError(f"{self.place}: {error.object!r} is no text that can be kept{so}.") from None

    def _commit(self, db: Any) -> None:
        try:
            db.execute("COMMIT")
        except self._psycopg.Error as error:
            if not db.closed:
                raise
            raise GalleryError(
                f"{self.place}: the connection was lost in the very moment of the change ({_first(error)}). It was "
                "made as a whole or not at all; look, before you do it again."
            ) from None

    def _again(self, what: Callable[[Any], Any]) -> Any:
        """Do what has no consequences; once more where the connection turns out to be lost."""
        try:
            return what(self._db)
        except self._psycopg.Error:
            if not self._db.closed or self._ended:
                raise
            self._db = self._connected()
            return what(self._db)

    def _connected(self) -> Any:
        # No prepared statements: a pool between here and the server would lose them.
        db = self._psycopg.connect(
            **self.place.parameters, autocommit=True, prepare_threshold=None, fallback_application_name="gemel"
        )
        try:
            first = db.execute(SETTINGS, (str(int(PATIENCE * 1000)), str(BREADTH))).fetchone()[0]
            name = self.place.gallery.replace('"', '""')
            self.schema = f'"{name}"' if name else first or "public"
        except BaseException:
            db.close()
            raise
        return db


def _reason(error: Any, so: str) -> str:
    code, said = error.sqlstate or "", _first(error)
    if code == "55P03":
        return f"another process has kept it for {PATIENCE:.0f} s{so}. Try again."
    if code in ("42501", "25006"):
        return f"you may not do that ({said}){so}. Ask for the rights, or for another user's name and password."
    if code in ("53100", "53200"):
        return f"the server is full ({said}){so}. Make room and try again."
    if "vector" in said and code in ("0A000", "58P01", "42704"):
        return f"the server has no pgvector ({said}){so}. Have it installed: https://github.com/pgvector/pgvector"
    if code.startswith(("08", "57P")) or not code:
        return f"it cannot be reached ({said}){so}. Check host, name and password, and that the server runs."
    return f"{said}{so}."


def _first(error: Any) -> str:
    """What the server said, or, where it said nothing, what the connection did."""
    return str(error.diag.message_primary or " ".join(str(error).split()))
