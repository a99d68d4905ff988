"""How well distances tell same from different: one result value, with intervals over identities.

What too few identities cannot support is not claimed: the field is None and a sentence says what it takes.
Prints nothing; knows no model and no decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gemel.errors import DataError
from gemel.measure.curve import Curve, curve_of
from gemel.measure.intervals import Clusters, Interval, clusters, independent_needed, influence_interval
from gemel.measure.likelihood import min_cllr

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

FMRS = (1e-1, 1e-2, 1e-3)
"""False match rates at which the false non-match rate is quoted."""


@dataclass(frozen=True)
class AtFmr:
    """What a false match rate costs.

    Attributes:
        fmr: the false match rate that is allowed, 0 to 1.
        fnmr: share of same pairs rejected at the loosest threshold that allows no more; None when not supported.
        interval: of `fnmr`; None when it is None or the identities are not known.
        threshold: that distance; None when not supported.
        note: why there is no number, or empty.
    """

    fmr: float
    fnmr: float | None
    interval: Interval | None
    threshold: float | None
    note: str = ""


@dataclass(frozen=True)
class Verification:
    """How well distances tell same pairs from different ones.

    Attributes:
        auc: chance that a same pair is closer than a different one, ties a half; 0 to 1.
        auc_interval: over samples of identities; None when the identities are not known.
        eer: error rate at which false matches and false non-matches are equally frequent, 0 to 1.
        eer_interval: over samples of identities; None when the identities are not known.
        at_fmr: false non-match rates at 0.1, 0.01 and 0.001.
        min_cllr: cost in bits after the best monotone calibration, 0 to 1.
        same, different: number of pairs.
        identities: number of identities that the different pairs rest on; None when not known.
        note: what limits the numbers, or empty.
    """

    auc: float
    auc_interval: Interval | None
    eer: float
    eer_interval: Interval | None
    at_fmr: tuple[AtFmr, ...]
    min_cllr: float
    same: int
    different: int
    identities: int | None
    note: str = ""

    def fnmr(self, fmr: float) -> AtFmr:
        """The entry of `at_fmr` at that false match rate."""
        for entry in self.at_fmr:
            if entry.fmr == fmr:
                return entry
        raise DataError(f"There is no entry at FMR {fmr:g}; there are {', '.join(f'{e.fmr:g}' for e in self.at_fmr)}.")


def verification_of(
    distance: Float[np.ndarray, " n"],
    same: Bool[np.ndarray, " n"],
    identity_a: Int[np.ndarray, " n"] | None = None,
    identity_b: Int[np.ndarray, " n"] | None = None,
) -> Verification:
    """Measure pairs with known answers.

    Args:
        distance: of each pair, smaller is closer, finite.
        same: whether each pair is the same.
        identity_a, identity_b: the identities each pair rests on (for a skilled forgery, twice the one it
            pretends to be; for explicit pairs, the connected component). Without them pairs are counted as
            independent and there are no intervals.
    """
    points = curve_of(distance, same)
    pairs = None if identity_a is None or identity_b is None else clusters(identity_a, identity_b)
    side = _Sides(distance, same, points, pairs)
    identities = None if pairs is None else pairs.take(~same).count
    return Verification(
        auc=points.auc,
        auc_interval=side.auc_interval(),
        eer=points.eer,
        eer_interval=side.eer_interval(),
        at_fmr=tuple(_at(fmr, side, identities) for fmr in FMRS),
        min_cllr=min_cllr(distance, same),
        same=int(np.count_nonzero(same)),
        different=int(np.count_nonzero(~same)),
        identities=identities,
        note="" if pairs is not None else "Identities were not given: pairs count as independent, without intervals.",
    )


def unsupported(fmr: float, independent: int, unit: str = "identities") -> str:
    """Why a false match rate is not claimed from so few independent identities; empty when it is."""
    needed = independent_needed(fmr)
    if independent >= needed:
        return ""
    return f"FMR {fmr:g} takes at least {needed} independent {unit}; there are {independent}."


def _at(fmr: float, side: _Sides, identities: int | None) -> AtFmr:
    different = int(np.count_nonzero(~side.same))
    note = unsupported(fmr, different, "pairs") if identities is None else unsupported(fmr, identities)
    if note:
        return AtFmr(fmr, None, None, None, note)
    place = side.points.at_fmr(fmr)
    fnmr, threshold = float(side.points.fnmr[place]), float(side.points.threshold[place])
    return AtFmr(fmr, fnmr, side.fnmr_interval(fmr, fnmr, threshold), threshold)


@dataclass(frozen=True)
class _Sides:
    """Pairs, their curve and identities: what every interval is made of."""

    distance: Float[np.ndarray, " n"]
    same: Bool[np.ndarray, " n"]
    points: Curve
    pairs: Clusters | None

    def auc_interval(self) -> Interval | None:
        """DeLong's placements, summed over identities (Obuchowski 1997)."""
        if self.pairs is None:
            return None
        value, points = self.points.auc, self.points
        place = np.searchsorted(points.threshold, self.distance)
        closer = 1 - (points.fnmr[place] + points.fnmr[place - 1]) / 2
        farther = 1 - (points.fmr[place] + points.fmr[place - 1]) / 2
        return influence_interval(value, self._influence(farther - value, closer - value), self.pairs)

    def eer_interval(self) -> Interval | None:
        """Both errors where they are equal, weighted by how steeply each changes there."""
        if self.pairs is None:
            return None
        value = self.points.eer
        end, along = self.points.crossing()
        threshold = self.points.threshold[end if along >= 0.5 else end - 1]
        slope = self._slope(value)
        errors = self._errors(float(threshold), 1 / (1 + slope), slope / (1 + slope))
        return influence_interval(value, errors, self.pairs)

    def fnmr_interval(self, fmr: float, fnmr: float, threshold: float) -> Interval | None:
        """The false non-match rate itself, and what the threshold's own uncertainty adds."""
        if self.pairs is None:
            return None
        return influence_interval(fnmr, self._errors(threshold, 1.0, self._slope(fmr)), self.pairs)

    def _errors(self, threshold: float, miss: float, alarm: float) -> Float[np.ndarray, " n"]:
        accepted = self.distance <= threshold
        missed = miss * (~accepted - np.mean(~accepted[self.same]))
        alarmed = alarm * (accepted - np.mean(accepted[~self.same]))
        return self._influence(missed, alarmed)

    def _influence(
        self, positive: Float[np.ndarray, " n"], negative: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, " n"]:
        positives = np.count_nonzero(self.same)
        return np.where(self.same, positive / positives, negative / (len(self.same) - positives))

    def _slope(self, fmr: float) -> float:
        """How many false non-matches one more false match saves, between half and twice that rate."""
        points = self.points
        low, high = (
            points.at_fmr(fmr / 2),
            min(int(np.searchsorted(points.fmr, min(2 * fmr, 1.0))), len(points.fmr) - 1),
        )
        rise = float(points.fmr[high] - points.fmr[low])
        return float(points.fnmr[low] - points.fnmr[high]) / rise if rise > 0 else 0.0
