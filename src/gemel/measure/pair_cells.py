"""Pairs of labelled items, numbered within cells: what two items a number stands for is computed, nothing is listed.

A cell is what one may want to draw equally often: an identity, or two identities. Knows where identities begin, no
random numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Int


@runtime_checkable
class Cells(Protocol):
    """Pairs of one kind in cells that share none. Positions are those of `ByIdentity.order`.

    Attributes:
        count: number of cells.
    """

    count: int

    def fewest(self) -> int:
        """Pairs of the smallest cell."""
        ...

    def sizes(self, cell: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """How many pairs some cells have."""
        ...

    def at(
        self, cell: Int[np.ndarray, " n"], number: Int[np.ndarray, " n"]
    ) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """The two positions of pairs, given by their numbers within cells."""
        ...


class Within:
    """Same pairs; a cell is an identity with two items or more."""

    def __init__(self, begin: Int[np.ndarray, " e"]) -> None:
        self._begin = begin
        several = np.flatnonzero(np.diff(begin) > 1)
        self._several = several.astype(np.int32) if len(begin) <= np.iinfo(np.int32).max else several
        self.count = len(several)

    def fewest(self) -> int:
        return int(self.sizes(np.arange(self.count)).min())

    def sizes(self, cell: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        items = self._begin[self._several[cell] + 1] - self._begin[self._several[cell]]
        return items * (items - 1) // 2

    def at(
        self, cell: Int[np.ndarray, " n"], number: Int[np.ndarray, " n"]
    ) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        begin = self._begin[self._several[cell]]
        first, second = corner(number)
        return begin + first, begin + second


class After:
    """Different pairs; a cell is all pairs of an identity's items with those of later identities."""

    def __init__(self, begin: Int[np.ndarray, " e"]) -> None:
        self._begin, self._all = begin, int(begin[-1])
        self.count = len(begin) - 2

    def fewest(self) -> int:
        return int(self.sizes(np.arange(self.count)).min())

    def sizes(self, cell: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        end = self._begin[cell + 1]
        return (end - self._begin[cell]) * (self._all - end)

    def at(
        self, cell: Int[np.ndarray, " n"], number: Int[np.ndarray, " n"]
    ) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        end = self._begin[cell + 1]
        first, second = np.divmod(number, self._all - end)
        return self._begin[cell] + first, end + second


class Between:
    """Different pairs; a cell is all pairs of one identity's items with another's."""

    def __init__(self, begin: Int[np.ndarray, " e"]) -> None:
        self._begin = begin
        identities = len(begin) - 1
        self.count = identities * (identities - 1) // 2

    def fewest(self) -> int:
        return int(np.partition(np.diff(self._begin), 1)[:2].prod())

    def sizes(self, cell: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        one, other = corner(cell)
        return (self._begin[one + 1] - self._begin[one]) * (self._begin[other + 1] - self._begin[other])

    def at(
        self, cell: Int[np.ndarray, " n"], number: Int[np.ndarray, " n"]
    ) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        one, other = corner(cell)
        first, second = np.divmod(number, self._begin[other + 1] - self._begin[other])
        return self._begin[one] + first, self._begin[other] + second


def corner(number: Int[np.ndarray, " n"]) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """The pair i < j that a number stands for: (0, 1), (0, 2), (1, 2), (0, 3) and so on; exact up to 2^61."""
    second = (np.sqrt(8.0 * number + 1) / 2 + 0.5).astype(np.int64)  # off by one at most, by rounding
    second -= second * (second - 1) // 2 > number
    second += second * (second + 1) // 2 <= number
    return number - second * (second - 1) // 2, second
