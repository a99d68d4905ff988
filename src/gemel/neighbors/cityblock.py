"""Manhattan search through FAISS, where it is installed: it proposes, the definition decides.

Works on arrays of embeddings; knows no items, identities or files.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from gemel.distances import Manhattan
from gemel.neighbors.exact import Neighbors, paired_at

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

MOST = 1 << 20
"""Rows that are proposed at once, of all queries."""
MARGIN = 16
"""So many rows more than are wanted are proposed, so that rounding keeps none out."""


@functools.cache
def faiss() -> ModuleType | None:
    """FAISS, where it is installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of what SWIG made
            return importlib.import_module("faiss")
    except ModuleNotFoundError:
        return None


def nearest(query: Float[np.ndarray, "q d"], base: Float[np.ndarray, "n d"], k: int, rows: int) -> Neighbors:
    """The `k` nearest rows; of equals, the earlier.

    Args:
        query: embeddings, float32 [q, d].
        base: embeddings, float32 [n, d].
        k: how many, from 1 to `rows`.
        rows: so many of `base` are meant; the others are farther away than any of them.
    """
    index, far = np.empty((len(query), k), np.int64), np.empty((len(query), k), np.float32)
    left, many = np.arange(len(query)), k + MARGIN
    while len(left):
        many, open_ = min(many, rows), []
        step = max(1, MOST // many)
        for start in range(0, len(left), step):
            part = left[start : start + step]
            sure, index[part], far[part] = _proposed(query[part], base, k, many)
            open_.append(part[~sure] if many < rows else part[:0])
        left, many = np.concatenate(open_), 4 * many
    return Neighbors(index, far)


def _proposed(
    query: Float[np.ndarray, "q d"], base: Float[np.ndarray, "n d"], k: int, many: int
) -> tuple[Bool[np.ndarray, " q"], Int[np.ndarray, "q k"], Float[np.ndarray, "q k"]]:
    """The k nearest of `many` rows that are proposed, and whether no other can be among them."""
    module = faiss()
    assert module is not None
    near, col = module.knn(np.ascontiguousarray(query), np.ascontiguousarray(base), many, metric=module.METRIC_L1)
    exact = paired_at(query, base, np.repeat(np.arange(len(query)), many), col.ravel(), Manhattan())
    order = np.lexsort((col, exact.reshape(col.shape)))[:, :k]
    error = 4 * (query.shape[1] + 8) * float(np.finfo(np.float32).eps)
    sure = near[:, -1] > near[:, k - 1] * (1 + error)
    return sure, np.take_along_axis(col, order, 1), np.take_along_axis(exact.reshape(col.shape), order, 1)
