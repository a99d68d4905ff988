"""How far an item is from several references of one identity, as one number: smaller is closer.

Arrays in, arrays out; knows no items and no decisions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gemel.distances import Distance
from gemel.errors import DataError
from gemel.neighbors.exact import paired_at

if TYPE_CHECKING:
    from jaxtyping import Float, Int

POOLS = ("mean", "minimum", "trimmed")
"""How the distances to several references become one."""


def pooled(distance: Float[np.ndarray, "*n k"], pool: str) -> Float[np.ndarray, "*n"]:
    """One distance out of those to k references; with k = 1, that one.

    Args:
        distance: to each reference, along the last axis.
        pool: `mean`; `minimum`, the nearest one's; `trimmed`, the mean without the largest, so that one reference
            unlike the others does not count.
    """
    if distance.shape[-1] == 1:
        return distance[..., 0]
    if pool not in POOLS:
        raise DataError(f"There is no pooling {pool!r}; choose one of {', '.join(POOLS)}.")
    if pool == "minimum":
        return np.asarray(distance.min(axis=-1))
    if pool == "trimmed":
        distance = np.sort(distance, axis=-1)[..., :-1]
    return np.asarray(distance.mean(axis=-1, dtype=np.float64))


def scored(
    vectors: Float[np.ndarray, "m d"],
    references: Int[np.ndarray, "t k"],
    draw: Int[np.ndarray, " n"],
    item: Int[np.ndarray, " n"],
    *,
    metric: Distance,
    pool: str = "mean",
    normalise: float = 0.0,
) -> Float[np.ndarray, " n"]:
    """The distance of each item from its references.

    Args:
        vectors: embeddings.
        references: positions among the embeddings; a row is k references of one identity.
        draw: which row of `references` each item is compared with.
        item: its position among the embeddings.
        metric: how far apart two embeddings are.
        pool: as in `pooled`.
        normalise: to what power it is divided by the mean distance of the references among each other, so that an
            identity whose items vary much is given more room; k of 2 or more. 0: not at all.

    Raises:
        DataError: references are all at distance 0 from each other, and it was to be divided by that.
    """
    count, k = references.shape
    far = _apart(vectors, np.repeat(item, k), references[draw].reshape(-1), metric)
    score = pooled(far.reshape(-1, k), pool)
    if not normalise:
        return score
    a, b = np.triu_indices(k, 1)
    among = _apart(vectors, references[:, a].reshape(-1), references[:, b].reshape(-1), metric)
    spread = among.reshape(count, -1).mean(axis=-1, dtype=np.float64)
    if not (spread > 0).all():
        raise DataError(
            "References are at distance 0 from each other, so that no distance can be divided by how far apart they "
            "are. Take references that differ, or do not normalise."
        )
    return np.asarray(score / spread[draw] ** normalise)


def _apart(
    vectors: Float[np.ndarray, "m d"], one: Int[np.ndarray, " p"], other: Int[np.ndarray, " p"], metric: Distance
) -> Float[np.ndarray, " p"]:
    """How far apart the items of many pairs are; of those that come more than once, as draws of the same references
    make them, the distance is computed once."""
    pairs, which = np.unique(one.astype(np.int64) * len(vectors) + other, return_inverse=True)
    return paired_at(vectors, vectors, pairs // len(vectors), pairs % len(vectors), metric)[which]
