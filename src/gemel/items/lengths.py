"""Items of any length: which to prepare together, and how they come to one array. Knows arrays only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Int


def alike(lengths: Int[np.ndarray, " n"], budget: int) -> list[Int[np.ndarray, " _"]]:
    """Positions of items in groups of like length: those that cost least, where a group costs what it holds, padding
    included, and for being one as much as a 32nd of the budget.

    Args:
        lengths: of the items.
        budget: most that a group holds, padding included; a group has at least one item.

    >>> alike(np.array([30, 90, 40]), 100)
    [array([0, 2]), array([1])]
    """
    order = np.argsort(lengths, kind="stable")
    n, begin, least = len(order), budget / 32, np.zeros(len(order) + 1)
    first = np.zeros(n + 1, np.int64)  # of the last group, where there are only so many items
    for end in range(1, n + 1):
        longest = max(1, int(lengths[order[end - 1]]))
        low = max(0, end - max(1, budget // longest))
        costs = least[low:end] + begin + longest * np.arange(end - low, 0, -1)
        best = int(costs.argmin())
        least[end], first[end] = costs[best], low + best
    groups, end = list[np.ndarray](), n
    while end:
        groups.append(order[first[end] : end])
        end = int(first[end])
    return groups[::-1]


def filled(
    parts: Sequence[Float[np.ndarray, "_ d"]], width: int
) -> tuple[Float[np.ndarray, "m l d"], Int[np.ndarray, "m l"]]:
    """Rows of any length in one array, zeros behind their ends, and a mask that is 1 up to them."""
    longest = max((len(part) for part in parts), default=1)
    rows, mask = np.zeros((len(parts), longest, width), np.float32), np.zeros((len(parts), longest), np.int64)
    for row, part in enumerate(parts):
        rows[row, : len(part)], mask[row, : len(part)] = part, 1
    return rows, mask


def starts(points: int, length: int, rng: np.random.Generator | None) -> Sequence[int]:
    """Where the parts of so many points begin, each `length` long at most: with `rng` one, anywhere; without, as many
    as overlap by at least half."""
    spare = points - length
    if spare <= 0:
        return [0]
    if rng is not None:
        return [int(rng.integers(spare + 1))]
    return np.linspace(0, spare, 1 + -(-spare // max(1, length // 2))).round().astype(int).tolist()


class Moments:
    """Mean and standard deviation of each column over rows that come in parts.

    Args:
        width: columns.
    """

    def __init__(self, width: int) -> None:
        self._total, self._square, self._count = np.zeros(width), np.zeros(width), 0

    def add(self, rows: Float[np.ndarray, "t d"]) -> None:
        self._total += rows.sum(0, dtype=np.float64)
        self._square += np.square(rows, dtype=np.float64).sum(0)
        self._count += len(rows)

    @property
    def mean(self) -> tuple[float, ...]:
        return tuple(map(float, self._total / max(1, self._count)))

    @property
    def std(self) -> tuple[float, ...]:
        """1 where a column is constant."""
        mean = np.array(self.mean)
        std = np.sqrt(np.maximum(self._square / max(1, self._count) - mean**2, 0))
        return tuple(map(float, np.where(std > 1e-6 * (1 + np.abs(mean)), std, 1.0)))
