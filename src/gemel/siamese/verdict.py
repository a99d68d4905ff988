"""The answer to "are these two the same?", and how a decision gives it.

Knows distances as numbers only; where they come from is known in `twin.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from gemel.errors import DataError, NotCalibrated
from gemel.measure.calibration import Against
from gemel.siamese.decision import Decision
from gemel.siamese.grades import Grades
from gemel.siamese.operating import Method

Fitted = TypeVar("Fitted", Decision, Grades)


@dataclass(frozen=True)
class Verdict:
    """Whether two items are the same.

    Attributes:
        same: the answer; None: undecided, for neither answer is as probable as was asked.
        probability: of *same*, 0 to 1, at the prior in force.
        distance: how far apart the two are, by the method's distance.
        threshold: largest distance that counts as the same.
        point: name of the operating point the threshold belongs to: `bayes`, `fmr=…`, or `fmr_skilled=…` or
            `fmr_random=…` where calibration knew impostors.
        llr: natural log-likelihood ratio of *same*: what the two items say, whatever the prior.
        references: items of one identity that the decision compares with; 1 for two items.
        branch: the one that all of them are of, where the twin has two and this is the decision of one; else empty.
    """

    same: bool | None
    probability: float
    distance: float
    threshold: float
    point: str
    llr: float = math.nan
    references: int = 1
    branch: str = ""

    def __bool__(self) -> bool:
        raise TypeError("A verdict can be undecided; look at .same, which is True, False or None.")


def judged(
    decision: Decision,
    distance: float,
    *,
    fmr: float | None = None,
    against: Against | None = None,
    prior: float | None = None,
    certainty: float | None = None,
) -> Verdict:
    """The verdict at a distance.

    Args:
        decision: from distance to probability.
        distance: how far apart, by the decision's own method.
        fmr: accept up to the threshold of this false match rate; None: whatever is more probable.
        against: the kind of different pairs that the rate is about, as in `Decision.asked`.
        prior: probability of *same* before looking, between 0 and 1; None: the decision's own.
        certainty: stay undecided unless one answer is at least this probable, 0.5 to 1; None: always decide.

    Raises:
        NotCalibrated: there is no threshold for that false match rate.
        DataError: `prior` or `certainty` is out of range.
    """
    if certainty is not None and not 0.5 <= certainty <= 1:
        raise DataError(f"certainty lies from 0.5 to 1, and came as {certainty}.")
    decision = decision if prior is None else decision.at(prior)
    probability = float(decision.probability(distance))
    point = decision.asked(fmr, against)
    unsure = certainty is not None and max(probability, 1 - probability) < certainty
    same = None if unsure else distance <= point.threshold
    llr = float(decision.evidence.at(np.asarray(distance, np.float64)))
    how = decision.method
    return Verdict(same, probability, distance, point.threshold, point.name, llr, how.references, how.alone)


def fitted_for(fitted: Sequence[Fitted], method: Method) -> Fitted | None:
    """The one that belongs to a method, if there is one."""
    return next((each for each in fitted if each.method == method), None)


def alike(fitted: Sequence[Fitted], method: Method) -> list[Fitted]:
    """Those that differ from a method of comparing two items in no more than references, by how many these are."""
    found = [each for each in fitted if each.method.pairwise == method]
    return sorted(found, key=lambda each: each.method.references)


def usable(fitted: Sequence[Fitted], method: Method) -> list[Fitted]:
    """Those that a twin of this method can judge by; of two branches, those of both together, then of each alone."""
    ways = [method, *(method.within(branch) for branch in method.branches)]
    return [each for way in ways for each in alike(fitted, way)]


def applicable(decisions: Sequence[Decision], method: Method, references: int = 1, *, graded: bool = False) -> Decision:
    """The decision that was fitted for this method of comparing, and for so many references.

    Args:
        decisions: the twin's.
        method: how two items are compared now.
        references: how many of one identity an item is compared with.
        graded: whether the twin was calibrated on scores.

    Raises:
        NotCalibrated: there is none; says how to get one.
    """
    near = alike(decisions, method)
    found = next((each for each in near if each.method.references == references), None)
    if found is not None:
        return found
    there = " or ".join(each.method.sides for each in near)
    flag, argument = (f" --branch {method.alone}", f', branch="{method.alone}"') if method.alone else ("", "")
    if references > 1:
        raise NotCalibrated(
            f"There is no decision for {references} references"
            f"{f', only for {there}: it holds for as many as it was fitted on' if near else ''}. Calibrate on "
            f"identities that training never saw: `gemel calibrate MODEL DATA{flag} --refs {references} --pool mean "
            f'--normalise 0.5`, or twin.calibrate(data{argument}, refs={references}, pool="mean", normalise=0.5).'
        )
    if graded:
        raise NotCalibrated(
            "This twin was calibrated on scores: score(a, b) gives one, and a verdict takes a cut, the score from "
            f"which on two items are the same: `gemel calibrate MODEL DATA{flag} --cut 0.8`, or "
            f"twin.calibrate(data{argument}, cut=0.8)."
        )
    how = (
        f"Calibrate on identities that training never saw: `gemel calibrate MODEL DATA{flag}`, or "
        f"twin.calibrate(data{argument})."
    )
    if not decisions:
        raise NotCalibrated(f"This twin has no decision yet, so a distance cannot become a verdict. {how}")
    if method.alone and not near:
        raise NotCalibrated(
            f"There is no decision about {method.alone} with {method.alone}, and both items are of one branch: there "
            f"is a distance between them, but no verdict. {how}"
        )
    if near:
        raise NotCalibrated(f"This twin has no decision for two items, only against {there}. {how}")
    differ = _differing(decisions[0].method, method)
    raise NotCalibrated(f"The decision belongs to another method of comparing ({differ}). {how}")


def _differing(before: Method, now: Method) -> str:
    return ", ".join(
        f"{name} is {getattr(now, name)!r} and was {getattr(before, name)!r}"
        for name in Method.__dataclass_fields__
        if getattr(now, name) != getattr(before, name)
    )
