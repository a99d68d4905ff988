"""The trained twin: embed, compare, verify, calibrate, evaluate; its folder and its decision.

Names are imported on first use, so that each import costs only what it needs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gemel.siamese.decision import Decision as Decision
    from gemel.siamese.duplication import Duplicates as Duplicates
    from gemel.siamese.duplication import duplicates as duplicates
    from gemel.siamese.embedding import Embedded as Embedded
    from gemel.siamese.embedding import Embeddings as Embeddings
    from gemel.siamese.evaluation import Evaluation as Evaluation
    from gemel.siamese.evaluation import evaluate as evaluate
    from gemel.siamese.grades import Grades as Grades
    from gemel.siamese.grading import Grading as Grading
    from gemel.siamese.grading import grade as grade
    from gemel.siamese.operating import Method as Method
    from gemel.siamese.operating import OperatingPoint as OperatingPoint
    from gemel.siamese.trained import Trained as Trained
    from gemel.siamese.twin import Siamese as Siamese
    from gemel.siamese.verdict import Verdict as Verdict

_HOMES = {
    "Decision": "decision",
    "Duplicates": "duplication",
    "Embedded": "embedding",
    "Embeddings": "embedding",
    "Evaluation": "evaluation",
    "Grades": "grades",
    "Grading": "grading",
    "Method": "operating",
    "OperatingPoint": "operating",
    "Siamese": "twin",
    "Trained": "trained",
    "Verdict": "verdict",
    "duplicates": "duplication",
    "evaluate": "evaluation",
    "grade": "grading",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
