"""How well distances follow the scores that people gave: correlations with intervals, and the error of predictions.

Arrays in, a frozen value out; knows no model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gemel.errors import DataError, NotEnoughData
from gemel.measure.intervals import Clusters, Interval, clusters, influence_interval

if TYPE_CHECKING:
    from jaxtyping import Float, Int

FEWEST = 3
"""Pairs below which a correlation says nothing."""


@dataclass(frozen=True)
class Graded:
    """How well distances follow scores; the closer, the higher the score should be.

    Attributes:
        pairs: how many.
        spearman: rank correlation of closeness and score, -1 to 1; ties share their mean rank.
        spearman_interval: over samples of identities; None when the identities are not known.
        pearson: linear correlation of closeness (the distance, negated) and score, -1 to 1.
        pearson_interval: over samples of identities; None when the identities are not known.
        mse: mean squared error of predicted scores, in squared units of the score; None without predictions.
    """

    pairs: int
    spearman: float
    spearman_interval: Interval | None
    pearson: float
    pearson_interval: Interval | None
    mse: float | None


def graded_of(
    distance: Float[np.ndarray, " n"],
    score: Float[np.ndarray, " n"],
    identity_a: Int[np.ndarray, " n"] | None = None,
    identity_b: Int[np.ndarray, " n"] | None = None,
    *,
    predicted: Float[np.ndarray, " n"] | None = None,
) -> Graded:
    """Measure distances against scores.

    Args:
        distance: of each pair, smaller is closer, finite.
        score: what people said of each pair, finite.
        identity_a, identity_b: the identities each pair rests on; without them there are no intervals.
        predicted: a score for each pair, made from its distance by a calibration that did not see these pairs.

    Raises:
        NotEnoughData: fewer than 3 pairs, or all scores or all distances are the same.
        DataError: lengths differ, or a number is not finite.
    """
    _refuse(distance, score)
    close, value = -distance.astype(np.float64), score.astype(np.float64)
    known = None if identity_a is None or identity_b is None else clusters(identity_a, identity_b)
    pearson, spearman = _pearson(close, value), _spearman(close, value)
    return Graded(
        len(distance),
        spearman.value,
        _interval(spearman, known),
        pearson.value,
        _interval(pearson, known),
        None if predicted is None else float(np.mean((predicted - value) ** 2)),
    )


def rank_error(distance: Float[np.ndarray, " n"], score: Float[np.ndarray, " n"]) -> float:
    """Half of one less the rank correlation: 0 where the closer pair always has the higher score, ½ by chance."""
    _refuse(distance, score)
    return (1 - _spearman(-distance.astype(np.float64), score.astype(np.float64)).value) / 2


@dataclass(frozen=True)
class _Correlation:
    """A correlation, and what each pair adds to its deviation from the truth."""

    value: float
    influence: Float[np.ndarray, " n"]


def _pearson(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> _Correlation:
    u, v = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    value = float(np.clip(np.mean(u * v), -1, 1))
    return _Correlation(value, (u * v - value * (u**2 + v**2) / 2) / len(x))


def _spearman(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> _Correlation:
    """Pearson's of the ranks; a pair also moves the ranks of the others, which its influence counts in."""
    u, v = _ranks(x), _ranks(y)
    scale = float(np.sqrt(np.mean(u**2) * np.mean(v**2)))
    value = float(np.clip(np.mean(u * v) / scale, -1, 1))
    moved = u * v + _mean_above(x, v) + _mean_above(y, u)
    return _Correlation(value, (moved - moved.mean()) / scale / len(x))


def _ranks(x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Mean ranks as shares of the sample, centred at 0."""
    _, place, count = np.unique(x, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - count / 2
    return middle[place.reshape(-1)] / len(x) - 0.5


def _mean_above(x: Float[np.ndarray, " n"], value: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """For each pair, the sum over all pairs with a larger x, and half of those with an equal one, over n."""
    _, place = np.unique(x, return_inverse=True)
    place = place.reshape(-1)
    level = np.bincount(place, value)
    return (level[::-1].cumsum()[::-1] - level / 2)[place] / len(x)


def _interval(found: _Correlation, known: Clusters | None) -> Interval | None:
    """On the logit scale of (1 + r) / 2, which is Fisher's z."""
    if known is None:
        return None
    half = influence_interval((1 + found.value) / 2, found.influence / 2, known)
    return Interval(2 * half.low - 1, 2 * half.high - 1, half.level)


def _refuse(distance: Float[np.ndarray, " n"], score: Float[np.ndarray, " n"]) -> None:
    if len(distance) != len(score):
        raise DataError(f"{len(distance)} distances came with {len(score)} scores; give one score per pair.")
    if not (np.isfinite(distance).all() and np.isfinite(score).all()):
        raise DataError("Every distance and every score must be finite; leave out the pairs of unreadable items.")
    if len(score) < FEWEST or np.ptp(score) == 0 or np.ptp(distance) == 0:
        raise NotEnoughData(
            f"A correlation takes at least {FEWEST} pairs whose scores and distances are not all the same; there are "
            f"{len(score)} pairs with {len(np.unique(score))} scores."
        )
