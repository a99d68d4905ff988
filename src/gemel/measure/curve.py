"""The trade-off between false matches and false non-matches over every threshold, and what is read off it.

A pair is accepted where its distance is at most the threshold; equal distances are accepted together.
Knows no intervals and no identities.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gemel.errors import DataError, NotEnoughData

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


@dataclass(frozen=True)
class Curve:
    """Error rates at every distinct distance (ROC and DET are two ways to draw it).

    Attributes:
        threshold: -inf, where nothing is accepted, then every distinct distance, ascending.
        fmr: share of different pairs accepted at each threshold, rising from 0 to 1.
        fnmr: share of same pairs rejected at each threshold, falling from 1 to 0.
    """

    threshold: Float[np.ndarray, " k"]
    fmr: Float[np.ndarray, " k"]
    fnmr: Float[np.ndarray, " k"]

    def at_fmr(self, fmr: float) -> int:
        """Position of the loosest threshold whose false match rate is at most `fmr`."""
        return int(np.searchsorted(self.fmr, fmr + 1e-12, side="right")) - 1

    @property
    def eer(self) -> float:
        """Equal error rate: where the line through the points has both errors equal."""
        end, along = self.crossing()
        return float(self.fmr[end - 1] + along * (self.fmr[end] - self.fmr[end - 1]))

    @property
    def auc(self) -> float:
        """Chance that a random same pair is closer than a random different pair; a tie counts a half."""
        accepted = 1 - self.fnmr
        return float((np.diff(self.fmr) * (accepted[1:] + accepted[:-1])).sum() / 2)

    def crossing(self) -> tuple[int, float]:
        """Where both errors are equal: the segment that ends at this position, and how far along it, 0 to 1."""
        gap = self.fmr - self.fnmr
        end = max(1, int(np.searchsorted(gap, 0)))
        return end, float(-gap[end - 1] / (gap[end] - gap[end - 1]))


def curve_of(distance: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"]) -> Curve:
    """The curve of pairs with known answers.

    Args:
        distance: of each pair, smaller is closer, finite.
        same: whether each pair is the same.

    Raises:
        NotEnoughData: there is no same or no different pair.
        DataError: the lengths differ, or a distance is not finite.
    """
    checked(distance, same)
    order = np.argsort(distance, kind="stable")
    return sorted_curve(distance[order], same[order])


def sorted_curve(distance: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"]) -> Curve:
    """The curve of pairs that are checked and already ascend by distance."""
    ends = np.append(np.flatnonzero(distance[1:] != distance[:-1]), len(distance) - 1)
    accepted = np.concatenate([[0], np.cumsum(same)[ends]])
    mistaken = np.concatenate([[0], ends + 1]) - accepted
    threshold = np.concatenate([[-np.inf], distance[ends]])
    return Curve(threshold, mistaken / mistaken[-1], 1 - accepted / accepted[-1])


def checked(distance: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"]) -> None:
    """Refuse pairs that nothing can be measured on."""
    if len(distance) != len(same):
        raise DataError(f"{len(distance)} distances came with {len(same)} answers; give one answer per pair.")
    if not np.isfinite(distance).all():
        bad = int((~np.isfinite(distance)).sum())
        raise DataError(f"{bad} of {len(distance)} distances are not finite; leave out the pairs of unreadable items.")
    positives = int(np.count_nonzero(same))
    if positives == 0 or positives == len(same):
        raise NotEnoughData(
            f"Both same and different pairs are needed; there are {positives} same and {len(same) - positives} "
            "different ones. Add items of known identities."
        )


def eer(distance: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"]) -> float:
    """Equal error rate, 0 to 1: where the line through the curve's points has both errors equal."""
    return curve_of(distance, same).eer


def auc(distance: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"]) -> float:
    """Chance that a random same pair is closer than a random different pair; a tie counts a half."""
    return curve_of(distance, same).auc


def threshold_at_fmr(distance: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"], fmr: float) -> float:
    """Loosest observed distance whose false match rate is at most `fmr`; -inf when accepting any is too much."""
    points = curve_of(distance, same)
    return float(points.threshold[points.at_fmr(fmr)])


def fnmr_at_fmr(distance: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"], fmr: float) -> float:
    """Share of same pairs rejected at the loosest threshold whose false match rate is at most `fmr`."""
    points = curve_of(distance, same)
    return float(points.fnmr[points.at_fmr(fmr)])


def accuracy(distance: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"], threshold: float) -> float:
    """Share of pairs judged rightly when accepted at a distance of at most `threshold`."""
    return float(np.mean((distance <= threshold) == same))


@dataclass(frozen=True)
class BestAccuracy:
    """The threshold with most pairs judged rightly; for training curves, optimistic on the pairs that chose it.

    Attributes:
        threshold: the strictest such threshold, -inf when accepting nothing is best.
        accuracy: share of pairs judged rightly, 0 to 1.
    """

    threshold: float
    accuracy: float


def best_accuracy(distance: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"]) -> BestAccuracy:
    """The most accurate threshold; equal distances stay together, so [.5, .5] with one of each gives .5."""
    points = curve_of(distance, same)
    positives = int(np.count_nonzero(same))
    right = (1 - points.fnmr) * positives + (1 - points.fmr) * (len(same) - positives)
    best = int(np.argmax(np.round(right)))
    return BestAccuracy(float(points.threshold[best]), float(right[best] / len(same)))


def average_precision(distance: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"]) -> float:
    """Mean precision over the same pairs, each at its own distance, 0 to 1; equal distances are accepted together."""
    found, precision = _found(curve_of(distance, same), same)
    return float((np.diff(found) * precision[1:]).sum() / found[-1])


def f1(distance: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"], threshold: float) -> float:
    """Harmonic mean of precision and recall of *same* when accepted at a distance of at most `threshold`, 0 to 1."""
    accepted = distance <= threshold
    found, given = int(np.count_nonzero(accepted & same)), int(np.count_nonzero(accepted) + np.count_nonzero(same))
    return 2 * found / given if given else 0.0


@dataclass(frozen=True)
class BestF1:
    """The threshold with the highest F1; optimistic on the pairs that chose it.

    Attributes:
        threshold: the strictest such threshold.
        f1: of *same*, 0 to 1.
    """

    threshold: float
    f1: float


def best_f1(distance: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"]) -> BestF1:
    """The threshold with the highest F1. Unlike an error rate, it depends on how many of the pairs are the same."""
    points = curve_of(distance, same)
    found, precision = _found(points, same)
    recall = found / found[-1]
    value = np.divide(2 * precision * recall, precision + recall, out=np.zeros_like(recall), where=recall > 0)
    best = int(np.argmax(value))
    return BestF1(float(points.threshold[best]), float(value[best]))


def _found(points: Curve, same: Bool[np.ndarray, " n"]) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """At every threshold: how many same pairs are accepted, and which share of what is accepted they are."""
    positives = int(np.count_nonzero(same))
    found = np.round((1 - points.fnmr) * positives)
    accepted = found + np.round(points.fmr * (len(same) - positives))
    return found, np.divide(found, accepted, out=np.ones_like(found), where=accepted > 0)
