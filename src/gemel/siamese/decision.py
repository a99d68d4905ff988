"""The decision: from a distance to the probability of *same*, and to a verdict at a stated operating point.

Belongs to one method of comparing (distance, precision, references …). Plain numbers, saved as JSON; needs NumPy only.
Knows no encoder and no items; how it is fitted is known in `fitting.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import DataError, ModelError, NotCalibrated
from gemel.measure.calibration import Against, Evidence
from gemel.measure.intervals import Interval
from gemel.measure.verification import unsupported
from gemel.siamese.openset import OpenSet
from gemel.siamese.operating import Apart, Counts, Knot, Method, OperatingPoint, plain, point_name, typed

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["Counts", "Decision", "Knot", "Method", "OperatingPoint", "point_name"]


@dataclass(frozen=True)
class Decision:
    """Distance → probability of *same* at a prior, and thresholds with their costs.

    Where impostors are known, the probability is that against random pairs and impostors in the proportion in which
    calibration met them.

    Attributes:
        method: how the two sides must have been compared.
        prior: probability of *same* before looking, above 0 and below 1.
        knots: the calibration, by ascending distance.
        points: operating points, the one at the prior ("bayes") first.
        counts: what it was fitted on.
        open_set: thresholds for one item among many; None where there were too few identities to find them.
    """

    method: Method
    prior: float
    knots: tuple[Knot, ...]
    points: tuple[OperatingPoint, ...]
    counts: Counts
    open_set: OpenSet | None = None

    @cached_property
    def evidence(self) -> Evidence:
        """The log-likelihood ratio as a function of distance."""
        return Evidence(np.array([k.distance for k in self.knots]), np.array([k.llr for k in self.knots]))

    def probability(self, distance: Float[np.ndarray, "..."] | float) -> Float[np.ndarray, "..."]:
        """Probability of *same*: continuous, and never rising with distance."""
        llr = self.evidence.at(np.asarray(distance, np.float64))
        return np.asarray(1 / (1 + np.exp(-(llr + logit(self.prior)))))

    def threshold(self, fmr: float | None = None, against: Against | None = None) -> float:
        """Largest distance to accept; arguments and errors as in `asked`."""
        return self.asked(fmr, against).threshold

    def asked(self, fmr: float | None, against: Against | None = None) -> OperatingPoint:
        """The operating point that is asked for.

        Args:
            fmr: a false match rate; None: where either answer is as probable, at the prior.
            against: the kind of different pairs that the rate is about, where calibration knew impostors: random
                ones, or the skilled. None: neither kind exceeds it, so nor does any mixture of them.

        Raises:
            NotCalibrated: there is no operating point at that rate.
            DataError: `against` without a rate.
        """
        if fmr is None:
            if against is not None:
                raise DataError(f"against = {against} is about a false match rate; name that too, with fmr.")
            return self.point("bayes")
        if self.points[0].apart is None:
            if against is not None:
                raise NotCalibrated(
                    f"This decision knows no false match rate of {against} pairs by themselves: calibration met no "
                    "impostors. Calibrate with data that names them (impostor_of), or leave out against."
                )
            return self.point(point_name(fmr))
        kinds: tuple[Against, ...] = ("skilled", "random") if against is None else (against,)
        return min((self.point(point_name(fmr, kind)) for kind in kinds), key=lambda point: point.threshold)

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
        first = bayes(self.knots, self.evidence, prior)
        return replace(self, prior=prior, points=(first, *(p for p in self.points if p.name != "bayes")))

    def json(self) -> dict[str, Any]:
        """As plain JSON values; `from_json` restores it exactly."""
        return {
            "method": asdict(self.method) | {"branches": list(self.method.branches)},
            "prior": self.prior,
            "knots": [plain(knot) for knot in self.knots],
            "points": [plain(point) for point in self.points],
            "counts": asdict(self.counts),
            **({} if self.open_set is None else {"open_set": self.open_set.json()}),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Decision:
        """Read what `json` wrote.

        Raises:
            ModelError: it is something else.
        """
        try:
            method = Method.from_json(value["method"])
            knots = tuple(Knot(**typed(knot)) for knot in value["knots"])
            points = tuple(OperatingPoint(**typed(point)) for point in value["points"])
            among = OpenSet.from_json(value["open_set"]) if "open_set" in value else None
            return cls(method, float(value["prior"]), knots, points, Counts(**value["counts"]), among)
        except (KeyError, TypeError, ValueError, DataError) as error:
            raise ModelError(f"The decision is damaged ({error!r}); calibrate the model again.") from None

    def _missing(self, name: str) -> str:
        kind, _, rate = name.partition("=")
        if not rate:
            return ""
        fmr, skilled = float(rate), kind == "fmr_skilled"
        lacking = unsupported(fmr, self.counts.skilled_identities if skilled else self.counts.different_identities)
        return f"{lacking} Calibrate with more identities." if lacking else f"Calibrate with fmrs=(…, {fmr:g})."


def bayes(knots: tuple[Knot, ...], evidence: Evidence, prior: float) -> OperatingPoint:
    """The operating point at a prior; rates are linear between the knots."""
    reach = evidence.reach(-logit(prior))

    def read(values: Iterable[float]) -> float:
        return float(np.interp(reach, evidence.distance, list(values)))

    def rate(values: list[float], intervals: list[Interval], *, of_same: bool = False) -> tuple[float, Interval]:
        if math.isinf(reach):
            certain = float((reach > 0) != of_same)
            return certain, Interval(certain, certain)
        low, high = read(i.low for i in intervals), read(i.high for i in intervals)
        return read(values), Interval(low, high, intervals[0].level)

    fmr = rate([k.fmr for k in knots], [k.fmr_interval for k in knots])
    fnmr = rate([k.fnmr for k in knots], [k.fnmr_interval for k in knots], of_same=True)
    kinds = [knot.apart for knot in knots if knot.apart is not None]
    if not kinds:
        return OperatingPoint("bayes", reach, *fmr, *fnmr)
    random = rate([k.random for k in kinds], [k.random_interval for k in kinds])
    skilled = rate([k.skilled for k in kinds], [k.skilled_interval for k in kinds])
    return OperatingPoint("bayes", reach, *fmr, *fnmr, Apart(*random, *skilled))


def logit(prior: float) -> float:
    if not 0 < prior < 1:
        raise DataError(f"A prior lies above 0 and below 1, and came as {prior}.")
    return math.log(prior / (1 - prior))
