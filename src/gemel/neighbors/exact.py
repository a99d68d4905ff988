"""The nearest rows, exactly: every distance is looked at, ties go to the earlier row.

Works on arrays of embeddings; knows no items, identities or files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gemel.distances import BLOCK, Distance

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class Neighbors:
    """The nearest base rows of each query row, nearest first.

    Attributes:
        index: positions in the base, [queries, k].
        distance: how far each is, as `Distance.paired` says, [queries, k].
    """

    index: Int[np.ndarray, "q k"]
    distance: Float[np.ndarray, "q k"]


def nearest(
    query: Float[np.ndarray, "q d"], base: Float[np.ndarray, "n d"], k: int, distance: Distance, *, block: int = BLOCK
) -> Neighbors:
    """The `k` nearest rows of `base` for each row of `query`; all of them where there are fewer than `k`.

    The fast kernel `matrix` proposes every row that rounding could have kept out of the first k; the definition
    `paired` decides among them. So the result is exact also where the kernel is not, near zero.

    Args:
        query: embeddings [q, d].
        base: embeddings [n, d].
        k: how many, at least 0.
        distance: how far apart.
        block: numbers to hold at once in one temporary array.
    """
    k = min(max(k, 0), len(base))
    index = np.empty((len(query), k), np.int64)
    far = np.empty((len(query), k), np.result_type(query, base, np.float32))
    step = max(1, block // max(1, len(base)))
    for start in range(0, len(query) if k else 0, step):
        rows = slice(start, start + step)
        index[rows], far[rows] = _nearest(query[rows], base, k, distance, block)
    return Neighbors(index, far)


def _nearest(
    query: Float[np.ndarray, "q d"], base: Float[np.ndarray, "n d"], k: int, distance: Distance, block: int
) -> tuple[Int[np.ndarray, "q k"], Float[np.ndarray, "q k"]]:
    row, col = np.nonzero(_candidates(query, base, k, distance, block))
    exact = paired_at(query, base, row, col, distance, block=block)
    order = np.lexsort((col, exact, row))
    first = np.searchsorted(row, np.arange(len(query)))  # where the candidates of each query begin
    chosen = order[first[:, None] + np.arange(k)]
    return col[chosen], exact[chosen]


def _candidates(
    query: Float[np.ndarray, "q d"], base: Float[np.ndarray, "n d"], k: int, distance: Distance, block: int
) -> Bool[np.ndarray, "q n"]:
    """Every row that could be among the k nearest once rounding is undone."""
    step = max(1, block // max(1, query.size, base.shape[1]))
    approximate = np.concatenate(
        [distance.matrix(query, base[start : start + step]) for start in range(0, len(base), step)], axis=1
    )
    kth = np.partition(approximate, k - 1, axis=1)[:, k - 1 : k]
    return approximate <= loosened(kth, query, longest(base, step), approximate.dtype)


def loosened(
    limit: Float[np.ndarray, "q 1"] | float, query: Float[np.ndarray, "q d"], square: float, dtype: np.dtype
) -> Float[np.ndarray, "q 1"]:
    """What the fast kernel may say of rows that are no farther than `limit` by definition.

    Args:
        limit: a distance, for each query or for all.
        query: embeddings [q, d].
        square: the largest squared length of a row that they are compared with.
        dtype: in which the kernel computes.
    """
    # The kernel is off by `error` relative to the distance (Manhattan), to 1 (cosine), or, in squares, to the
    # squared lengths (Euclidean): the widest of the three holds for all.
    error = 4 * (query.shape[1] + 8) * np.finfo(dtype).eps
    lengths = np.square(query, dtype=dtype).sum(axis=1, keepdims=True) + square
    return np.maximum(np.sqrt(limit**2 + error * lengths), limit + error * (limit + 1))


def longest(base: Float[np.ndarray, "n d"], step: int) -> float:
    """The largest squared length of a row."""
    wide = np.promote_types(base.dtype, np.float32)
    return max(
        float(np.square(base[start : start + step], dtype=wide).sum(axis=1).max())
        for start in range(0, len(base), step)
    )


def paired_at(
    a: Float[np.ndarray, "n d"],
    b: Float[np.ndarray, "m d"],
    rows: Int[np.ndarray, " p"],
    cols: Int[np.ndarray, " p"],
    distance: Distance,
    *,
    block: int = BLOCK,
) -> Float[np.ndarray, " p"]:
    """The distance of `a[rows[i]]` to `b[cols[i]]`, by definition, without copying all rows at once."""
    out = np.empty(len(rows), np.result_type(a, b, np.float32))
    step = max(1, block // max(1, a.shape[1]))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        out[part] = distance.paired(a[rows[part]], b[cols[part]])
    return out
