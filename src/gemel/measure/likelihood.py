"""From distances to log-likelihood ratios, and what they cost: isotonic regression, Cllr, minimal Cllr.

Natural logarithms; positive speaks for *same*. Knows no thresholds and no identities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gemel.measure.curve import checked

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


def falling(mean: Float[np.ndarray, " k"], weight: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """The closest sequence that never rises, by weighted squares: pool adjacent violators (Ayer et al. 1955).

    Every run of rising blocks is pooled at once and the passes are repeated, which reaches the same solution.

    Args:
        mean: values.
        weight: of each value, above 0.
    """
    start = np.arange(len(mean))
    total, mass = mean * weight, weight.astype(np.float64)
    while True:
        level = total / mass
        keep = np.concatenate([[True], level[1:] < level[:-1]])
        if keep.all():
            return np.repeat(level, np.diff(np.append(start, len(mean))))
        edges = np.flatnonzero(keep)
        total, mass, start = np.add.reduceat(total, edges), np.add.reduceat(mass, edges), start[edges]


def pooled_llr(same: Float[np.ndarray, " k"], different: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """Log-likelihood ratio per bin of ascending distance, never rising; infinite where a class is absent.

    Args:
        same, different: mass of either class in each bin, each summing to about 1.
    """
    mass = same + different
    used = mass > 0
    share = falling(same[used] / mass[used], mass[used])
    with np.errstate(divide="ignore"):
        llr = np.log(share) - np.log1p(-share)
    places: Int[np.ndarray, " k"] = np.clip(np.cumsum(used) - 1, 0, None)
    return llr[places]


def cllr(llr: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"]) -> float:
    """Cost of log-likelihood ratios in bits: 0 is perfect, 1 is knowing nothing (Brümmer & du Preez 2006).

    Args:
        llr: natural logarithm of the likelihood ratio of *same* for each pair; may be infinite.
        same: whether each pair is the same.
    """
    misses = np.logaddexp(0, -llr[same]).mean()
    alarms = np.logaddexp(0, llr[~same]).mean()
    return float((misses + alarms) / (2 * np.log(2)))


def min_cllr(distance: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"]) -> float:
    """Cllr after the best possible monotone calibration: what the ranking alone is worth, 0 to 1 bit."""
    checked(distance, same)
    _, place = np.unique(distance, return_inverse=True)
    place = place.reshape(-1)
    positives = np.bincount(place, same) / np.count_nonzero(same)
    negatives = np.bincount(place, ~same) / np.count_nonzero(~same)
    llr = pooled_llr(positives, negatives)
    return cllr(llr[place], same)
