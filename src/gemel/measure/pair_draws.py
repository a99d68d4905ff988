"""In which order the pairs of some cells come: cell by cell or pair by pair, in an order that is computed.

Endless; draws are counted from 0, and each is a function of its number and the key. Knows cells, no labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gemel.measure.pair_cells import Cells
from gemel.measure.permutation import Passes, key_of, permuted

if TYPE_CHECKING:
    from jaxtyping import Int


class CellByCell:
    """Every cell once per pass; in each cell one pair after the other, until all of its own have come.

    Args:
        cells: the pairs.
        key: of the order.
        apart: draws at least from a pair to its return, as far as there are pairs.

    Attributes:
        apart: the fewest draws from a pair to its return.
    """

    def __init__(self, cells: Cells, *, key: int, apart: int) -> None:
        self._cells, self._key = cells, key
        between = (cells.fewest() - 1) * cells.count
        self._passes = Passes(cells.count, key, apart=apart - between)
        self.apart = between + self._passes.apart

    def at(self, draw: Int[np.ndarray, " n"]) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """The positions of the two items of each draw."""
        cell = self._passes.at(draw)
        size = self._cells.sizes(cell)
        return self._cells.at(cell, permuted(draw // self._cells.count % size, size, key_of(self._key, cell)))


class PairByPair:
    """Every pair once per pass; arguments and attributes as those of `CellByCell`."""

    def __init__(self, cells: Cells, *, key: int, apart: int) -> None:
        self._cells = cells
        self._ends = np.cumsum(cells.sizes(np.arange(cells.count)))
        self._passes = Passes(int(self._ends[-1]), key, apart=apart)
        self.apart = self._passes.apart

    def at(self, draw: Int[np.ndarray, " n"]) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """The positions of the two items of each draw."""
        pair = self._passes.at(draw)
        cell = _interval(self._ends, pair)
        return self._cells.at(cell, pair - np.where(cell > 0, self._ends[cell - 1], 0))


def _interval(ends: Int[np.ndarray, " c"], number: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Where each number falls between ascending ends; sorted first, which spares most of the memory's latency."""
    order = np.argsort(number)
    found = np.empty(len(number), np.int64)
    found[order] = np.searchsorted(ends, number[order], side="right")
    return found
