"""What can still be read of a damaged gallery, in a new file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gemel.errors import GalleryError
from gemel.gallery.link import is_database
from gemel.gallery.rows import Row, Seq
from gemel.gallery.sqlite import SQLiteStore

AT_ONCE = 1024
"""Changes that are tried together, before they are tried one by one."""


def rescue(path: str | Path, out: str | Path) -> tuple[int, list[str]]:
    """Copy everything that is undamaged, with the model; the damaged file stays as it is.

    Args:
        path: the damaged gallery.
        out: a new file.

    Returns:
        How many items were saved, and what was lost, in words.

    Raises:
        GalleryError: not even its first pages can be read, or it is no file.
    """
    if is_database(str(path)):
        raise GalleryError("A gallery in a database is restored as its database is: from what pg_dump wrote.")
    store = SQLiteStore(path)
    try:
        meta = store.meta()
        lost = list[str]()
        try:
            model = store.model()
        except GalleryError:
            model = {}
            lost.append("the copy of the model; name the model where the rescued gallery is used: --model")
        fresh = SQLiteStore.create(out, meta, model)
        saved = 0
        for first in range(1, meta.seq + 1, AT_ONCE):
            rows = _undamaged(store, first, min(first + AT_ONCE - 1, meta.seq), lost)
            fresh.put(rows)
            saved += len(rows)
        fresh.close()
    finally:
        store.close()
    return saved, lost


def _undamaged(store: SQLiteStore, first: Seq, last: Seq, lost: list[str]) -> list[Row]:
    """The rows of some changes; halved where they cannot be read together, until what is damaged is alone."""
    try:
        rows = list(store.changes(first - 1, last).rows())
        originals = store.originals([row.id for row in rows])
        return [replace(row, original=originals.get(row.id)) for row in rows]
    except GalleryError as error:
        if first == last:
            lost.append(f"the item of change {first}: {error}")
            return []
    middle = (first + last) // 2
    return _undamaged(store, first, middle, lost) + _undamaged(store, middle + 1, last, lost)
