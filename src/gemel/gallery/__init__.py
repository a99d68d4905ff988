"""Who is known: enrolled identities, verified, identified, searched and forgotten.

gallery.py   the public face: items and names
store.py     what a gallery asks of whoever keeps its rows; rows.py, the rows: one, or many column by column
enrolling.py, originals.py  from items to rows, and to bytes that are kept
following.py the rows of a store as they are now; refusing.py, what is not taken
doubles.py   who is enrolled under several names
moving.py, tables.py, rescue.py  to another model; to and from Parquet; what is left of a damaged file
opening.py   from what a user calls it to a store, and to the twin that goes with it
memory.py    the store in memory, exact: the measure of every other
sqlite.py    the store in one file
postgres.py  the store in a PostgreSQL database with pgvector; link.py, the connection to it
matrix.py    the rows side by side, for exact search; roll.py, who stands where
"""

from __future__ import annotations

from gemel.gallery.answers import Enrolled, EnrolledAll, Hit, Match, Twice
from gemel.gallery.gallery import Gallery
from gemel.gallery.memory import MemoryStore
from gemel.gallery.postgres import PostgresStore
from gemel.gallery.rows import Changes, Columns, Row, Tombstone
from gemel.gallery.sqlite import SQLiteStore
from gemel.gallery.store import Hits, Meta, Store

__all__ = [
    "Changes",
    "Columns",
    "Enrolled",
    "EnrolledAll",
    "Gallery",
    "Hit",
    "Hits",
    "Match",
    "MemoryStore",
    "Meta",
    "PostgresStore",
    "Row",
    "SQLiteStore",
    "Store",
    "Tombstone",
    "Twice",
]
