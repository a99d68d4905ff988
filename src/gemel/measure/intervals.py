"""How far to trust a number: intervals that resample identities, not pairs.

Pairs that share an identity are not independent, so the unit here is the identity: its influence on a
statistic is summed over every pair it takes part in, and those sums give the variance. The interval is
Student's on the logit scale. `benchmarks/coverage.py` compares it with the percentiles of an identity
bootstrap and with Wilson's intervals, and is why it was chosen. Knows no metric and no model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from gemel.errors import DataError

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

LEVEL = 0.95
"""How often an interval should cover the truth."""


@dataclass(frozen=True)
class Interval:
    """A range that covers the truth in a stated share of samples of identities.

    Attributes:
        low, high: ends, in the unit of what is estimated.
        level: share of samples whose interval covers the truth, 0 to 1.
    """

    low: float
    high: float
    level: float = LEVEL

    def __contains__(self, value: float) -> bool:
        return bool(self.low <= value <= self.high)


@dataclass(frozen=True)
class Clusters:
    """On which identities each pair rests, as codes 0 … count - 1.

    Attributes:
        a, b: identity of either side of each pair; equal where the pair rests on one identity.
        count: number of identities among the pairs.
    """

    a: Int[np.ndarray, " n"]
    b: Int[np.ndarray, " n"]
    count: int

    def sums(self, value: Float[np.ndarray, " n"]) -> Float[np.ndarray, " g"]:
        """Per identity, the sum over the pairs it takes part in; a pair within one identity counts once."""
        return np.bincount(self.a, value, self.count) + np.bincount(self.b, value * (self.a != self.b), self.count)

    def joint_sums(self, value: Float[np.ndarray, " n"]) -> Float[np.ndarray, " c"]:
        """Per two identities that pairs join, the sum over those pairs."""
        across, joint = self._joint
        return np.bincount(joint, value[across]).astype(np.float64)

    @cached_property
    def _joint(self) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"]]:
        across = np.flatnonzero(self.a != self.b)
        a, b = self.a[across], self.b[across]
        code = np.minimum(a, b) * self.count + np.maximum(a, b)
        return across, np.unique(code, return_inverse=True)[1].reshape(-1)

    def take(self, rows: Bool[np.ndarray, " n"]) -> Clusters:
        """Of some pairs only; identities without a pair are dropped."""
        return clusters(self.a[rows], self.b[rows])

    def weights(self, draw: Int[np.ndarray, " g"]) -> Float[np.ndarray, " n"]:
        """Weight of each pair when identity i was drawn `draw[i]` times: the product over its identities."""
        a = draw[self.a].astype(np.float64)
        return np.where(self.a == self.b, a, a * draw[self.b])


def clusters(identity_a: Int[np.ndarray, " n"], identity_b: Int[np.ndarray, " n"]) -> Clusters:
    """The identities of pairs, coded compactly.

    Raises:
        DataError: an identity is unknown; a forgery's pairs rest on the identity it pretends to be (`owners`).
    """
    if min(identity_a.min(initial=0), identity_b.min(initial=0)) < 0:
        raise DataError(
            "Every pair must rest on known identities, and some came as -1. Leave such pairs out; for an impostor, "
            "give the identity it pretends to be (gemel.measure.owners)."
        )
    names, codes = np.unique(np.concatenate([identity_a, identity_b]), return_inverse=True)
    codes = codes.reshape(-1)
    return Clusters(codes[: len(identity_a)], codes[len(identity_a) :], len(names))


def draws(identities: int, replicates: int, seed: int) -> Int[np.ndarray, "r g"]:
    """How often each identity is drawn, with replacement, in each replicate of an identity bootstrap."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(identities, np.full(identities, 1 / identities), size=replicates)


def rate_interval(hit: Bool[np.ndarray, " n"], pairs: Clusters, *, level: float = LEVEL) -> Interval:
    """Of a share of pairs, such as a false match rate at a threshold.

    Args:
        hit: for each pair, whether it counts.
        pairs: the identities of the same pairs.
    """
    rate = float(np.mean(hit))
    return influence_interval(rate, (hit - rate) / len(hit), pairs, level=level)


def influence_interval(
    value: float, influence: Float[np.ndarray, " n"], pairs: Clusters, *, level: float = LEVEL
) -> Interval:
    """Of any statistic between 0 and 1 that is, to first order, a sum over pairs.

    Args:
        value: the statistic.
        influence: what each pair adds to the statistic's deviation from the truth.
        pairs: the identities of the same pairs.
    """
    return logit_interval(value, identity_variance(influence, pairs), pairs.count, level=level)


def identity_variance(influence: Float[np.ndarray, " n"], pairs: Clusters) -> float:
    """Variance of a sum over pairs when other identities are drawn.

    The squared sums per identity (the delete-one jackknife) count what is particular to two identities twice;
    without the second count (Aronow et al. 2015) the variance is right on average, but intervals cover too
    rarely, because in small samples it comes out small just when the rate does. Half of it covers best over dense
    and sparse sets of pairs. The factor g / (g - 1), or g / (g - 2) where pairs join two identities, makes up
    for the mean that was estimated on the same identities.

    Args:
        influence: what each pair adds to the statistic's deviation from the truth.
        pairs: the identities of the same pairs.
    """
    alone, joint = pairs.sums(influence), pairs.joint_sums(influence)
    g = pairs.count
    correction = g / max(g - 2, 1) if len(joint) else g / max(g - 1, 1)
    return float(((alone * alone).sum() - (joint * joint).sum() / 2) * correction)


def logit_interval(value: float, variance: float, independent: int, *, level: float = LEVEL) -> Interval:
    """Student's interval on the logit scale; where nothing varied, the exact one of as many independent trials.

    Args:
        value: an estimate between 0 and 1.
        variance: of the estimate, over samples of identities.
        independent: number of independent units (identities, runs) that it rests on.
    """
    if value <= 0 or value >= 1 or variance <= 0:
        return _unvaried(value, independent, level)
    reach = student(level, independent - 1) * math.sqrt(variance) / (value * (1 - value))
    middle = math.log(value / (1 - value))
    return Interval(_sigmoid(middle - reach), _sigmoid(middle + reach), level)


def _unvaried(value: float, independent: int, level: float) -> Interval:
    """Clopper and Pearson's interval where all or none of the trials hit; Wilson's in between."""
    reach = 1 - ((1 - level) / 2) ** (1 / max(independent, 1))
    if value <= 0:
        return Interval(0.0, reach, level)
    if value >= 1:
        return Interval(1 - reach, 1.0, level)
    return wilson(value, float(max(independent, 1)), level=level)


def wilson(share: float, trials: float, *, level: float = LEVEL) -> Interval:
    """Wilson's score interval of a share of independent trials (Wilson 1927)."""
    z = _normal(level)
    scale = 1 + z * z / trials
    middle = (share + z * z / (2 * trials)) / scale
    reach = z * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2) / scale
    return Interval(max(0.0, middle - reach), min(1.0, middle + reach), level)


def mean_interval(
    value: Float[np.ndarray, " n"], unit: Int[np.ndarray, " n"] | None = None, *, level: float = LEVEL
) -> Interval:
    """Of the mean of values in 0 to 1, such as correct answers, that depend within a unit.

    Args:
        value: one number per query or episode.
        unit: what values depend on together (identity, run, group); None when they are independent.
    """
    unit = np.arange(len(value)) if unit is None else unit
    mean = float(np.mean(value))
    return influence_interval(mean, (value - mean) / len(value), clusters(unit, unit), level=level)


def student(level: float, freedom: int) -> float:
    """Two-sided quantile of Student's t, to 1 % from 3 degrees of freedom on (Abramowitz & Stegun 26.7.5)."""
    z = _normal(level)
    f = max(freedom, 1)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / f ** (power + 1) for power, term in enumerate(terms))


def independent_needed(rate: float) -> int:
    """Identities needed before a rate that low can be claimed: 3 / rate, the rule of three (Hanley 1983).

    >>> independent_needed(0.01)
    300
    """
    if not 0 < rate <= 1:
        raise DataError(f"A rate lies above 0 and at most at 1, and came as {rate}.")
    return math.ceil(3 / rate - 1e-9)


def _normal(level: float) -> float:
    """Two-sided quantile of the normal distribution."""
    from statistics import NormalDist  # slow to import, and few who measure need it

    return NormalDist().inv_cdf(0.5 + level / 2)


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0
