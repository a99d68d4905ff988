"""Items of any length: which to prepare together, and how they come to one array. Knows arrays only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Int


def alike(lengths: Int[np.ndarray, " n"], budget: int) -> list[Int[np.ndarray, " _"]]:
    """Positions of items in groups of like length.

    Args:
        lengths: of the items.
        budget: most that a group holds, padding included; a group has at least one item.

    >>> alike(np.array([3, 9, 4]), 10)
    [array([0, 2]), array([1])]
    """
    order = np.argsort(lengths, kind="stable")
    groups, start = [], 0
    for end in range(1, len(order) + 1):
        if end == len(order) or (end + 1 - start) * lengths[order[end]] > budget:
            groups.append(order[start:end])
            start = end
    return groups


def filled(
    parts: Sequence[Float[np.ndarray, "_ d"]], width: int
) -> tuple[Float[np.ndarray, "m l d"], Int[np.ndarray, "m l"]]:
    """Rows of any length in one array, zeros behind their ends, and a mask that is 1 up to them."""
    longest = max((len(part) for part in parts), default=1)
    rows, mask = np.zeros((len(parts), longest, width), np.float32), np.zeros((len(parts), longest), np.int64)
    for row, part in enumerate(parts):
        rows[row, : len(part)], mask[row, : len(part)] = part, 1
    return rows, mask
