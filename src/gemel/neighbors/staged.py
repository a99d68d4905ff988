"""Two stages: a quick distance proposes, a better one decides among what it proposed.

Works on arrays of embeddings; knows no items, identities or files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gemel.distances import Distance
from gemel.neighbors.close import ClosePairs
from gemel.neighbors.exact import Neighbors, paired_at
from gemel.neighbors.flat import Flat
from gemel.neighbors.hnsw import Hnsw

if TYPE_CHECKING:
    from jaxtyping import Float

POOL = 100
"""So many rows of each query, or as many as are wanted if that is more, are proposed."""


def nearest_in_stages(
    query: Float[np.ndarray, "q d"],
    base: Float[np.ndarray, "n d"],
    k: int,
    first: Distance,
    second: Distance,
    *,
    pool: int = POOL,
) -> Neighbors:
    """The `k` nearest by `second` among the `pool` nearest by `first`; of equals, the earlier proposed.

    Args:
        query: embeddings [q, d].
        base: embeddings [n, d].
        k: how many, at least 0.
        first, second: how far apart, quickly and well.
        pool: rows that are proposed for each query; at least `k`.
    """
    return second_look(query, Flat(base, first), k, second, pool=pool)


def second_look(
    query: Float[np.ndarray, "q d"], proposing: Flat | Hnsw, k: int, second: Distance, *, pool: int = POOL
) -> Neighbors:
    """The `k` nearest by `second` among the `pool` nearest that rows which are kept propose.

    Args:
        query: embeddings [q, d].
        proposing: the rows, and a quick distance.
        k: how many, at least 0.
        second: how far apart.
        pool: rows that are proposed for each query; at least `k`.
    """
    proposed = proposing.search(query, max(k, pool)).index
    rows = np.repeat(np.arange(len(query)), proposed.shape[1])
    far = paired_at(query, proposing.vectors, rows, proposed.ravel(), second).reshape(proposed.shape)
    order = np.argsort(far, axis=1, kind="stable")[:, : min(max(k, 0), proposed.shape[1])]
    return Neighbors(np.take_along_axis(proposed, order, axis=1), np.take_along_axis(far, order, axis=1))


def close_in_stages(
    vectors: Float[np.ndarray, "n d"], limit: float, first: Distance, second: Distance, *, pool: int = POOL
) -> ClosePairs:
    """Pairs of rows at most `limit` apart by `second`, where one is among the `pool` nearest of the other by `first`.

    Args:
        vectors: embeddings [n, d].
        limit: largest distance of a pair.
        first, second: how far apart, quickly and well.
        pool: rows that are proposed for each row.
    """
    proposed = Flat(vectors, first).search(vectors, pool + 1).index
    rows, cols = np.repeat(np.arange(len(vectors)), proposed.shape[1]), proposed.ravel()
    low, high = np.minimum(rows, cols), np.maximum(rows, cols)
    a, b = np.divmod(np.unique((low * len(vectors) + high)[low < high]), max(1, len(vectors)))
    far = paired_at(vectors, vectors, a, b, second)
    near = np.flatnonzero(far <= limit)
    order = near[np.lexsort((b[near], a[near], far[near]))]
    return ClosePairs(a[order], b[order], far[order], len(a))
