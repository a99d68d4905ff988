"""From a false positive identification rate and the size of a gallery to a threshold.

A threshold for two items is wrong for one among many: each enrolled item is one more chance to be mistaken for
someone. Fitted on identities that training never saw, crossed with one another. Plain numbers, saved as JSON.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.distances import Distance
from gemel.errors import DataError, ModelError, NotCalibrated
from gemel.measure.identification import Crossed, crossed, supported
from gemel.measure.intervals import Interval, independent_needed

if TYPE_CHECKING:
    from jaxtyping import Float, Int

FEWEST = 30
"""Strangers below which no threshold for one among many is given."""
MOST, MOST_BY_HEAD = 2000, 500
"""Strangers that are crossed with one another at most; fewer where a pair head looks at every two."""
RATES = tuple(digit / 10**power for power in range(1, 5) for digit in (5, 3, 2, 1))
"""Rates for which thresholds are kept, as far as there are strangers enough."""


@dataclass(frozen=True)
class OpenSet:
    """Thresholds for one among many.

    Attributes:
        strangers: identities that were crossed with one another.
        sizes: sizes of galleries, ascending; the last is that of all strangers but one.
        rates: false positive identification rates, descending.
        thresholds: [sizes][rates] the largest distance at which an item is named; -infinite where none will do.
        low, high: [sizes][rates] between which the rate lies at that threshold.
    """

    strangers: int
    sizes: tuple[int, ...]
    rates: tuple[float, ...]
    thresholds: tuple[tuple[float, ...], ...]
    low: tuple[tuple[float, ...], ...]
    high: tuple[tuple[float, ...], ...]

    def threshold(self, fpir: float, size: int) -> float:
        """The largest distance at which to name someone.

        Between sizes and rates that were looked at, it is interpolated. A larger gallery than there were strangers is
        as many galleries of that size side by side, and the sum of their rates bounds its own.

        Args:
            fpir: share of strangers who may be taken for someone, above 0 and at most 0.5.
            size: enrolled items, 1 or more.

        Raises:
            NotCalibrated: so few strangers cannot show a rate that low among so many.
        """
        rate = self._rate(fpir, size)
        place = np.interp(math.log(min(size, self.sizes[-1])), np.log(self.sizes), np.arange(len(self.sizes)))
        below, above = math.floor(place), math.ceil(place)
        ends = [self._at(row, rate) for row in (below, above)]
        if -math.inf in ends:
            raise NotCalibrated(f"Strangers were too near to one another for any threshold at an FPIR of {fpir:g}.")
        return ends[0] + (place - below) * (ends[1] - ends[0])

    def interval(self, fpir: float, size: int) -> Interval:
        """Between which bounds the rate lies at the threshold for it, as far as those strangers tell."""
        rate, size = self._rate(fpir, size), max(size, 1)
        row = self._row(size)
        column = int(np.argmin(np.abs(np.log(self.rates) - math.log(rate))))
        times = max(1.0, size / self.sizes[-1]) * rate / self.rates[column]
        return Interval(self.low[row][column] * times, min(1.0, self.high[row][column] * times))

    def examples(self) -> list[tuple[int, float]]:
        """A size and a rate to show, of galleries of about a hundred and of all: (size, rate)."""
        rate = min(self.rates, key=lambda rate: abs(rate - 0.01))
        sizes = sorted({min(100, self.sizes[-1]), self.sizes[-1]})
        return [(size, rate) for size in sizes if math.isfinite(self._at(self._row(size), rate))]

    def json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self) | {"thresholds": [[str(x) if math.isinf(x) else x for x in row] for row in self.thresholds]}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> OpenSet:
        """Read what `json` wrote. Raises ModelError where it is something else."""
        try:
            tables = {
                name: tuple(tuple(map(float, row)) for row in value[name]) for name in ("thresholds", "low", "high")
            }
            return cls(int(value["strangers"]), tuple(value["sizes"]), tuple(value["rates"]), **tables)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"The thresholds for one among many are damaged ({error!r}); calibrate again.") from None

    def _row(self, size: int) -> int:
        """The first size that is not smaller, or the last."""
        return int(np.searchsorted(self.sizes, min(size, self.sizes[-1])))

    def _at(self, row: int, rate: float) -> float:
        """The threshold at a rate between those that are kept, which never rises where the rate falls."""
        return float(np.interp(-math.log(rate), -np.log(self.rates), self.thresholds[row]))

    def _rate(self, fpir: float, size: int) -> float:
        """The rate that the largest gallery that was looked at may have, for one of this size to have `fpir`."""
        if not 0 < fpir <= 0.5:
            raise DataError(f"An FPIR lies above 0 and at most at 0.5, and came as {fpir}.")
        rate = min(fpir * min(1.0, self.sizes[-1] / max(size, 1)), self.rates[0])
        if rate < self.rates[-1] * (1 - 1e-9):
            needed, reach = independent_needed(fpir), int(fpir * self.strangers**2 / 3)
            fewer = f", or enrol no more than {reach:,} items" if needed <= self.strangers else ""
            raise NotCalibrated(
                f"{self.strangers:,} strangers in the calibration cannot show that among {size:,} enrolled items no "
                f"more than {fpir:g} of strangers are taken for someone. Calibrate with more identities, at least "
                f"{max(needed, math.ceil(math.sqrt(3 * size / fpir))):,}{fewer}."
            )
        return max(rate, self.rates[-1])


def fit_open_set(
    vectors: Float[np.ndarray, "n d"], identity: Int[np.ndarray, " n"], metric: Distance, *, seed: int, most: int = MOST
) -> OpenSet | None:
    """Thresholds from an item of every identity; None where there are too few.

    Args:
        vectors: embeddings.
        identity: code of each item's identity; -1 is unknown.
        metric: how far apart two embeddings are.
        seed: of the item of each identity, and of the identities where there are more than `most`.
        most: identities that are crossed with one another, all pairs of them.
    """
    order = np.random.default_rng(seed).permutation(np.flatnonzero(identity >= 0))
    _, first = np.unique(identity[order], return_index=True)
    if len(first) < FEWEST:
        return None
    chosen = order[np.sort(first)][:most]
    known = crossed(vectors[chosen], metric)
    sizes = [*(1 << power for power in range(known.others.bit_length())), known.others]
    sizes = sorted(set(sizes))
    rates = supported(RATES, len(chosen))
    table = [[_point(known, known.fpir(size), rate, size) for rate in rates] for size in sizes]
    thresholds, low, high = (tuple(tuple(cell[i] for cell in row) for row in table) for i in range(3))
    return OpenSet(len(chosen), tuple(sizes), tuple(rates), thresholds, low, high)


def _point(known: Crossed, fpir: Float[np.ndarray, " t"], rate: float, size: int) -> tuple[float, float, float]:
    place = int(np.searchsorted(fpir, rate, side="right")) - 1
    if place < 0:
        return -math.inf, 0.0, 1.0
    reach = known.interval(place, size)
    return float(known.at[place]), reach.low, reach.high
