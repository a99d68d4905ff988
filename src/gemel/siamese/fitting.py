"""A decision fitted on distances with known answers, and what its thresholds cost, told from cross-fitting.

Fitted on identities that training never saw. Arrays in, a value out; knows no encoder and no items.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gemel.errors import DataError, NotEnoughData
from gemel.measure.calibration import Against, Judged, fit_evidence, judged, optimism, threshold
from gemel.measure.verification import FMRS, unsupported
from gemel.siamese.costs import Costs
from gemel.siamese.decision import Decision, bayes, logit
from gemel.siamese.operating import Counts, Knot, Method, OperatingPoint, point_name

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

FEWEST = 5
"""Identities with same pairs below which nothing is calibrated."""
REPLICATES = 200
"""Identity bootstraps that the final fit averages; each cross-fit takes a tenth."""


def fit_decision(
    distance: Float[np.ndarray, " n"],
    same: Bool[np.ndarray, " n"],
    identity_a: Int[np.ndarray, " n"],
    identity_b: Int[np.ndarray, " n"],
    *,
    method: Method,
    prior: float = 0.5,
    fmrs: Sequence[float] = FMRS,
    seed: int = 0,
    assumed: bool = False,
    skilled: Bool[np.ndarray, " n"] | None = None,
) -> Decision:
    """Calibrate on pairs whose identities training, stopping and testing never saw.

    Args:
        distance: of each pair, smaller is closer, finite.
        same: whether each pair is the same. Same and different weigh the same, however many there are.
        identity_a, identity_b: the identities each pair rests on: for a skilled forgery twice the one it pretends
            to be, for explicit pairs the connected component.
        method: how the pairs were compared.
        prior: probability of *same* in use.
        fmrs: false match rates to find thresholds for; those that the identities cannot support are left out.
        seed: of folds and bootstraps.
        assumed: whether the different pairs are random ones that nobody labelled.
        skilled: which different pairs are an impostor and the identity that it imitates. Their false match rates
            are told from those of the others, and thresholds are found for either.

    Raises:
        NotEnoughData: fewer than 5 identities with same pairs, or no different pair.
    """
    logit(prior)
    counts = replace(_enough(distance, same, identity_a, identity_b), assumed=assumed)
    known = judged(distance, same, identity_a, identity_b, skilled)
    if known.skilled is not None:
        rest = known.pairs.take(known.skilled)
        counts = replace(counts, skilled=len(rest.a), skilled_identities=rest.count)
    rules = (_Rule(), *(rule for kind in _kinds(known) for rule in _supported(known, fmrs, kind)))
    evidence = fit_evidence(known, replicates=REPLICATES, seed=seed)
    extra = optimism(known, _chooser(rules, evidence.llr, seed), seed=seed)
    costs = Costs(known)
    ats = [rule.threshold(known) for rule in rules]
    rates = [costs.at(at, gap) for at, gap in zip([*ats, *evidence.distance], extra.T, strict=True)]
    points = [OperatingPoint(rule.name, at, *cost) for rule, at, cost in zip(rules, ats, rates, strict=False)]
    drawn = zip(evidence.distance.tolist(), evidence.llr.tolist(), rates[len(rules) :], strict=True)
    knots = tuple(Knot(at, llr, *cost) for at, llr, cost in drawn)
    return Decision(method, prior, knots, (bayes(knots, evidence, prior), *points), counts)


@dataclass(frozen=True)
class _Rule:
    """Where both errors are equal, or the loosest threshold of a false match rate, of one kind of different pairs."""

    fmr: float | None = None
    against: Against | None = None

    @property
    def name(self) -> str:
        return "eer" if self.fmr is None else point_name(self.fmr, self.against)

    def threshold(self, known: Judged) -> float:
        return threshold(known.facing(self.against).curve(), self.fmr)


def _kinds(known: Judged) -> tuple[Against | None, ...]:
    return (None,) if known.skilled is None else ("random", "skilled")


def _supported(known: Judged, fmrs: Sequence[float], against: Against | None) -> list[_Rule]:
    """A rule for every rate that can be claimed from the identities of these different pairs."""
    facing = known.facing(against)
    independent = facing.pairs.take(~facing.same).count
    return [_Rule(fmr, against) for fmr in fmrs if not unsupported(fmr, independent)]


def _chooser(
    rules: tuple[_Rule, ...], levels: Float[np.ndarray, " k"], seed: int
) -> Callable[[Judged], Float[np.ndarray, " r"]]:
    """How thresholds are chosen on some pairs: by rule, and where the ratio falls to each level."""

    def choose(seen: Judged) -> Float[np.ndarray, " r"]:
        evidence = fit_evidence(seen, replicates=REPLICATES // 10, seed=seed)
        return np.array([*(rule.threshold(seen) for rule in rules), *(evidence.reach(float(x)) for x in levels)])

    return choose


def _enough(
    distance: Float[np.ndarray, " n"],
    same: Bool[np.ndarray, " n"],
    identity_a: Int[np.ndarray, " n"],
    identity_b: Int[np.ndarray, " n"],
) -> Counts:
    if not len(distance) == len(same) == len(identity_a) == len(identity_b):
        raise DataError("Distances, answers and both identities must have one value per pair.")
    sides = np.stack([identity_a, identity_b])
    counts = Counts(
        identities=len(np.unique(sides)),
        same_identities=len(np.unique(sides[:, same])),
        different_identities=len(np.unique(sides[:, ~same])),
        same=int(np.count_nonzero(same)),
        different=int(np.count_nonzero(~same)),
    )
    if counts.same_identities < FEWEST or counts.different == 0:
        raise NotEnoughData(
            f"A decision takes at least {FEWEST} identities with two items or more, and different pairs; there are "
            f"{counts.same_identities} such identities and {counts.different} different pairs. "
            "Hold out more identities, or add items."
        )
    return counts
