"""The rows of a store side by side in memory, for exact search; follows the store by its changes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gemel.distances import Distance
from gemel.gallery.store import Hits, Row, Seq, Tombstone
from gemel.neighbors.exact import Neighbors, nearest
from gemel.neighbors.flat import Flat
from gemel.neighbors.hnsw import Hnsw, Promise, built
from gemel.neighbors.staged import second_look
from gemel.neighbors.stored import load, save
from gemel.siamese.pairhead import proposing

if TYPE_CHECKING:
    from jaxtyping import Float, Int

CHUNK = 1 << 16
"""So many new vectors are gathered before they are laid side by side."""


class Matrix:
    """Rows in the order they were put.

    Args:
        dim: dimensions of an embedding.
        distance: what searches; a pair head looks only at what its first distance proposes.
    """

    def __init__(self, dim: int, distance: Distance) -> None:
        self.distance = distance
        self.rows: dict[str, Row] = {}
        self.seq: Seq = 0
        self._flat: Flat | Hnsw = Flat(np.empty((0, dim), np.float32), proposing(distance))
        self._place: dict[str, int] = {}
        self._ids: list[str] = []
        self._members: dict[str, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def apply(self, changes: Iterable[Row | Tombstone]) -> None:
        """Follow the store; a row that is put again moves to the end."""
        fresh: list[Float[np.ndarray, " d"]] = []
        gone: list[int] = []
        try:
            for change in changes:
                if change.id in self.rows:
                    gone.append(self._forget(change.id))
                if isinstance(change, Row):
                    self._note(change)
                    fresh.append(change.vector)
                self.seq = change.seq
                if len(fresh) == CHUNK:
                    self._lay(fresh)
        finally:  # also where the store breaks off: what is noted has its vector
            self._lay(fresh)
            if gone:
                self._flat.remove(np.array(gone))
        if len(self.rows) < self._flat.end // 2:
            self._compact()

    @property
    def graph(self) -> Hnsw | None:
        """What searches approximately; None: every row is looked at."""
        return None if isinstance(self._flat, Flat) else self._flat

    def build(self, key: str, file: Path | None, *, least: float) -> Promise:
        """Search through a graph from now on.

        Args:
            key: what the rows belong to.
            file: where the graph is kept; None: nowhere.
            least: share of the ten nearest that is to be found.
        """
        self._compact()
        rows = self._flat if isinstance(self._flat, Flat) else self._flat.rows
        graph = built(rows, least=least)
        if file is not None:
            save(graph, file, self._numbers(), key)
        self._flat = graph
        return graph.promise

    def open_graph(self, key: str, file: Path) -> None:
        """Search through the graph of a file from now on; raises DataError where it is damaged or of other rows."""
        self._compact()
        if isinstance(self._flat, Flat):
            self._flat = load(file, self._flat, self._numbers(), key)

    def _numbers(self) -> Int[np.ndarray, " n"]:
        """Of the change that put the row at every place."""
        return np.array([self.rows[row_id].seq for row_id in self._ids], np.int64)

    @property
    def vectors(self) -> Float[np.ndarray, "n d"]:
        """What stands in memory, of removed rows nothing."""
        return self._flat.vectors

    def identities(self) -> tuple[str, ...]:
        """Every identity, in the order of its first enrolment."""
        return tuple(self._members)

    def known(self) -> int:
        """How many identities there are."""
        return len(self._members)

    def of(self, identity: str) -> list[Row]:
        """The rows of an identity, in the order they were put; none where it is not known."""
        return [self.rows[row_id] for row_id in self._members.get(identity, ())]

    def search(self, q: Float[np.ndarray, " d"], k: int, where: str | None = None) -> Hits:
        """The `k` nearest rows, of one identity with `where`."""
        if where is not None:
            return self.among(q, k, self._members.get(where, ()))
        if self.distance is self._flat.distance:
            found = self._flat.search(q[None], k)
        else:
            found = second_look(q[None], self._flat, k, self.distance)
        return self._hits(found.index[0], found)

    def among(self, q: Float[np.ndarray, " d"], k: int, ids: Iterable[str]) -> Hits:
        """The `k` nearest of some rows."""
        places = np.array([self._place[row_id] for row_id in ids], np.int64)
        found = nearest(q[None], self._flat.vectors[places], k, self.distance)
        return self._hits(places[found.index[0]], found)

    def _hits(self, places: Int[np.ndarray, " k"], found: Neighbors) -> Hits:
        return Hits(tuple(self._ids[place] for place in places.tolist()), found.distance[0])

    def _lay(self, fresh: list[Float[np.ndarray, " d"]]) -> None:
        if fresh:
            self._flat.append(np.array(fresh, np.float32))
            fresh.clear()

    def _note(self, row: Row) -> None:
        self._place[row.id] = len(self._ids)
        self._ids.append(row.id)
        self.rows[row.id] = row
        self._members.setdefault(row.identity, {})[row.id] = None

    def _forget(self, row_id: str) -> int:
        """The place that a row had."""
        before = self.rows.pop(row_id)
        members = self._members[before.identity]
        del members[row_id]
        if not members:
            del self._members[before.identity]
        return self._place.pop(row_id)

    def _compact(self) -> None:
        """Close the gaps."""
        self._ids = [self._ids[place] for place in self._flat.compact().tolist()]
        self._place = {row_id: place for place, row_id in enumerate(self._ids)}
