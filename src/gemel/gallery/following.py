"""The rows of a store as they are now: who is known, and what is nearest. Call with the lock of the gallery.

Knows rows and vectors; knows no items and no verdicts.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import DataError, GalleryError, MissingExtra, NotEnrolled
from gemel.gallery.matrix import Matrix
from gemel.gallery.rows import Row
from gemel.gallery.store import Hits, Store
from gemel.items.words import many

if TYPE_CHECKING:
    from jaxtyping import Float


FEW = 10_000
"""Identities among which a similar name is looked for: among more it takes longer than anybody waits."""


class Followed:
    """A store, and its rows side by side.

    Args:
        store: what is followed.
        matrix: where its rows stand, none at first.
        embedding_id: of the twin whose embeddings they must be.
        graph: the file of an index, if there is one; None: there never is.
    """

    def __init__(self, store: Store, matrix: Matrix, embedding_id: str, graph: Path | None) -> None:
        self.matrix, self.embedding_id, self.graph = matrix, embedding_id, graph
        self._store = store

    def now(self) -> Matrix:
        """The rows as they are now."""
        meta = self._store.meta()
        if meta.embedding_id != self.embedding_id:
            raise GalleryError("This gallery has moved to another model meanwhile. Open it anew.")
        if meta.seq > self.matrix.seq:
            first = self.matrix.seq == 0
            self.matrix.apply(self._store.changes(self.matrix.seq))
            if first and self.graph is not None and self.graph.exists():
                self._open_graph(self.graph)
        return self.matrix

    def known(self, identity: str) -> Sequence[int]:
        """Where the rows of an identity stand."""
        places = self.now().roll.places(identity)
        if not places:
            count = self.matrix.roll.known()
            near = difflib.get_close_matches(identity, self.matrix.roll.identities(), n=1) if count <= FEW else []
            hint = f"Did you mean {near[0]!r}?" if near else f"Enrolled: {many(count, 'identity')}."
            raise NotEnrolled(f"{identity!r} is not enrolled. {hint}")
        return places

    def nearest(self, q: Float[np.ndarray, " d"], k: int) -> list[tuple[Row, float]]:
        """The nearest rows, from the store where it searches, otherwise from the rows it told."""
        rows = self.now()
        hits = None if rows.graph is not None else self._store.search(q, k)
        if hits is None:
            hits = rows.search(q, k)
        elif not all(row_id in rows.roll for row_id in hits.ids):  # somebody enrolled between the two looks
            rows = self.now()
        return _found(rows, hits)

    def nearest_with(self, where: Mapping[str, Any], q: Float[np.ndarray, " d"], k: int) -> list[tuple[Row, float]]:
        """The nearest rows whose metadata fits."""
        rows = self.now()
        return _found(rows, rows.among(q, k, rows.roll.fitting(where)))

    def _open_graph(self, file: Path) -> None:
        try:
            self.matrix.open_graph(self.embedding_id, file)
        except (DataError, MissingExtra, OSError) as error:
            warnings.warn(f"Every item is looked at, for the index cannot be used: {error}", stacklevel=5)


def _found(rows: Matrix, hits: Hits) -> list[tuple[Row, float]]:
    found = zip(map(rows.row, hits.ids), hits.distance.tolist(), strict=True)
    return [(row, far) for row, far in found if row is not None]
