"""What a decision is made of: the method it holds for, its knots, its operating points, what it was fitted on.

Values only, and their plain JSON form. Knows no fitting and no items.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from gemel.errors import DataError
from gemel.measure.calibration import Against
from gemel.measure.intervals import Interval, independent_needed
from gemel.measure.references import POOLS

SINGLE = "single"
"""How one reference is pooled."""


@dataclass(frozen=True)
class Method:
    """How two sides are compared. A decision holds for exactly one, also for exactly so many references.

    Attributes:
        distance: name of the distance.
        dim: dimensions of the embeddings that are compared.
        precision: number format they were computed in: fp32, bf16, fp16, int8.
        references: items of the claimed identity on one side, 1 or more.
        pooling: how the distances to several references become one, as in `gemel.measure.pooled`: mean, minimum,
            trimmed; single for one.
        branches: names of the two branches of a cross-modal twin, or of the one of them that both items are of; empty
            when both sides share an encoder.
        head: which pair head looks at the two embeddings once more; empty: none.
        normalised: to what power it is divided by the mean distance of the references among each other; 0: not.
    """

    distance: str
    dim: int
    precision: str = "fp32"
    references: int = 1
    pooling: str = SINGLE
    branches: tuple[str, ...] = ()
    head: str = ""
    normalised: float = 0.0

    def facing(self, references: int | None, pool: str = "mean", *, normalise: float = 0.0) -> Self:
        """The same, against several references of one identity; with None, for two items as it is.

        Raises:
            DataError: fewer than two references, an unknown way of pooling, or sides of two branches.
        """
        if references is None:
            if pool != "mean" or normalise:
                raise DataError("pool and normalise are about references; say with refs how many there are.")
            return self
        if len(self.branches) > 1:
            raise DataError(
                f"This twin compares {' with '.join(self.branches)}, and references are items like those compared with "
                "them. Leave out refs, or name the branch that all are of, with branch=… (--branch)."
            )
        if references < 2:
            raise DataError(
                f"refs = {references} must be 2 or more: one reference and an item are a pair, and need no refs."
            )
        if pool not in POOLS:
            raise DataError(f"There is no pooling {pool!r}; choose one of {', '.join(POOLS)}.")
        if not 0 <= normalise <= 1:
            raise DataError(f"normalise = {normalise} must lie in [0, 1]: 0, not at all; 1, in full.")
        return replace(self, references=references, pooling=pool, normalised=float(normalise))

    def facing_as(self, other: Method) -> Self:
        """The same, against as many references as another method, pooled as there."""
        return replace(self, references=other.references, pooling=other.pooling, normalised=other.normalised)

    @property
    def alone(self) -> str:
        """The branch that both items are of, where they are of one of two; empty otherwise."""
        return self.branches[0] if len(self.branches) == 1 else ""

    def within(self, branch: str) -> Self:
        """The same for items that are all of one branch."""
        return replace(self, branches=(branch,))

    @property
    def pairwise(self) -> Self:
        """The same for two items."""
        return replace(self, references=1, pooling=SINGLE, normalised=0.0)

    @property
    def sides(self) -> str:
        """What an item is compared with, such as `5 references (mean, normalised)`; of one branch, by its name."""
        if self.references == 1:
            return f"another {self.alone or 'item'}"
        power = "" if self.normalised == 1 else f" to the power {self.normalised:g}"
        of = f"{self.alone} " if self.alone else ""
        return f"{self.references} {of}references ({self.pooling}{f', normalised{power}' if self.normalised else ''})"

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read what `asdict` gave, after JSON. Raises TypeError, KeyError or DataError where it is something else."""
        method = cls(**value | {"branches": tuple(value["branches"])})
        how = method.references, method.pooling, method.normalised
        return method if how == (1, SINGLE, 0) else method.facing(how[0], how[1], normalise=how[2])


@dataclass(frozen=True)
class Apart:
    """The false match rates of the two kinds of different pairs, each by itself.

    Attributes:
        random: share accepted of pairs of two identities, 0 to 1.
        random_interval: over samples of identities.
        skilled: share accepted of impostors (`impostor_of`) with the identity that they imitate, 0 to 1.
        skilled_interval: over samples of identities.
    """

    random: float
    random_interval: Interval
    skilled: float
    skilled_interval: Interval


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and what it costs on identities that did not choose it.

    Attributes:
        name: bayes (as likely same as different at the prior), eer, or fmr=1e-2 and the like; where impostors are
            known, fmr_random=1e-2 and fmr_skilled=1e-2.
        threshold: largest distance that is accepted; infinite when all, -infinite when nothing is.
        fmr: share of different pairs accepted, 0 to 1; where impostors are known, of both kinds together in whatever
            proportion the pairs came, so that only `apart` says what to expect where that is another.
        fmr_interval: over samples of identities.
        fnmr: share of same pairs rejected, 0 to 1.
        fnmr_interval: over samples of identities.
        apart: the share of either kind of different pairs; None where there is one kind only.
    """

    name: str
    threshold: float
    fmr: float
    fmr_interval: Interval
    fnmr: float
    fnmr_interval: Interval
    apart: Apart | None = None

    @property
    def kinds(self) -> Apart:
        """The share of either kind of different pairs accepted; the same for both where one kind only is known."""
        return self.apart or Apart(self.fmr, self.fmr_interval, self.fmr, self.fmr_interval)


@dataclass(frozen=True)
class Knot:
    """One point of the calibration.

    Attributes:
        distance: ascending from knot to knot.
        llr: natural log-likelihood ratio of *same*, never rising from knot to knot.
        fmr, fnmr, apart: error rates when this distance is the threshold, as those of an operating point.
    """

    distance: float
    llr: float
    fmr: float
    fmr_interval: Interval
    fnmr: float
    fnmr_interval: Interval
    apart: Apart | None = None


@dataclass(frozen=True)
class Counts:
    """What a decision was fitted on.

    Attributes:
        identities: identities that any pair rests on.
        same_identities: identities with same pairs.
        different_identities: identities that different pairs rest on; what limits the false match rates.
        same, different: pairs of either kind.
        assumed: whether the different ones are random pairs that nobody labelled.
        skilled: different pairs of an impostor with the identity that it imitates.
        skilled_identities: identities that those rest on.
    """

    identities: int
    same_identities: int
    different_identities: int
    same: int
    different: int
    assumed: bool = False
    skilled: int = 0
    skilled_identities: int = 0


def point_name(fmr: float, against: Against | None = None) -> str:
    """The name of the operating point at a false match rate, of one kind of different pairs.

    >>> point_name(0.01), point_name(0.01, "skilled")
    ('fmr=1e-2', 'fmr_skilled=1e-2')
    """
    independent_needed(fmr)
    digits, power = f"{fmr:.6e}".split("e")
    return f"fmr{f'_{against}' if against else ''}={float(digits):g}e{int(power)}"


def plain(value: Knot | OperatingPoint) -> dict[str, Any]:
    """Fields as JSON values; an infinite threshold as text, which strict JSON lacks a number for."""
    return {k: str(v) if isinstance(v, float) and math.isinf(v) else v for k, v in asdict(value).items()}


def typed(value: dict[str, Any]) -> dict[str, Any]:
    """Fields from what `plain` made."""
    return {name: _typed(name, field) for name, field in value.items()}


def _typed(name: str, field: Any) -> Any:
    if name == "apart":
        return None if field is None else Apart(**typed(field))
    return Interval(**field) if isinstance(field, dict) else field if name == "name" else float(field)
