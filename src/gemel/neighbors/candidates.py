"""The rows that may be among the nearest of some queries, while tile after tile of scores is looked at.

Works on arrays of embeddings; knows no items, identities or files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gemel.distances import Distance
from gemel.neighbors.exact import paired_at
from gemel.neighbors.scores import Asked, Score

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

MOST = 1 << 20
"""More candidates than these, and than a few for each query, are decided before the next tile."""
SOME = 256
"""So many are decided sooner than sorted out."""
FEW = 4
"""So many times k candidates of each query are gathered before `sure` is raised."""


@dataclass(frozen=True)
class _Proposed:
    """Candidates: query, row, and what their scores are at least and at most."""

    row: Int[np.ndarray, " m"]
    col: Int[np.ndarray, " m"]
    low: Float[np.ndarray, " m"]
    high: Float[np.ndarray, " m"]

    def __len__(self) -> int:
        return len(self.row)

    def where(self, kept: Bool[np.ndarray, " m"]) -> _Proposed:
        return _Proposed(self.row[kept], self.col[kept], self.low[kept], self.high[kept])

    @staticmethod
    def joined(parts: list[_Proposed]) -> _Proposed:
        if len(parts) == 1:
            return parts[0]
        names = ("row", "col", "low", "high")
        return _Proposed(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


class Candidates:
    """Candidates of a block of queries.

    Args:
        query: embeddings [q, d].
        base: the rows that are searched [n, d].
        k: how many of them are wanted, at least 1.
        distance: decides.
        score: proposes.
        asked: the queries as the score wants them.
    """

    def __init__(
        self,
        query: Float[np.ndarray, "q d"],
        base: Float[np.ndarray, "n d"],
        k: int,
        distance: Distance,
        score: Score,
        asked: Asked,
    ) -> None:
        self._query, self._base, self._k, self._distance = query, base, k, distance
        self._score, self._asked = score, asked
        self._sure = np.full(len(query), -np.inf)  # k rows reach that score: whatever stays below needs no look
        self._open: list[_Proposed] = []
        self._count, self._enough = 0, FEW * k * len(query) + 1024
        self._row, self._col = np.empty(0, np.int64), np.empty(0, np.int64)
        self._far = np.empty(0, np.result_type(query, base, np.float32))

    def look(
        self,
        scores: Float[np.ndarray, "q w"],
        start: int,
        off: Float[np.ndarray, " q"],
        group: int,
        there: Bool[np.ndarray, " w"] | None,
    ) -> None:
        """Take up what is good enough in a tile.

        Args:
            scores: of every query and every row of the tile; -inf where there is no row.
            start: the first row.
            off: how far the scores may be off.
            group: so many columns are looked at together; a divisor of their number.
            there: where there are rows; None: everywhere.
        """
        groups = scores.reshape(len(scores), group, -1)
        best = groups.max(axis=1) if group > 1 else scores
        if not self._count and not len(self._row) and best.shape[1] >= self._k:
            kth = np.partition(best, -self._k, axis=1)[:, -self._k]
            self._sure = np.fmax(self._sure, kth - off)
        least = (self._sure - off).astype(scores.dtype)
        row, place = np.divmod(np.flatnonzero(~(best < least[:, None])), best.shape[1])
        which, member = np.nonzero(~(groups[row, :, place] < least[row, None]))
        row, place = row[which], place[which]
        col = member * best.shape[1] + place
        if there is not None:
            row, col = row[there[col]], col[there[col]]
        value = scores[row, col].astype(np.float64)
        self._open.append(_Proposed(row, start + col, value - off[row], value + off[row]))
        self._count += len(row)
        if self._count > self._enough:
            self._tighten()

    def settled(self) -> tuple[Int[np.ndarray, "q k"], Float[np.ndarray, "q k"]]:
        """The k nearest of each query, nearest first, and how far they are; of equals, the earlier."""
        if self._count > SOME:
            self._tighten()
        if self._open:
            self._settle()
        shape = (len(self._query), self._k)
        return self._col.reshape(shape), self._far.reshape(shape)

    def _tighten(self) -> None:
        """Raise `sure` by what was found, and drop what stays below."""
        if not self._open:
            return
        found = _Proposed.joined(self._open)
        self._sure = np.fmax(self._sure, _kth(found, len(self._query), self._k))
        found = found.where(~(found.high < self._sure[found.row]))
        self._open, self._count = [found], len(found)
        self._enough = max(self._enough, 2 * len(found))
        if len(found) > max(MOST, FEW * self._k * len(self._query)):
            self._settle()

    def _settle(self) -> None:
        """Let the distance decide among what was found so far."""
        found = _Proposed.joined(self._open)
        row = np.concatenate([self._row, found.row])
        col = np.concatenate([self._col, found.col])
        exact = paired_at(self._query, self._base, found.row, found.col, self._distance)
        far = np.concatenate([self._far, exact])
        order = np.lexsort((col, far, row))
        row, col, far = row[order], col[order], far[order]
        place, first, many = _places(row, len(self._query), self._k)
        kth = np.full(len(self._query), np.inf)
        kth[many] = far[first[many] + self._k - 1]
        self._sure = np.fmax(self._sure, self._score.of(self._asked, kth))
        near = place < self._k
        self._row, self._col, self._far = row[near], col[near], far[near]
        self._open, self._count, self._enough = [], 0, FEW * self._k * len(self._query) + 1024


def _kth(found: _Proposed, queries: int, k: int) -> Float[np.ndarray, " q"]:
    """The k-th highest of what the scores of each query are at least; -inf where there are fewer."""
    by_query = np.argsort(found.row.astype(np.uint16 if queries < 1 << 16 else np.int64), kind="stable")  # radix sort
    low = found.low[by_query]
    place, first, many = _places(found.row[by_query], queries, k)
    most = int(np.diff(first, append=len(low)).max())
    kth = np.full(queries, -np.inf)
    if most * queries > 4 * len(low) + MOST:  # too uneven for a table
        order = np.lexsort((-low, found.row[by_query]))
        kth[many] = low[order[first[many] + k - 1]]
    elif most >= k:
        table = np.full((queries, most), -np.inf)
        table[found.row[by_query], place] = low
        kth = np.partition(table, -k, axis=1)[:, -k]
    return kth


def _places(
    row: Int[np.ndarray, " m"], queries: int, k: int
) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " q"], Bool[np.ndarray, " q"]]:
    """Of sorted queries: which one of its query's each is; where each query begins; which have k or more."""
    first = np.searchsorted(row, np.arange(queries + 1))
    return np.arange(len(row)) - first[row], first[:-1], np.diff(first) >= k
