"""The hardest negatives of a whole data set: for every anchor the nearest items of other identities.

Every distance is looked at, tile by tile, in memory that does not grow with their number. Works on arrays of
embeddings and codes; knows no tensors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from gemel.distances import BLOCK, Distance
from gemel.learn.doubt import Doubt
from gemel.measure.by_identity import by_identity
from gemel.neighbors.exact import paired_at

if TYPE_CHECKING:
    from jaxtyping import Float, Int

ANCHORS, TILE = 512, 1 << 14
"""So many anchors and items meet in one tile."""
SPARE = 16
"""So many more than wanted does the fast kernel propose; the definition decides among them."""


@dataclass(frozen=True)
class Negatives:
    """Hard negatives, anchor by anchor, the nearest first; an anchor may have fewer than were wanted.

    Attributes:
        anchor, negative: positions of the two items.
        distance: how far apart they are, as `Distance.paired` says.
    """

    anchor: Int[np.ndarray, " t"]
    negative: Int[np.ndarray, " t"]
    distance: Float[np.ndarray, " t"]

    def __len__(self) -> int:
        return len(self.anchor)


def hard_negatives(
    vectors: Float[np.ndarray, "n d"],
    identity: Int[np.ndarray, " n"],
    k: int,
    distance: Distance,
    *,
    anchors: Int[np.ndarray, " a"] | None = None,
    doubt: Doubt | None = None,
    side: Int[np.ndarray, " n"] | None = None,
) -> Negatives:
    """The `k` nearest items of other identities for each anchor; ties go to the earlier item.

    Exact to within rounding: among items that are equally far but for rounding, more than SPARE of them, any may come.

    Args:
        vectors: embeddings [n, d].
        identity: [n] codes; an item of -1 is neither anchor nor negative.
        k: how many, at least 1.
        distance: how far apart.
        anchors: positions of the anchors; None: all items. Takes their number × n distances.
        doubt: which of them are left out, as likely the same after all; None: none.
        side: [n] 0 or 1, and the negatives of an anchor are of the other side; an item of -1 has none and is none.
            None: there are no sides.
    """
    doubt = Doubt() if doubt is None else doubt
    anchors = np.arange(len(vectors)) if anchors is None else anchors
    anchors = anchors[identity[anchors] >= 0]
    positive = np.full(len(anchors), math.inf)
    if doubt.measures:
        positive = nearest_positive(vectors, identity, anchors, distance)
    bound = doubt.bound(positive, distance.typical(vectors.shape[1]))
    parts = [slice(start, start + ANCHORS) for start in range(0, max(1, len(anchors)), ANCHORS)]
    found = [_hardest(vectors, identity, anchors[part], bound[part], k, doubt.skip, distance, side) for part in parts]
    return Negatives(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


def nearest_positive(
    vectors: Float[np.ndarray, "n d"],
    identity: Int[np.ndarray, " n"],
    anchors: Int[np.ndarray, " a"],
    distance: Distance,
) -> Float[np.ndarray, " a"]:
    """How far the nearest other item of its identity is from each anchor, whose identity is known; infinite if none."""
    index = by_identity(identity)
    run = np.searchsorted(identity[index.order[index.begin[:-1]]], identity[anchors])
    begin, count = index.begin[run], index.counts[run]
    out = np.full(len(anchors), math.inf)
    block = np.cumsum(count) // BLOCK  # so many pairs are listed at once
    for part in np.split(np.arange(len(anchors)), np.flatnonzero(np.diff(block)) + 1) if len(anchors) else ():
        ends = np.cumsum(count[part])
        starts = ends - count[part]
        partner = index.order[np.repeat(begin[part] - starts, count[part]) + np.arange(ends[-1])]
        own = np.repeat(anchors[part], count[part])
        far = paired_at(vectors, vectors, own, partner, distance)
        out[part] = np.minimum.reduceat(np.where(own == partner, math.inf, far), starts)
    return out


def _hardest(
    vectors: Float[np.ndarray, "n d"],
    identity: Int[np.ndarray, " n"],
    anchors: Int[np.ndarray, " a"],
    bound: Float[np.ndarray, " a"],
    k: int,
    skip: int,
    distance: Distance,
    side: Int[np.ndarray, " n"] | None,
) -> tuple[Int[np.ndarray, " t"], Int[np.ndarray, " t"], Float[np.ndarray, " t"]]:
    """For a few anchors, the k nearest beyond `bound`, but for those among the nearest `skip` of all."""
    query, own, most = vectors[anchors], identity[anchors, None], k + skip + SPARE
    far = np.empty((len(anchors), 0), np.result_type(vectors, np.float32))
    item = np.empty((len(anchors), 0), np.int64)
    below = np.zeros(len(anchors), np.int64)
    edges = [0, *range(TILE // 16, len(vectors), TILE), len(vectors)]  # a small tile first: all of it is held
    for start, end in pairwise(edges):
        tile = distance.matrix(query, vectors[start:end])
        codes = identity[None, start:end]
        other, near = (codes != own) & (codes >= 0), tile <= bound[:, None]
        if side is not None:
            other &= side[anchors, None] + side[None, start:end] == 1
        below += np.count_nonzero(other & near, axis=1)
        tile[near | ~other] = math.inf
        far, item = _nearest(far, item, tile, start, most)
    row, place = np.nonzero(far < math.inf)
    item = item[row, place]
    exact = paired_at(query, vectors, row, item, distance)
    near = exact <= bound[row]
    below += np.bincount(row[near], minlength=len(anchors))
    order = np.lexsort((item, exact, row))
    order = order[~near[order]]
    row, item, exact = row[order], item[order], exact[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    first = np.maximum(skip - below, 0)[row]
    taken = (rank >= first) & (rank < first + k)
    return anchors[row[taken]], item[taken], exact[taken]


def _nearest(
    far: Float[np.ndarray, "a h"], item: Int[np.ndarray, "a h"], tile: Float[np.ndarray, "a m"], start: int, most: int
) -> tuple[Float[np.ndarray, "a k"], Int[np.ndarray, "a k"]]:
    """The nearest few of those held and of a tile, whose first column is item `start`; in any order."""
    limit = far.max(axis=1, keepdims=True) if far.shape[1] == most else math.inf
    row, col = np.divmod(np.flatnonzero(tile < limit), tile.shape[1])  # few, but for the first tile
    place = np.arange(len(row)) - np.searchsorted(row, row)
    width = far.shape[1] + int(place.max(initial=-1)) + 1
    both, items = np.full((len(far), width), math.inf, far.dtype), np.zeros((len(far), width), np.int64)
    both[:, : far.shape[1]], items[:, : far.shape[1]] = far, item
    both[row, far.shape[1] + place], items[row, far.shape[1] + place] = tile[row, col], start + col
    if width <= most:
        return both, items
    kept = np.argpartition(both, most - 1, axis=1)[:, :most]
    return np.take_along_axis(both, kept, axis=1), np.take_along_axis(items, kept, axis=1)
