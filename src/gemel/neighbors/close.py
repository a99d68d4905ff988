"""All pairs of rows within a distance of each other, exactly, in the memory of one tile.

Works on arrays of embeddings; knows no items, identities or files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gemel.distances import Distance
from gemel.errors import DataError
from gemel.neighbors.exact import longest, loosened, paired_at

if TYPE_CHECKING:
    from jaxtyping import Float, Int

TILE = 4096
"""Rows of either side of a tile."""
MOST = 10_000_000
"""More pairs than these are refused: nobody reads them, and they do not fit in memory for long."""


@dataclass(frozen=True)
class ClosePairs:
    """Pairs of rows, the closest first; of equals, the earlier rows.

    Attributes:
        a, b: positions of the two rows, a < b.
        distance: how far apart they are, as `Distance.paired` says.
        looked_at: how many pairs these were found among.
    """

    a: Int[np.ndarray, " m"]
    b: Int[np.ndarray, " m"]
    distance: Float[np.ndarray, " m"]
    looked_at: int

    def __len__(self) -> int:
        return len(self.a)


def close_pairs(
    vectors: Float[np.ndarray, "n d"],
    limit: float,
    distance: Distance,
    *,
    most: int = MOST,
    progress: Callable[[int, int], None] | None = None,
) -> ClosePairs:
    """Every pair of rows that are at most `limit` apart. Takes n² / 2 distances.

    Args:
        vectors: embeddings [n, d].
        limit: largest distance of a pair; below 0 there are none.
        distance: how far apart.
        most: pairs that may be found.
        progress: called with (rows done, rows in all).

    Raises:
        DataError: there are more than `most`.
    """
    far = np.result_type(vectors, np.float32)
    found = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, far))]
    square, count = longest(vectors, TILE) if len(vectors) else 0.0, 0
    for top in range(0, len(vectors) if limit >= 0 else 0, TILE):
        for left in range(top, len(vectors), TILE):
            a, b, exact = _tile(vectors, slice(top, top + TILE), slice(left, left + TILE), limit, square, distance)
            found.append((a, b, exact))
            count += len(a)
            if count > most:
                raise DataError(
                    f"More than {most:,} pairs are at most {limit:.4g} apart. Choose a smaller distance: a lower false "
                    "match rate, or a lower prior."
                )
        if progress is not None:
            progress(min(top + TILE, len(vectors)), len(vectors))
    a, b, exact = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((b, a, exact))
    return ClosePairs(a[order], b[order], exact[order], len(vectors) * (len(vectors) - 1) // 2)


def _tile(
    vectors: Float[np.ndarray, "n d"], rows: slice, cols: slice, limit: float, square: float, distance: Distance
) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """The pairs of one tile; of one on the diagonal, the half above it."""
    query, base = vectors[rows], vectors[cols]
    approximate = distance.matrix(query, base)
    row, col = np.nonzero(approximate <= loosened(limit, query, square, approximate.dtype))
    if rows == cols:
        above = row < col
        row, col = row[above], col[above]
    exact = paired_at(query, base, row, col, distance)
    near = exact <= limit
    return rows.start + row[near], cols.start + col[near], exact[near]
