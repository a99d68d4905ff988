"""What thresholds cost on pairs with known answers. Arrays and values; knows no items and no twins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gemel.measure.calibration import Judged
from gemel.measure.intervals import Interval, rate_interval
from gemel.siamese.operating import Apart

if TYPE_CHECKING:
    from jaxtyping import Float


class Costs:
    """Error rates at thresholds, with intervals over identities.

    Args:
        known: the pairs.
    """

    def __init__(self, known: Judged) -> None:
        self._distance = known.distance
        self._sides = [(side, known.pairs.take(side)) for side in known.sides]

    def at(
        self, threshold: float, optimism: Float[np.ndarray, " s"] | None = None
    ) -> tuple[float, Interval, float, Interval, Apart | None]:
        """The fields of an operating point after its threshold.

        Args:
            threshold: largest distance that is accepted.
            optimism: what to add to the rate of each of the pairs' `sides`; None: nothing.
        """
        gaps = np.zeros(len(self._sides)) if optimism is None else optimism
        fmr, fnmr, *apart = (self._rate(place, threshold, float(gap)) for place, gap in enumerate(gaps))
        return *fmr, *fnmr, Apart(*apart[0], *apart[1]) if apart else None

    def _rate(self, place: int, threshold: float, gap: float) -> tuple[float, Interval]:
        """The rate that is expected elsewhere; the interval of the one seen, stretched as far as the correction."""
        side, pairs = self._sides[place]
        hit = self._distance[side] <= threshold
        hit = ~hit if place == 1 else hit
        seen = rate_interval(hit, pairs)
        low, high = seen.low + min(gap, 0), seen.high + max(gap, 0)
        rate = float(np.clip(hit.mean() + gap, 0, 1))
        return rate, Interval(max(float(low), 0.0), min(float(high), 1.0), seen.level)
