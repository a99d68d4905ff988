"""How good: pure functions of distances, embeddings and labels, with intervals over identities.

Arrays in, frozen values out. Prints nothing, knows no model, needs NumPy only. Names are imported when first
used, so that `import gemel` stays quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gemel.measure.curve import (
        BestAccuracy,
        BestF1,
        Curve,
        accuracy,
        auc,
        average_precision,
        best_accuracy,
        best_f1,
        curve_of,
        eer,
        f1,
        fnmr_at_fmr,
        threshold_at_fmr,
    )
    from gemel.measure.fewshot import FewShot, few_shot, score_trials
    from gemel.measure.graded import Graded, graded_of, rank_error
    from gemel.measure.intervals import Clusters, Interval, clusters, independent_needed, mean_interval, rate_interval
    from gemel.measure.likelihood import cllr, min_cllr
    from gemel.measure.pairing import PairSample, owners, pairs_of
    from gemel.measure.references import pooled, scored
    from gemel.measure.retrieval import Recall, Retrieval, Searched, retrieval_of
    from gemel.measure.trials import Trials, trials_of
    from gemel.measure.verification import AtFmr, Verification, unsupported, verification_of

__all__ = [
    "AtFmr",
    "BestAccuracy",
    "BestF1",
    "Clusters",
    "Curve",
    "FewShot",
    "Graded",
    "Interval",
    "PairSample",
    "Recall",
    "Retrieval",
    "Searched",
    "Trials",
    "Verification",
    "accuracy",
    "auc",
    "average_precision",
    "best_accuracy",
    "best_f1",
    "cllr",
    "clusters",
    "curve_of",
    "eer",
    "f1",
    "few_shot",
    "fnmr_at_fmr",
    "graded_of",
    "independent_needed",
    "mean_interval",
    "min_cllr",
    "owners",
    "pairs_of",
    "pooled",
    "rank_error",
    "rate_interval",
    "retrieval_of",
    "score_trials",
    "scored",
    "threshold_at_fmr",
    "trials_of",
    "unsupported",
    "verification_of",
]

_HOMES = {
    "curve": "BestAccuracy BestF1 Curve accuracy auc average_precision best_accuracy best_f1 curve_of eer f1 "
    "fnmr_at_fmr threshold_at_fmr",
    "fewshot": "FewShot few_shot score_trials",
    "graded": "Graded graded_of rank_error",
    "intervals": "Clusters Interval clusters independent_needed mean_interval rate_interval",
    "likelihood": "cllr min_cllr",
    "pairing": "PairSample owners pairs_of",
    "references": "pooled scored",
    "retrieval": "Recall Retrieval Searched retrieval_of",
    "trials": "Trials trials_of",
    "verification": "AtFmr Verification unsupported verification_of",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
