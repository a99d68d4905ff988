"""What a decision is made of: the method it holds for, its knots, its operating points, what it was fitted on.

Values only, and their plain JSON form. Knows no fitting and no items.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from gemel.measure.intervals import Interval, independent_needed


@dataclass(frozen=True)
class Method:
    """How two sides are compared. A decision holds for exactly one.

    Attributes:
        distance: name of the distance.
        dim: dimensions of the embeddings that are compared.
        precision: number format they were computed in: fp32, bf16, fp16, int8.
        references: examples of the claimed identity on one side.
        pooling: how several references become one distance: single, mean, centroid, nearest.
        branches: names of the two branches of a cross-modal twin; empty when both sides share one.
        head: which pair head looks at the two embeddings once more; empty: none.
    """

    distance: str
    dim: int
    precision: str = "fp32"
    references: int = 1
    pooling: str = "single"
    branches: tuple[str, ...] = ()
    head: str = ""


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and what it costs on identities that did not choose it.

    Attributes:
        name: bayes (as likely same as different at the prior), eer, or fmr=1e-2 and the like.
        threshold: largest distance that is accepted; infinite when all, -infinite when nothing is.
        fmr: share of different pairs accepted, 0 to 1.
        fmr_interval: over samples of identities.
        fnmr: share of same pairs rejected, 0 to 1.
        fnmr_interval: over samples of identities.
    """

    name: str
    threshold: float
    fmr: float
    fmr_interval: Interval
    fnmr: float
    fnmr_interval: Interval


@dataclass(frozen=True)
class Knot:
    """One point of the calibration.

    Attributes:
        distance: ascending from knot to knot.
        llr: natural log-likelihood ratio of *same*, never rising from knot to knot.
        fmr, fnmr: error rates when this distance is the threshold, with their intervals.
    """

    distance: float
    llr: float
    fmr: float
    fmr_interval: Interval
    fnmr: float
    fnmr_interval: Interval


@dataclass(frozen=True)
class Counts:
    """What a decision was fitted on.

    Attributes:
        identities: identities that any pair rests on.
        same_identities: identities with same pairs.
        different_identities: identities that different pairs rest on; what limits the false match rates.
        same, different: pairs of either kind.
        assumed: whether the different ones are random pairs that nobody labelled.
    """

    identities: int
    same_identities: int
    different_identities: int
    same: int
    different: int
    assumed: bool = False


def point_name(fmr: float) -> str:
    """The name of the operating point at a false match rate.

    >>> point_name(0.01)
    'fmr=1e-2'
    """
    independent_needed(fmr)
    digits, power = f"{fmr:.6e}".split("e")
    return f"fmr={float(digits):g}e{int(power)}"


def plain(value: Knot | OperatingPoint) -> dict[str, Any]:
    """Fields as JSON values; an infinite threshold as text, which strict JSON lacks a number for."""
    return {k: str(v) if isinstance(v, float) and math.isinf(v) else v for k, v in asdict(value).items()}


def typed(value: dict[str, Any]) -> dict[str, Any]:
    """Fields from what `plain` made."""
    fields: dict[str, Any] = {}
    for name, field in value.items():
        is_interval = isinstance(field, dict)
        fields[name] = Interval(**field) if is_interval else field if name == "name" else float(field)
    return fields
