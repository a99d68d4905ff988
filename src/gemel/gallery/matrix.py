"""The rows of a store side by side in memory, for exact search; follows the store by its changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gemel.distances import Distance
from gemel.gallery.roll import Roll
from gemel.gallery.rows import Changes, Row, Seq, Tombstone
from gemel.gallery.store import Hits
from gemel.neighbors.exact import Neighbors, nearest
from gemel.neighbors.flat import Flat
from gemel.neighbors.hnsw import SAMPLE, Hnsw, Promise, built
from gemel.neighbors.recall import recall
from gemel.neighbors.staged import second_look
from gemel.neighbors.stored import load, save
from gemel.siamese.pairhead import proposing

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    Search = Callable[[Float[np.ndarray, " d"], int], Hits | None]


class Matrix:
    """Rows in the order they were put: their embeddings here, what else is known of them on the roll.

    A `Row` is made where somebody asks for one, with a copy of its embedding.

    Args:
        dim: dimensions of an embedding.
        distance: what searches; a pair head looks only at what its first distance proposes.
    """

    def __init__(self, dim: int, distance: Distance) -> None:
        self.distance = distance
        self.roll = Roll()
        self.seq: Seq = 0
        self._flat: Flat | Hnsw = Flat(np.empty((0, dim), np.float32), proposing(distance))

    def __len__(self) -> int:
        return len(self.roll)

    def apply(self, changes: Changes) -> None:
        """Follow the store; a row that is put again moves to the end. The embeddings are the matrix's from now on."""
        gone = self.roll.remove([*changes.columns.ids, *(row.id for row in changes.gone)])
        if len(changes.columns):
            self.roll.add(changes.columns)
            if self._flat.end:
                self._flat.append(changes.vectors)
            else:  # all of them: as they are, instead of a copy
                self._flat = Flat(changes.vectors, self._flat.distance, own=True)
        if gone:
            self._flat.remove(np.array(gone))
        self.seq = max(self.seq, changes.last)
        if len(self) < self._flat.end // 2:
            self._compact()

    def since(self, seq: Seq, gone: Sequence[Tombstone]) -> Changes:
        """What a store that keeps its rows here says of its changes, and of what is gone."""
        places = self.roll.since(seq)
        return Changes(self.roll.columns.take(places), self._flat.vectors[np.array(places, np.int64)], gone)

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
            save(graph, file, self.roll.numbers(), key)
        self._flat = graph
        return graph.promise

    def promise(self, search: Search, breadth: int, *, least: float, k: int = 10) -> Promise:
        """What somebody else's search of these rows finds, measured on a sample of them, each without itself.

        Args:
            search: as `Store.search`.
            breadth: candidates that it holds.
            least: share of the `k` nearest that is to be found.
            k: how many nearest are counted.
        """
        places = np.array(self.roll.all(), np.int64)
        sample = np.random.default_rng(0).choice(places, min(SAMPLE, len(places) // 10), replace=False)
        far = np.full((2, len(sample), k), np.inf)  # what is found, and what there is
        for i, place in enumerate(sample.tolist()):
            exact = self.search(self.vectors[place], k + 1)
            for side, hits in zip(far, (search(self.vectors[place], k + 1) or exact, exact), strict=True):
                others = np.array([row_id != self.roll.columns.ids[place] for row_id in hits.ids], bool)
                side[i, : others.sum()] = hits.distance[others][:k]
        found, there = (Neighbors(np.zeros(side.shape, np.int64), side) for side in far)
        return Promise(least, k, recall(found, there), len(sample), breadth, inside=True)

    def open_graph(self, key: str, file: Path) -> None:
        """Search through the graph of a file from now on; raises DataError where it is damaged or of other rows."""
        self._compact()
        if isinstance(self._flat, Flat):
            self._flat = load(file, self._flat, self.roll.numbers(), key)

    @property
    def vectors(self) -> Float[np.ndarray, "n d"]:
        """What stands in memory, of removed rows nothing."""
        return self._flat.vectors

    def row(self, row_id: str) -> Row | None:
        """The row of that id; None: there is none."""
        place = self.roll.place(row_id)
        return None if place is None else self._row(place)

    def rows(self, places: Iterable[int] | None = None) -> list[Row]:
        """The rows at some places, or all in the order they were put."""
        return [self._row(place) for place in (self.roll.all() if places is None else places)]

    def search(self, q: Float[np.ndarray, " d"], k: int, where: str | None = None) -> Hits:
        """The `k` nearest rows, of one identity with `where`."""
        if where is not None:
            return self.among(q, k, self.roll.places(where))
        if self.distance is self._flat.distance:
            found = self._flat.search(q[None], k)
        else:
            found = second_look(q[None], self._flat, k, self.distance)
        return self._hits(found.index[0], found)

    def among(self, q: Float[np.ndarray, " d"], k: int, places: Sequence[int]) -> Hits:
        """The `k` nearest of the rows at some places."""
        some = np.array(places, np.int64)
        found = nearest(q[None], self._flat.vectors[some], k, self.distance)
        return self._hits(some[found.index[0]], found)

    def _hits(self, places: Int[np.ndarray, " k"], found: Neighbors) -> Hits:
        ids = self.roll.columns.ids
        return Hits(tuple(ids[place] for place in places.tolist()), found.distance[0])

    def _row(self, place: int) -> Row:
        return self.roll.columns.row(place, self._flat.vectors[place].copy())

    def _compact(self) -> None:
        """Close the gaps."""
        self.roll.take(self._flat.compact().tolist())
