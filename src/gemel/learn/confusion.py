"""Which identities are confused: for each one the others that are nearest to it.

Works on arrays of embeddings and codes; knows no tensors and no batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gemel.distances import BLOCK, Distance
from gemel.learn.negatives import hard_negatives
from gemel.measure.by_identity import by_identity

if TYPE_CHECKING:
    from jaxtyping import Float, Int

UNKNOWN = -1


def confusion(
    vectors: Float[np.ndarray, "n d"],
    identity: Int[np.ndarray, " n"],
    k: int,
    distance: Distance,
    *,
    anchors: Int[np.ndarray, " a"] | None = None,
    items: int = 1,
) -> Int[np.ndarray, "c k"]:
    """The `k` nearest other identities of each identity, nearest first.

    Two identities are as near as the nearest items of theirs that are found: of every anchor the nearest `items` of
    other identities are looked at. With the output of `centroids` they are as near as their means, and take identities²
    distances instead of anchors × items; use this where identities are many and each is of one kind.

    Args:
        vectors: embeddings [n, d].
        identity: [n] codes; -1 is unknown.
        k: how many, at least 1.
        distance: how far apart.
        anchors: positions of items to look from; None: all.
        items: nearest items of each anchor to look at; k of them where each identity is one item.

    Returns:
        [c, k] codes, a row for every code up to the largest; UNKNOWN where fewer were found.
    """
    found = hard_negatives(vectors, identity, items, distance, anchors=anchors)
    codes = int(identity.max(initial=-1)) + 1
    pair = identity[found.anchor].astype(np.int64) * codes + identity[found.negative]
    pair = pair[np.argsort(found.distance, kind="stable")]
    nearest = np.sort(np.unique(pair, return_index=True)[1])  # every pair once, where it is nearest, in that order
    one, other = np.divmod(pair[nearest], max(1, codes))
    order = np.argsort(one, kind="stable")
    one, other = one[order], other[order]
    rank = np.arange(len(one)) - np.searchsorted(one, one)
    table = np.full((codes, k), UNKNOWN)
    table[one[rank < k], rank[rank < k]] = other[rank < k]
    return table


def centroids(
    vectors: Float[np.ndarray, "n d"], identity: Int[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "i d"], Int[np.ndarray, " i"]]:
    """The mean embedding of every identity that has items, and its code, ascending."""
    index = by_identity(identity)
    means = np.empty((len(index.counts), vectors.shape[1]), np.result_type(vectors, np.float32))
    step = max(1, BLOCK // max(1, vectors.shape[1]))  # so many items are copied at once, and one identity more
    begin = 0
    while begin < len(means):
        end = max(begin + 1, int(np.searchsorted(index.begin, index.begin[begin] + step, side="right")) - 1)
        rows = index.order[index.begin[begin] : index.begin[end]]
        sums = np.add.reduceat(vectors[rows], index.begin[begin:end] - index.begin[begin], axis=0)
        means[begin:end] = sums / index.counts[begin:end, None]
        begin = end
    return means, identity[index.order[index.begin[:-1]]]
