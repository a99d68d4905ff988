"""Exact search over rows that are searched again and again: what does not change between searches is kept.

Works on arrays of embeddings; knows no items, identities or files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gemel.distances import Distance
from gemel.neighbors import cityblock
from gemel.neighbors.candidates import Candidates
from gemel.neighbors.exact import Neighbors
from gemel.neighbors.scores import SCORES
from gemel.neighbors.workers import side_by_side, workers

if TYPE_CHECKING:
    from jaxtyping import Float, Int

TILE = 1 << 21
"""Scores of one tile: so many stay in the cache until they have been looked at."""
QUERIES, ROWS = 1024, 1 << 18
"""At most so many queries and rows of a tile."""
MANY = 128
"""From so many queries on, blocks of them are searched side by side."""
GROUP = 8
"""So many rows are looked at together: only where the best of them is good enough, at each."""


class Flat:
    """Rows, and the nearest of them. Rows keep their places until `compact`; of equals, the earlier is nearer.

    Args:
        vectors: embeddings [n, d]; not copied before something changes, and to be left alone meanwhile.
        distance: how far apart: Euclidean, Manhattan or cosine.
        own: they may be written to from now on, and nobody else looks at them.
    """

    def __init__(self, vectors: Float[np.ndarray, "n d"], distance: Distance, *, own: bool = False) -> None:
        self.distance = distance
        self._score = SCORES[distance.name]
        self._vectors = np.ascontiguousarray(vectors, np.promote_types(vectors.dtype, np.float32))
        self._owned = own and self._vectors.flags.writeable
        self._kept = self._score.kept(self._vectors)
        self._gone = np.zeros(len(vectors), bool)
        self._end, self._count = len(vectors), len(vectors)

    def __len__(self) -> int:
        return self._count

    @property
    def end(self) -> int:
        """Number of places: of rows, and of rows that were removed since the last `compact`."""
        return self._end

    @property
    def vectors(self) -> Float[np.ndarray, "n d"]:
        """What stands at every place; where a row was removed, nothing of it. Not to be written to."""
        return self._vectors[: self._end]

    def append(self, vectors: Float[np.ndarray, "n d"]) -> None:
        """Add rows at the next places."""
        start, stop = self._end, self._end + len(vectors)
        self._reserve(stop)
        self._vectors[start:stop] = vectors
        self._kept[start:stop] = self._score.kept(self._vectors[start:stop])
        self._gone[start:stop] = False
        self._end, self._count = stop, self._count + len(vectors)

    def remove(self, places: Int[np.ndarray, " m"]) -> None:
        """Forget the rows at these places, and overwrite them; places without a row are passed over."""
        self._reserve(self._end)
        fresh = np.unique(places)
        fresh = fresh[~self._gone[: self._end][fresh]]
        self._vectors[fresh] = self._score.blank
        self._kept[fresh] = 0
        self._gone[fresh] = True
        self._count -= len(fresh)

    def compact(self) -> Int[np.ndarray, " m"]:
        """Close the gaps. Returns the former place of every row."""
        self._reserve(self._end)
        kept = self.places()
        for start in range(0, len(kept), ROWS):
            part = kept[start : start + ROWS]
            self._vectors[start : start + len(part)] = self._vectors[part]
        self._kept[: len(kept)] = self._kept[kept]
        self._vectors[len(kept) : self._end] = 0
        self._gone[:] = False
        self._end = self._count = len(kept)
        return kept

    def places(self) -> Int[np.ndarray, " m"]:
        """Where there is a row."""
        return np.flatnonzero(~self._gone[: self._end])

    def search(self, query: Float[np.ndarray, "q d"], k: int, *, since: int = 0) -> Neighbors:
        """The `k` nearest rows of each query, by their places; all of them where there are fewer than `k`.

        Exactly what `exact.nearest` gives.

        Args:
            query: embeddings [q, d].
            k: how many, at least 0.
            since: only rows from that place on.
        """
        rows = self._count if not since else int(np.count_nonzero(~self._gone[since : self._end]))
        k = min(max(k, 0), rows)
        index = np.empty((len(query), k), np.int64)
        far = np.empty((len(query), k), np.result_type(query, self._vectors))
        if not k:
            return Neighbors(index, far)
        if self.distance.name == "manhattan" and far.dtype == np.float32 and cityblock.faiss() is not None:
            found = cityblock.nearest(query.astype(np.float32), self.vectors[since:], k, rows)
            return Neighbors(found.index + since, found.distance)
        count = workers() if len(query) >= MANY else 1
        step = max(1, min(QUERIES, TILE // (4 * GROUP * k), -(-len(query) // count)))

        def work(part: slice) -> None:
            index[part], far[part] = self._search(query[part], k, since)

        side_by_side(work, [slice(start, start + step) for start in range(0, len(query), step)], count)
        return Neighbors(index, far)

    def _search(
        self, query: Float[np.ndarray, "q d"], k: int, since: int
    ) -> tuple[Int[np.ndarray, "q k"], Float[np.ndarray, "q k"]]:
        asked = self._score.asked(query.astype(np.result_type(query, self._vectors), copy=False))
        found = Candidates(query, self.vectors, k, self.distance, self._score, asked)
        width = _even(min(ROWS, TILE // len(query), self._end - since))
        group = GROUP if width >= 4 * GROUP * k else 1
        scores = np.empty((len(query), width), asked.vectors.dtype)
        for start in range(since, self._end, width):
            rows = slice(start, min(start + width, self._end))
            count = rows.stop - start
            kept, there = self._kept[rows], None
            self._score.into(scores[:, :count], asked, self._vectors[rows], kept)
            if count < width or self._count < self._end:
                there = np.zeros(width, bool)
                np.logical_not(self._gone[rows], out=there[:count])
                scores[:, ~there] = -np.inf
            found.look(scores, start, self._score.off(asked, kept), group, there)
        return found.settled()

    def _reserve(self, count: int) -> None:
        """Own the rows, and room for `count` of them; what was outgrown is overwritten."""
        if self._owned and count <= len(self._vectors):
            return
        room = max(count, self._end + self._end // 2 if self._owned else 0, 16)
        for name in ("_vectors", "_kept", "_gone"):
            before = getattr(self, name)
            after = np.zeros((room, *before.shape[1:]), before.dtype)
            after[: self._end] = before[: self._end]
            setattr(self, name, after)
            if self._owned:
                before[:] = 0
        self._owned = True


def _even(count: int) -> int:
    """The next number that groups divide."""
    return -(-count // GROUP) * GROUP
