"""The decision: from a distance to the probability of *same*, and to a verdict at a stated operating point.

Belongs to one method of comparing (distance, precision, references …) and is fitted on identities that training
never saw. Plain numbers, saved as JSON; needs NumPy only. Knows no encoder and no items.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import DataError, ModelError, NotCalibrated, NotEnoughData
from gemel.measure.calibration import Evidence, Judged, fit_evidence, judged, optimism, threshold
from gemel.measure.intervals import Clusters, Interval, rate_interval
from gemel.measure.verification import FMRS, unsupported
from gemel.siamese.operating import Counts, Knot, Method, OperatingPoint, plain, point_name, typed

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

__all__ = ["FEWEST", "Counts", "Decision", "Knot", "Method", "OperatingPoint", "fit_decision", "point_name"]

FEWEST = 5
"""Identities with same pairs below which nothing is calibrated."""
REPLICATES = 200
"""Identity bootstraps that the final fit averages; each cross-fit takes a tenth."""


@dataclass(frozen=True)
class Decision:
    """Distance → probability of *same* at a prior, and thresholds with their costs.

    Attributes:
        method: how the two sides must have been compared.
        prior: probability of *same* before looking, above 0 and below 1.
        knots: the calibration, by ascending distance.
        points: operating points, the one at the prior ("bayes") first.
        counts: what it was fitted on.
    """

    method: Method
    prior: float
    knots: tuple[Knot, ...]
    points: tuple[OperatingPoint, ...]
    counts: Counts

    @cached_property
    def evidence(self) -> Evidence:
        """The log-likelihood ratio as a function of distance."""
        return Evidence(np.array([k.distance for k in self.knots]), np.array([k.llr for k in self.knots]))

    def probability(self, distance: Float[np.ndarray, "..."] | float) -> Float[np.ndarray, "..."]:
        """Probability of *same*: continuous, and never rising with distance."""
        llr = self.evidence.at(np.asarray(distance, np.float64))
        return np.asarray(1 / (1 + np.exp(-(llr + _logit(self.prior)))))

    def threshold(self, fmr: float | None = None) -> float:
        """Largest distance to accept: as likely same as different at the prior, or at a false match rate.

        Raises:
            NotCalibrated: there is no operating point at that rate.
        """
        return self.asked(fmr).threshold

    def asked(self, fmr: float | None) -> OperatingPoint:
        """The operating point at a false match rate; None: where either answer is as probable, at the prior.

        Raises:
            NotCalibrated: there is no operating point at that rate.
        """
        return self.point("bayes" if fmr is None else point_name(fmr))

    def point(self, name: str) -> OperatingPoint:
        """The operating point of that name.

        Raises:
            NotCalibrated: there is none; says how many identities it takes.
        """
        for point in self.points:
            if point.name == name:
                return point
        there = ", ".join(point.name for point in self.points)
        raise NotCalibrated(f"There is no operating point {name!r}; there are {there}. {self._missing(name)}")

    def at(self, prior: float) -> Decision:
        """The same evidence at another prior."""
        bayes = _bayes(self.knots, self.evidence, prior)
        return replace(self, prior=prior, points=(bayes, *(p for p in self.points if p.name != "bayes")))

    def json(self) -> dict[str, Any]:
        """As plain JSON values; `from_json` restores it exactly."""
        return {
            "method": asdict(self.method) | {"branches": list(self.method.branches)},
            "prior": self.prior,
            "knots": [plain(knot) for knot in self.knots],
            "points": [plain(point) for point in self.points],
            "counts": asdict(self.counts),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Decision:
        """Read what `json` wrote.

        Raises:
            ModelError: it is something else.
        """
        try:
            method = Method(**value["method"] | {"branches": tuple(value["method"]["branches"])})
            knots = tuple(Knot(**typed(knot)) for knot in value["knots"])
            points = tuple(OperatingPoint(**typed(point)) for point in value["points"])
            return cls(method, float(value["prior"]), knots, points, Counts(**value["counts"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"The decision is damaged ({error!r}); calibrate the model again.") from None

    def _missing(self, name: str) -> str:
        if not name.startswith("fmr="):
            return ""
        fmr = float(name.removeprefix("fmr="))
        lacking = unsupported(fmr, self.counts.different_identities)
        return f"{lacking} Calibrate with more identities." if lacking else f"Calibrate with fmrs=(…, {fmr:g})."


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

    Raises:
        NotEnoughData: fewer than 5 identities with same pairs, or no different pair.
    """
    _logit(prior)
    counts = replace(_enough(distance, same, identity_a, identity_b), assumed=assumed)
    known = judged(distance, same, identity_a, identity_b)
    rules = (None, *(f for f in fmrs if not unsupported(f, counts.different_identities)))
    evidence = fit_evidence(known, replicates=REPLICATES, seed=seed)
    extra = optimism(known, _chooser(rules, evidence.llr, seed), seed=seed)
    rates = _Rates(known)
    ats = [threshold(known.curve(), rule) for rule in rules]
    costs = [rates.at(at, *gap) for at, *gap in zip([*ats, *evidence.distance], extra.fmr, extra.fnmr, strict=True)]
    points = [OperatingPoint(_name(rule), at, *cost) for rule, at, cost in zip(rules, ats, costs, strict=False)]
    drawn = zip(evidence.distance.tolist(), evidence.llr.tolist(), costs[len(rules) :], strict=True)
    knots = tuple(Knot(at, llr, *cost) for at, llr, cost in drawn)
    return Decision(method, prior, knots, (_bayes(knots, evidence, prior), *points), counts)


def _name(rule: float | None) -> str:
    return "eer" if rule is None else point_name(rule)


def _chooser(
    rules: tuple[float | None, ...], levels: Float[np.ndarray, " k"], seed: int
) -> Callable[[Judged], Float[np.ndarray, " r"]]:
    """How thresholds are chosen on some pairs: by rule, and where the ratio falls to each level."""

    def choose(seen: Judged) -> Float[np.ndarray, " r"]:
        evidence, curve = fit_evidence(seen, replicates=REPLICATES // 10, seed=seed), seen.curve()
        return np.array([*(threshold(curve, rule) for rule in rules), *(evidence.reach(float(x)) for x in levels)])

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


class _Rates:
    """What a threshold costs: rates corrected for optimism, with their intervals over identities."""

    def __init__(self, known: Judged) -> None:
        self.known = known
        self.positive = known.pairs.take(known.same)
        self.negative = known.pairs.take(~known.same)

    def at(self, threshold: float, fmr_gap: float, fnmr_gap: float) -> tuple[float, Interval, float, Interval]:
        accepted, same = self.known.distance <= threshold, self.known.same
        fmr = self._rate(accepted[~same], fmr_gap, self.negative)
        return *fmr, *self._rate(~accepted[same], fnmr_gap, self.positive)

    @staticmethod
    def _rate(hit: Bool[np.ndarray, " n"], gap: float, pairs: Clusters) -> tuple[float, Interval]:
        """The rate that is expected elsewhere; the interval of the one seen, stretched as far as the correction."""
        seen = rate_interval(hit, pairs)
        low, high = seen.low + min(gap, 0), seen.high + max(gap, 0)
        rate = float(np.clip(hit.mean() + gap, 0, 1))
        return rate, Interval(max(float(low), 0.0), min(float(high), 1.0), seen.level)


def _bayes(knots: tuple[Knot, ...], evidence: Evidence, prior: float) -> OperatingPoint:
    """The operating point at a prior; rates are linear between the knots."""
    reach = evidence.reach(-_logit(prior))
    if math.isinf(reach):
        accepted = float(reach > 0)
        certain = Interval(accepted, accepted), Interval(1 - accepted, 1 - accepted)
        return OperatingPoint("bayes", reach, accepted, certain[0], 1 - accepted, certain[1])

    def read(*values: float) -> float:
        return float(np.interp(reach, evidence.distance, values))

    def interval(*values: Interval) -> Interval:
        return Interval(read(*(v.low for v in values)), read(*(v.high for v in values)), values[0].level)

    return OperatingPoint(
        "bayes",
        reach,
        read(*(k.fmr for k in knots)),
        interval(*(k.fmr_interval for k in knots)),
        read(*(k.fnmr for k in knots)),
        interval(*(k.fnmr_interval for k in knots)),
    )


def _logit(prior: float) -> float:
    if not 0 < prior < 1:
        raise DataError(f"A prior lies above 0 and below 1, and came as {prior}.")
    return math.log(prior / (1 - prior))
