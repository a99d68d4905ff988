"""Groups that grow together where they are close on the whole: a chain of near neighbours alone joins nothing.

Works on arrays of embeddings; knows no items, identities or files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gemel.distances import Distance
from gemel.neighbors.close import ClosePairs

if TYPE_CHECKING:
    from jaxtyping import Float, Int

SAMPLE = 64
"""Rows of a group that stand for it where it has more."""


def merged(
    group: Int[np.ndarray, " n"],
    close: ClosePairs,
    vectors: Float[np.ndarray, "n d"],
    limit: float,
    distance: Distance,
    *,
    seed: int = 0,
) -> Int[np.ndarray, " n"]:
    """Merge groups from the closest pair on, where their rows are at most `limit` apart on average.

    Average linkage (Sokal & Michener 1958) along close pairs: connected components would join two groups by one
    mistaken pair.

    Args:
        group: of each row, to begin with.
        close: the pairs along which groups may be merged, the closest first.
        vectors: embeddings.
        limit: largest mean distance between two groups that are merged.
        distance: how far apart.
        seed: of the rows that stand for a large group.
    """
    rng = np.random.default_rng(seed)
    now = group.copy()
    members = {int(name): np.flatnonzero(group == name) for name in np.unique(group[np.union1d(close.a, close.b)])}
    refused: set[tuple[int, int]] = set()
    for a, b in zip(close.a.tolist(), close.b.tolist(), strict=True):
        one, two = sorted((int(now[a]), int(now[b])))
        if one == two or (one, two) in refused:
            continue
        sides = [vectors[_some(members[name], rng)] for name in (one, two)]
        if distance.matrix(*sides).mean() > limit:
            refused.add((one, two))
            continue
        now[members[two]] = one
        members[one] = np.concatenate([members[one], members.pop(two)])
        refused = {pair for pair in refused if one not in pair and two not in pair}  # it is another group now
    return now


def _some(rows: Int[np.ndarray, " m"], rng: np.random.Generator) -> Int[np.ndarray, " k"]:
    return rows if len(rows) <= SAMPLE else rng.choice(rows, SAMPLE, replace=False)
