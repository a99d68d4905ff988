"""The first dimensions of an embedding as an embedding (Kusupati et al. 2022, Matryoshka), where training promised it.

Knows twins and their methods; no items.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gemel.errors import ModelError
from gemel.siamese.branches import BranchEncoders
from gemel.siamese.decision import Decision
from gemel.siamese.grades import Grades
from gemel.siamese.onnx import OnnxEncoder

if TYPE_CHECKING:
    from gemel.siamese.twin import Siamese


@dataclass(frozen=True)
class Prefixed:
    """What was calibrated for one length.

    Attributes:
        dim: the length.
        decision, grades: as those of a twin.
    """

    dim: int
    decision: Decision | None = None
    grades: Grades | None = None

    def json(self) -> dict[str, Any]:
        """As plain JSON values; `from_json` restores it exactly."""
        decision, grades = (None if part is None else part.json() for part in (self.decision, self.grades))
        return {"dim": self.dim, "decision": decision, "grades": grades}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Prefixed:
        """Read what `json` wrote. Raises ModelError when it is something else."""
        try:
            decision, grades = value["decision"], value["grades"]
            return cls(
                int(value["dim"]),
                None if decision is None else Decision.from_json(decision),
                None if grades is None else Grades.from_json(grades),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"The decisions of prefixes are damaged ({error!r}); calibrate the model again.") from None


def promised(twin: Siamese) -> tuple[int, ...]:
    """How many first dimensions are embeddings too, fewer than all of them."""
    words = str(twin.recipe.get("prefixes") or "").split(",")
    return tuple(sorted({int(word) for word in words if word and int(word) < twin.method.dim}))


def shortened(twin: Siamese, dim: int) -> Siamese:
    """The twin of the first `dim` dimensions; arguments and errors as in `Siamese.prefix`."""
    if dim == twin.method.dim:
        return twin
    if dim not in promised(twin) or not isinstance(twin.encoder, OnnxEncoder | BranchEncoders):
        there = ", ".join(map(str, (*promised(twin), twin.method.dim)))
        raise ModelError(
            f"This twin has no embeddings of {dim} dimensions, but of {there}. Shorter ones are promised in "
            f"training: gemel train DATA --prefixes {dim}."
        )
    method = replace(twin.method, dim=dim, head="")
    known = next((prefixed for prefixed in twin.prefixed if prefixed.dim == dim), Prefixed(dim))
    return twin.but(
        encoder=twin.encoder.but(first=dim),
        method=method,
        head=None,
        decision=known.decision,
        grades=known.grades,
        prefixed=(),
    )
