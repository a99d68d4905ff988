"""The pairs that a collection names, whether as pairs or inside triplets. Knows what was told, no identities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gemel.items.collection import UNKNOWN, Collection, Pairs

if TYPE_CHECKING:
    from jaxtyping import Bool, Int


def explicit(items: Collection) -> Pairs | None:
    """The pairs that were given, or those that the triplets hold; None where there are none.

    Of m triplets, pair i is anchor and positive of triplet i, and pair m + i its anchor and negative.
    """
    if items.pairs is not None and len(items.pairs):
        return items.pairs
    if items.triplets is None or not len(items.triplets):
        return None
    anchor, positive, negative = items.triplets.anchor, items.triplets.positive, items.triplets.negative
    same = np.repeat([True, False], len(anchor))
    return Pairs(np.concatenate([anchor, anchor]), np.concatenate([positive, negative]), same)


def some_of_each(same: Bool[np.ndarray, " n"], *, limit: int, seed: int) -> Int[np.ndarray, " m"]:
    """Positions of at most `limit` pairs of either answer, in order; drawn where there are more."""
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(same == answer) for answer in (True, False)]
    return np.sort(np.concatenate([r if len(r) <= limit else rng.choice(r, limit, replace=False) for r in rows]))


def side_of(pairs: Pairs, items: int) -> Int[np.ndarray, " n"] | None:
    """Where each of so many items stands in its pairs: 0 first, 1 second, UNKNOWN in none; None where one does both.

    Questions and answers have sides; duplicates do not.
    """
    side = np.full(items, UNKNOWN)
    side[pairs.a], side[pairs.b] = 0, 1
    return None if side[pairs.a].any() else side


def between(
    a: Int[np.ndarray, " m"],
    b: Int[np.ndarray, " m"],
    side: Int[np.ndarray, " n"] | None,
    *,
    limit: int,
    seed: int,
) -> Int[np.ndarray, " k"]:
    """Positions of at most `limit` of some pairs, of those with an item of each side where there are sides.

    Args:
        side: as `side_of` says.
    """
    rows = np.arange(len(a)) if side is None else np.flatnonzero(side[a] + side[b] == 1)
    return rows if len(rows) <= limit else np.sort(np.random.default_rng(seed).choice(rows, limit, replace=False))
