"""From pairs with known answers to a smooth log-likelihood ratio, and error rates that are not flattered.

The ratio is isotonic regression (PAV) averaged over resampled identities, which makes it continuous; how far it
reaches is bounded by what the sample can support. Error rates are corrected for having chosen the threshold on
the same pairs, by cross-fitting over identities. Arrays in, arrays out; knows no model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from gemel.measure.curve import Curve, checked, sorted_curve
from gemel.measure.intervals import Clusters, clusters, draws, identity_variance
from gemel.measure.likelihood import pooled_llr

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

LEVELS = 32
"""Quantiles of either class between which the ratio is fitted; twice as many knots at most."""
FOLDS = 5
"""Parts of the identities for cross-fitting; a rule is fitted without one or two of them."""

Against = Literal["random", "skilled"]
"""Different pairs of two kinds: of two identities, and of an impostor with the identity that it imitates."""


@dataclass(frozen=True)
class Judged:
    """Pairs with known answers, by ascending distance.

    Attributes:
        distance: of each pair, ascending.
        same: whether each pair is the same.
        pairs: the identities each pair rests on.
        skilled: which of the different pairs are an impostor and whom it imitates; None where there are not both
            these and random ones.
    """

    distance: Float[np.ndarray, " n"]
    same: Bool[np.ndarray, " n"]
    pairs: Clusters
    skilled: Bool[np.ndarray, " n"] | None = None

    def take(self, rows: Bool[np.ndarray, " n"]) -> Judged:
        skilled = None if self.skilled is None else self.skilled[rows]
        return Judged(self.distance[rows], self.same[rows], self.pairs.take(rows), skilled)

    def facing(self, against: Against | None) -> Judged:
        """The same pairs, and different ones of one kind; all of them with None, and where there are none of it."""
        if against is None or self.skilled is None:
            return self
        kind = self.skilled if against == "skilled" else ~self.same & ~self.skilled
        return self.take(self.same | kind) if kind.any() else self

    @property
    def has_both(self) -> bool:
        return bool(self.same.any()) and not bool(self.same.all())

    @property
    def sides(self) -> tuple[Bool[np.ndarray, " n"], ...]:
        """The different pairs and the same ones; where impostors are known, then the random and the skilled ones."""
        different = ~self.same
        if self.skilled is None:
            return different, self.same
        return different, self.same, different & ~self.skilled, self.skilled

    def rates(self, at: Float[np.ndarray, " r"]) -> Float[np.ndarray, "s r"]:
        """What thresholds cost each of the `sides`: FMR, FNMR, FMR of random and of skilled; NaN where one is empty."""
        accepted = np.searchsorted(self.distance, at, side="right")
        with np.errstate(invalid="ignore"):
            shares = [np.append(0, np.cumsum(side))[accepted] / np.float64(side.sum()) for side in self.sides]
        return np.stack([shares[0], 1 - shares[1], *shares[2:]])

    def curve(self) -> Curve:
        return sorted_curve(self.distance, self.same)


def judged(
    distance: Float[np.ndarray, " n"],
    same: Bool[np.ndarray, " n"],
    identity_a: Int[np.ndarray, " n"],
    identity_b: Int[np.ndarray, " n"],
    skilled: Bool[np.ndarray, " n"] | None = None,
) -> Judged:
    """Check and sort pairs."""
    checked(distance, same)
    order = np.argsort(distance, kind="stable")
    pairs = clusters(identity_a[order], identity_b[order])
    both = skilled is not None and bool(skilled.any()) and not bool((same | skilled).all())
    kinds = skilled[order] if skilled is not None and both else None
    return Judged(distance[order].astype(np.float64), same[order], pairs, kinds)


@dataclass(frozen=True)
class Evidence:
    """How much a distance speaks for *same*: linear between knots, constant beyond the outer ones.

    Attributes:
        distance: of the knots, strictly ascending.
        llr: natural log-likelihood ratio of *same* at each knot, never rising, finite.
    """

    distance: Float[np.ndarray, " k"]
    llr: Float[np.ndarray, " k"]

    def at(self, distance: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        return np.asarray(np.interp(distance, self.distance, self.llr))

    def reach(self, level: float) -> float:
        """The largest distance whose ratio is at least `level`; infinite when all, -infinite when none is."""
        last = int(np.searchsorted(-self.llr, -level, side="right")) - 1
        if last < 0 or last == len(self.llr) - 1:
            return -np.inf if last < 0 else np.inf
        along = (self.llr[last] - level) / (self.llr[last] - self.llr[last + 1])
        return float(self.distance[last] + along * (self.distance[last + 1] - self.distance[last]))


def fit_evidence(known: Judged, *, replicates: int, seed: int) -> Evidence:
    """Average isotonic log-likelihood ratios over resampled identities; both classes weigh the same.

    One pseudo-pair of the other class stands beyond either end (Laplace's rule), with the weight of one of the
    effectively independent pairs, so that the ratio stays within what the sample supports.
    """
    bins, positions = _bins(known)
    doubt = 1 / _independent(known, same=False), 1 / _independent(known, same=True)
    total = np.zeros(len(positions))
    used = 0
    for weight in _weights(known.pairs, replicates, seed):
        positive = np.bincount(bins, weight * known.same, len(positions))
        negative = np.bincount(bins, weight * ~known.same, len(positions))
        if positive.sum() > 0 and negative.sum() > 0:
            total += _bounded(positive / positive.sum(), negative / negative.sum(), *doubt)
            used += 1
    return Evidence(positions, np.minimum.accumulate(total / used))


def _weights(pairs: Clusters, replicates: int, seed: int) -> Iterator[Float[np.ndarray, " n"]]:
    yield np.ones(len(pairs.a))
    for draw in draws(pairs.count, replicates, seed):
        yield pairs.weights(draw)


def _bounded(
    positive: Float[np.ndarray, " k"], negative: Float[np.ndarray, " k"], alarm: float, miss: float
) -> Float[np.ndarray, " k"]:
    """Pooled ratio with a different pseudo-pair below the first bin and a same one above the last."""
    llr = pooled_llr(np.concatenate([[0], positive, [miss]]), np.concatenate([[alarm], negative, [0]]))
    return llr[1:-1]


def _bins(known: Judged) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, " k"]]:
    """Bins between quantiles of both classes, denser in the tails; and the mean distance of each, classes balanced."""
    edges = np.unique(np.concatenate([_quantiles(known.distance[known.same]), _quantiles(known.distance[~known.same])]))
    _, bins = np.unique(np.searchsorted(edges, known.distance), return_inverse=True)
    positives = np.count_nonzero(known.same)
    weight = np.where(known.same, 1 / positives, 1 / (len(bins) - positives))
    return bins, np.bincount(bins, weight * known.distance) / np.bincount(bins, weight)


def _quantiles(distance: Float[np.ndarray, " n"]) -> Float[np.ndarray, " k"]:
    reach = np.log(max(len(distance) / 4, 2))
    levels = 1 / (1 + np.exp(-np.linspace(-reach, reach, LEVELS)))
    return distance[np.minimum((levels * len(distance)).astype(int), len(distance) - 1)]


def _independent(known: Judged, *, same: bool) -> float:
    """How many independent pairs a class is worth in the tail that errs: between its identities and its pairs."""
    side = known.take(known.same if same else ~known.same)
    count = len(side.distance)
    errs = np.zeros(count)
    tail = min(max(count // 20 if same else count // 100, 10), max(count // 2, 1))
    errs[slice(count - tail, None) if same else slice(tail)] = 1
    rate = tail / count
    variance = identity_variance((errs - rate) / count, side.pairs)
    worth = rate * (1 - rate) / variance if variance > 0 else side.pairs.count
    return float(np.clip(worth, min(side.pairs.count, count), count))


def threshold(points: Curve, fmr: float | None) -> float:
    """Where both errors are equal (None), or the loosest distance with at most that false match rate."""
    if fmr is not None:
        return float(points.threshold[points.at_fmr(fmr)])
    end, along = points.crossing()
    before, after = points.threshold[end - 1], points.threshold[end]
    return float(after if np.isinf(before) else before + along * (after - before))


def optimism(
    known: Judged, choose: Callable[[Judged], Float[np.ndarray, " r"]], *, seed: int
) -> Float[np.ndarray, "s r"]:
    """How much higher error rates are on identities that did not choose a threshold than on those that did.

    Every pair is judged by thresholds that saw neither of its identities. Only the difference to the rates on the
    choosing pairs is taken (Efron & Tibshirani 1993, 17.6): it is steady, while the thresholds themselves scatter
    from fold to fold.

    Args:
        known: pairs with known answers.
        choose: from some of the pairs to thresholds, always as many.
        seed: of the folds.

    Returns:
        What to add to the rates on the pairs that chose; rows as those of `Judged.rates`.
    """
    gaps, counts = zip(*_held_out(known, choose, _folds(known, np.random.default_rng(seed))), strict=True)
    gap, weight = np.stack(gaps), np.stack(counts)[:, :, None] * np.isfinite(gaps)
    return np.asarray((np.nan_to_num(gap) * weight).sum(axis=0) / np.maximum(weight.sum(axis=0), 1))


def _held_out(
    known: Judged, choose: Callable[[Judged], Float[np.ndarray, " r"]], fold: Int[np.ndarray, " g"]
) -> Iterator[tuple[Float[np.ndarray, "s r"], Int[np.ndarray, " s"]]]:
    """For every two folds: held-out minus fitted rates at thresholds chosen without either; pairs of each side."""
    a, b = fold[known.pairs.a], fold[known.pairs.b]
    for low in range(FOLDS):
        for high in range(low, FOLDS):
            held = known.take((np.minimum(a, b) == low) & (np.maximum(a, b) == high))
            seen = known.take((a != low) & (b != low) & (a != high) & (b != high))
            if len(held.same) and seen.has_both:
                at = choose(seen)
                yield held.rates(at) - seen.rates(at), np.array([side.sum() for side in held.sides])


def _folds(known: Judged, rng: np.random.Generator) -> Int[np.ndarray, " g"]:
    """A fold per identity; those with same pairs are dealt out first, so that every fold has some."""
    has_same = np.zeros(known.pairs.count, bool)
    has_same[known.pairs.a[known.same]] = True
    order = np.lexsort((rng.random(known.pairs.count), ~has_same))
    fold = np.empty(known.pairs.count, np.int64)
    fold[order] = np.arange(known.pairs.count) % FOLDS
    return fold
