"""The store that lives as long as its process: exact, and the measure of every other store."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gemel.distances import distance
from gemel.errors import GalleryError
from gemel.gallery.matrix import Matrix
from gemel.gallery.rows import Changes, Columns, Row, Seq, Tombstone
from gemel.gallery.store import CHANGED_MEANWHILE, Hits, Meta, refuse_strange

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
        self._matrix = Matrix(dim, distance(distance_name))
        self._gone: dict[str, Tombstone] = {}
        self._model: dict[str, bytes] = {}
        self._originals: dict[str, bytes] = {}

    def put(self, rows: Sequence[Row]) -> Seq:
        """Add or replace rows."""
        refuse_strange(rows, self._meta.dim, "The gallery")
        self._originals |= {row.id: row.original for row in rows if row.original is not None}
        last = sorted({row.id: i for i, row in enumerate(rows)}.values())  # of those that came twice
        for row in rows:
            self._gone.pop(row.id, None)
        vectors = np.array([rows[i].vector for i in last], np.float32).reshape(len(last), self._meta.dim)
        self._matrix.apply(Changes(Columns.of(rows, self._meta.seq).take(last), vectors))
        return self._advanced(len(rows))

    def remove(self, ids: Sequence[str]) -> Seq:
        """Remove rows; unknown ids are passed over."""
        known = [row_id for row_id in dict.fromkeys(ids) if row_id in self._matrix.roll]
        gone = {row_id: Tombstone(row_id, self._meta.seq + 1 + i) for i, row_id in enumerate(known)}
        for row_id in known:
            self._originals.pop(row_id, None)
        self._gone |= gone
        self._matrix.apply(self._matrix.since(self._meta.seq, list(gone.values())))
        return self._advanced(len(gone))

    def changes(self, since: Seq) -> Changes:
        """The last change of every row that changed after `since`."""
        new = itertools.takewhile(lambda row: row.seq > since, reversed(self._gone.values()))
        return self._matrix.since(since, list(new)[::-1])

    def meta(self) -> Meta:
        """What the store holds."""
        return self._meta

    def search(self, q: Float[np.ndarray, " d"], k: int, where: str | None = None) -> Hits | None:
        """The `k` nearest rows, exactly."""
        return self._matrix.search(q, k, where)

    def index(self) -> int | None:
        """None: every row is looked at."""
        return None

    def originals(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        """The originals of rows, as far as they are kept."""
        return {row_id: self._originals[row_id] for row_id in ids if row_id in self._originals}

    def exchange(self, meta: Meta, vectors: Mapping[str, Float[np.ndarray, " d"]], model: Mapping[str, bytes]) -> None:
        """Put other embeddings in place of all, and the model that they are of."""
        if meta.seq != self._meta.seq:
            raise GalleryError(CHANGED_MEANWHILE)
        self.remove([row.id for row in self._matrix.rows() if row.id not in vectors])
        rows = self._matrix.rows()
        self._meta, self._matrix = replace(meta, seq=self._meta.seq), Matrix(meta.dim, distance(meta.distance))
        self.put([replace(row, vector=vectors[row.id]) for row in rows])
        self.keep_model(model)

    def model(self, *names: str) -> Mapping[str, bytes]:
        """The files of the model that is kept here."""
        return {name: content for name, content in self._model.items() if not names or name in names}

    def keep_model(self, files: Mapping[str, bytes]) -> None:
        """Keep these files instead of those that are there."""
        self._model = dict(files)

    def close(self) -> None:
        """Nothing to let go of."""

    def _advanced(self, count: int) -> Seq:
        self._meta = replace(self._meta, seq=self._meta.seq + count)
        return self._meta.seq
