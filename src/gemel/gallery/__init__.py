"""Who is known: enrolled identities, verified, identified, searched and forgotten.

gallery.py   the public face: items and names
store.py     what a gallery asks of whoever keeps its rows
memory.py    the store in memory, exact: the measure of every other
matrix.py    the rows side by side, for exact search
"""

from __future__ import annotations

from gemel.gallery.answers import Enrolled, Hit, Match
from gemel.gallery.gallery import Gallery
from gemel.gallery.memory import MemoryStore
from gemel.gallery.store import Hits, Meta, Row, Store, Tombstone

__all__ = ["Enrolled", "Gallery", "Hit", "Hits", "Match", "MemoryStore", "Meta", "Row", "Store", "Tombstone"]
