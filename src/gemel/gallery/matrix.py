"""The rows of a store side by side in memory, for exact search; follows the store by its changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from gemel.distances import Distance
from gemel.gallery.store import Hits, Row, Seq, Tombstone
from gemel.neighbors.exact import nearest

if TYPE_CHECKING:
    from jaxtyping import Float


class Matrix:
    """Rows in the order they were put.

    Args:
        dim: dimensions of an embedding.
        distance: what searches.
    """

    def __init__(self, dim: int, distance: Distance) -> None:
        self.distance = distance
        self.rows: dict[str, Row] = {}
        self.seq: Seq = 0
        self._place: dict[str, int] = {}
        self._vectors = np.empty((16, dim), np.float32)
        self._end = 0
        self._members: dict[str, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def apply(self, changes: Iterable[Row | Tombstone]) -> None:
        """Follow the store; a row that is put again moves to the end."""
        for change in changes:
            self._forget(change.id)
            if isinstance(change, Row):
                self._append(change)
            self.seq = change.seq
        if len(self.rows) < self._end:
            self._compact()

    def identities(self) -> tuple[str, ...]:
        """Every identity, in the order of its first enrolment."""
        return tuple(self._members)

    def of(self, identity: str) -> list[Row]:
        """The rows of an identity, in the order they were put; none where it is not known."""
        return [self.rows[row_id] for row_id in self._members.get(identity, ())]

    def search(self, q: Float[np.ndarray, " d"], k: int, where: str | None = None) -> Hits:
        """The `k` nearest rows, of one identity with `where`."""
        if where is None:
            ids, vectors = list(self._place), self._vectors[: self._end]
        else:
            ids = list(self._members.get(where, ()))
            vectors = self._vectors[[self._place[row_id] for row_id in ids]]
        found = nearest(q[None], vectors, k, self.distance)
        return Hits(tuple(ids[int(i)] for i in found.index[0]), found.distance[0])

    def _append(self, row: Row) -> None:
        if self._end == len(self._vectors):
            self._vectors = np.concatenate([self._vectors, np.empty_like(self._vectors)])
        self._vectors[self._end] = row.vector
        self._place[row.id] = self._end
        self._end += 1
        self.rows[row.id] = row
        self._members.setdefault(row.identity, {})[row.id] = None

    def _forget(self, row_id: str) -> None:
        before = self.rows.pop(row_id, None)
        if before is None:
            return
        del self._place[row_id]
        members = self._members[before.identity]
        del members[row_id]
        if not members:
            del self._members[before.identity]

    def _compact(self) -> None:
        """Close the gaps; what was forgotten is overwritten."""
        kept = np.fromiter(self._place.values(), np.int64, len(self._place))
        self._vectors[: len(kept)] = self._vectors[kept]
        self._vectors[len(kept) : self._end] = 0
        self._place = {row_id: place for place, row_id in enumerate(self._place)}
        self._end = len(kept)
