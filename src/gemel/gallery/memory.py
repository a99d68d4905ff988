"""The store that lives as long as its process: exact, and the measure of every other store."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gemel.distances import distance
from gemel.errors import GalleryError
from gemel.gallery.matrix import Matrix
from gemel.gallery.store import CHANGED_MEANWHILE, Hits, Meta, Row, Seq, Tombstone

if TYPE_CHECKING:
    from jaxtyping import Float


class MemoryStore:
    """Rows in memory.

    Args:
        embedding_id: of the twin whose embeddings are kept.
        dim: dimensions of an embedding.
        distance_name: of the distance that searches.
    """

    def __init__(self, embedding_id: str, dim: int, distance_name: str) -> None:
        self._meta = Meta(embedding_id, dim, distance_name, 0)
        self._last: dict[str, Row | Tombstone] = {}
        self._matrix = Matrix(dim, distance(distance_name))
        self._model: dict[str, bytes] = {}
        self._originals: dict[str, bytes] = {}

    def put(self, rows: Sequence[Row]) -> Seq:
        """Add or replace rows."""
        self._originals |= {row.id: row.original for row in rows if row.original is not None}
        return self._append([replace(row, seq=self._meta.seq + 1 + i, original=None) for i, row in enumerate(rows)])

    def remove(self, ids: Sequence[str]) -> Seq:
        """Remove rows; unknown ids are passed over."""
        known = [row_id for row_id in dict.fromkeys(ids) if row_id in self._matrix.rows]
        for row_id in known:
            self._originals.pop(row_id, None)
        return self._append([Tombstone(row_id, self._meta.seq + 1 + i) for i, row_id in enumerate(known)])

    def changes(self, since: Seq) -> Iterator[Row | Tombstone]:
        """The last change of every row that changed after `since`, in order."""
        new = itertools.takewhile(lambda change: change.seq > since, reversed(self._last.values()))
        yield from reversed(list(new))

    def meta(self) -> Meta:
        """What the store holds."""
        return self._meta

    def search(self, q: Float[np.ndarray, " d"], k: int, where: str | None = None) -> Hits | None:
        """The `k` nearest rows, exactly."""
        return self._matrix.search(q, k, where)

    def originals(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        """The originals of rows, as far as they are kept."""
        return {row_id: self._originals[row_id] for row_id in ids if row_id in self._originals}

    def exchange(self, meta: Meta, vectors: Mapping[str, Float[np.ndarray, " d"]], model: Mapping[str, bytes]) -> None:
        """Put other embeddings in place of all, and the model that they are of."""
        if meta.seq != self._meta.seq:
            raise GalleryError(CHANGED_MEANWHILE)
        rows = self._matrix.rows
        self.remove([row_id for row_id in rows if row_id not in vectors])
        self._meta, self._matrix = replace(meta, seq=self._meta.seq), Matrix(meta.dim, distance(meta.distance))
        self.put([replace(row, vector=vectors[row.id]) for row in rows.values()])
        self.keep_model(model)

    def model(self, *names: str) -> Mapping[str, bytes]:
        """The files of the model that is kept here."""
        return {name: content for name, content in self._model.items() if not names or name in names}

    def keep_model(self, files: Mapping[str, bytes]) -> None:
        """Keep these files instead of those that are there."""
        self._model = dict(files)

    def close(self) -> None:
        """Nothing to let go of."""

    def _append(self, changes: Sequence[Row | Tombstone]) -> Seq:
        for change in changes:
            self._last.pop(change.id, None)
            self._last[change.id] = change
        self._meta = replace(self._meta, seq=self._meta.seq + len(changes))
        self._matrix.apply(changes)
        return self._meta.seq
