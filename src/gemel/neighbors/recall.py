"""How much of what is nearest a search finds; of equals, any will do.

Works on what searches return; knows no items, identities or files.
"""

from __future__ import annotations

import numpy as np

from gemel.neighbors.exact import Neighbors

ROUNDING = 1e-6
"""Distances that differ by less, relative to the larger or to 1, are equal."""


def recall(found: Neighbors, exact: Neighbors) -> float:
    """The share of the k places of each query that hold a row no farther than the k-th nearest.

    Args:
        found: what a search returned, [q, k]; places that it left empty are infinitely far.
        exact: the truth for the same queries, with the same k.
    """
    if not exact.distance.size:
        return 1.0
    limit = exact.distance[:, -1:]
    return float((found.distance <= limit + ROUNDING * np.maximum(limit, 1)).sum() / exact.distance.size)
