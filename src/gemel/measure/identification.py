"""One of many, or nobody: how often strangers are taken for someone enrolled, and the enrolled are missed.

False positive identification rate (FPIR): share of strangers of whom some enrolled item is within the threshold.
False negative identification rate (FNIR): share of the enrolled for whom none of their own is the nearest and within
it. Terms as in ISO/IEC 19795-1. Arrays in, values out; knows no items and no decisions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import lgamma
from typing import TYPE_CHECKING

import numpy as np

from gemel.distances import Distance
from gemel.measure.intervals import Interval, clusters, independent_needed, logit_interval, rate_interval

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

STEPS = 512
"""Thresholds that are looked at."""


@dataclass(frozen=True)
class Identification:
    """How well a gallery names those it knows, and passes over those it does not.

    Attributes:
        rank1: share of probes of the enrolled whose nearest item is their own, at whatever distance, 0 to 1.
        fnir: share of them that are not named rightly at the threshold.
        fpir: share of strangers' probes that are named at all.
        mated, strangers: probes of either kind.
    """

    rank1: float
    rank1_interval: Interval
    fnir: float
    fnir_interval: Interval
    fpir: float
    fpir_interval: Interval
    mated: int
    strangers: int


def identification_of(
    mated: Float[np.ndarray, " m"],
    right: Bool[np.ndarray, " m"],
    mated_identity: Int[np.ndarray, " m"],
    strangers: Float[np.ndarray, " s"],
    stranger_identity: Int[np.ndarray, " s"],
    threshold: float,
) -> Identification:
    """Measure a gallery by its nearest items.

    Args:
        mated: distance of each probe of someone enrolled to the nearest enrolled item.
        right: whether that item is of the same identity.
        mated_identity, stranger_identity: whose probe each is, 0 or more.
        strangers: distance of each probe of someone not enrolled to the nearest enrolled item.
        threshold: largest distance at which someone is named.
    """
    known, unknown = clusters(mated_identity, mated_identity), clusters(stranger_identity, stranger_identity)
    missed, taken = ~(right & (mated <= threshold)), strangers <= threshold
    return Identification(
        float(right.mean()),
        rate_interval(right, known),
        float(missed.mean()),
        rate_interval(missed, known),
        float(taken.mean()),
        rate_interval(taken, unknown),
        len(mated),
        len(strangers),
    )


@dataclass(frozen=True)
class Crossed:
    """Strangers to one another, one item each: how many others are within each of some thresholds of each.

    Attributes:
        far: distances [c, c], infinite on the diagonal.
        at: the thresholds, ascending.
        within: [c, t] how many of the c - 1 others are that near.
    """

    far: Float[np.ndarray, "c c"]
    at: Float[np.ndarray, " t"]
    within: Int[np.ndarray, "c t"]

    @cached_property
    def others(self) -> int:
        return len(self.far) - 1

    def fpir(self, size: int) -> Float[np.ndarray, " t"]:
        """FPIR at each threshold in a gallery of `size` of the others, on average over all such galleries."""
        return _missed_none(self.within, self.others, size).mean(axis=0)

    def interval(self, place: int, size: int) -> Interval:
        """Of `fpir(size)[place]`: the delete-one jackknife over strangers, each a probe and enrolled."""
        within, c = self.within[:, place], len(self.far)
        size = min(size, self.others - 1)
        here = _missed_none(within, self.others - 1, size)  # of each probe, without another who is not near
        lost = here - _missed_none(np.maximum(within - 1, 0), self.others - 1, size)  # ... and without one who is
        near = (self.far <= self.at[place]).astype(np.float32)
        without = (here.sum() - here - near.T @ lost.astype(np.float32)) / (c - 1)
        variance = float(np.square(without - without.mean()).sum() * (c - 1) / c)
        return logit_interval(float(self.fpir(size)[place]), variance, c)


def crossed(vectors: Float[np.ndarray, "c d"], metric: Distance, *, steps: int = STEPS) -> Crossed:
    """Compare strangers with one another.

    Args:
        vectors: one embedding of each, of at least three.
        metric: how far apart two embeddings are.
        steps: thresholds to look at: distances at ranks that are evenly spaced on a logarithmic scale.
    """
    far = metric.matrix(vectors.astype(np.float64), vectors.astype(np.float64))
    np.fill_diagonal(far, np.inf)
    rows = np.sort(far, axis=1)
    pooled = np.sort(rows[:, :-1], axis=None)
    rank = np.unique(np.geomspace(1, len(pooled), steps).astype(np.int64)) - 1
    at = np.unique(pooled[rank])
    within = np.stack([np.searchsorted(row, at, side="right") for row in rows])
    return Crossed(far, at, within)


def _missed_none(within: Int[np.ndarray, "..."], others: int, size: int) -> Float[np.ndarray, "..."]:
    """The chance that `size` drawn of `others` hold one of k = `within`: 1 − C(others − k, size) / C(others, size)."""

    def ways(n: int) -> float:
        return lgamma(n + 1) - lgamma(n - size + 1)

    total = ways(others)
    none = np.array([np.exp(ways(others - k) - total) if others - k >= size else 0.0 for k in range(others + 1)])
    return 1 - none[within]


def supported(rates: Sequence[float], strangers: int) -> list[float]:
    """The rates that so many strangers can show."""
    return [rate for rate in rates if independent_needed(rate) <= strangers]
