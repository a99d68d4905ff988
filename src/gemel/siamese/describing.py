"""Twins and their evaluations in plain words, a fact a line. Measures nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gemel.items.words import many, plural
from gemel.siamese.known import ASSUMED
from gemel.siamese.verdict import alike, usable

if TYPE_CHECKING:
    from gemel.measure import Interval, Verification
    from gemel.siamese.decision import Decision
    from gemel.siamese.evaluation import Evaluation
    from gemel.siamese.grades import Grades
    from gemel.siamese.grading import Grading
    from gemel.siamese.operating import Method, OperatingPoint
    from gemel.siamese.twin import Siamese


def described(twin: Siamese) -> str:
    """What a twin is, a fact a line."""
    origin, method = twin.origin, twin.method
    trained = origin.trained_on
    taught = [f"Trained on {many(trained['identities'], 'identity')}"] if trained.get("identities") else []
    saw = [f"saw {many(trained['items'], 'item')} in training and stopping"] if "items" in trained else []
    lines = [
        f"Compares {compared(twin)} by {method.distance} distance of {method.dim} dimensions, {method.precision}.",
        "" if twin.head is None else twin.head.words,
        f"Its first {' or '.join(map(str, twin.prefixes))} dimensions are embeddings too." if twin.prefixes else "",
        f"Encoder: {origin.encoder}." if origin.encoder else "",
        f"{'; '.join([*taught, *saw]).capitalize()}{_on(origin.created)}." if taught or saw else "",
        *_uncalibrated(twin),
        *(_grades(grades) for grades in usable(twin.gradings, method)),
        *(line for decision in usable(twin.decisions, method) for line in _decision(decision)),
    ]
    return "\n".join(line for line in lines if line)


def compared(twin: Siamese) -> str:
    """What is compared: items of a kind, records of some fields, or one field with another."""
    if twin.method.branches:
        return " with ".join(twin.method.branches)
    fields = getattr(twin.modality, "fields", None)
    return plural(twin.modality.name) + (f" of {', '.join(fields)}" if fields else "")


def _uncalibrated(twin: Siamese) -> list[str]:
    if alike(twin.decisions, twin.method) or twin.grades is not None:
        return []
    of = f" for {compared(twin)}" if twin.method.branches else ""
    return [f"Not calibrated{of}: it gives distances, but no verdicts. Next: gemel calibrate MODEL DATA"]


def _about(method: Method, word: str) -> str:
    """Which items it is about, where they are of one branch of two."""
    return f" {word} {method.alone} with {method.alone}" if method.alone else ""


def _on(created: str) -> str:
    return f", {created[:10]}" if created else ""


def _grades(grades: Grades) -> str:
    cut = "no cut is named, so it gives no verdicts" if grades.cut is None else f"the same from {grades.cut:g} on"
    of = _about(grades.method, "of")
    return f"Scores{of}, 0 to 1, fitted on {many(grades.pairs, 'pair')} that people scored; {cut}."


def graded(found: Grading) -> str:
    """How well distances follow scores, a fact a line."""
    known = found.graded
    error = "" if known.mse is None else f"   mean squared error {known.mse:.4f} (scores from 0 to 1)"
    lines = [
        f"{many(found.items, 'item')} of {found.data}{f', {found.bad:,} bad' if found.bad else ''}; "
        f"{many(known.pairs, 'pair')} with scores",
        f"Spearman {_correlation(known.spearman, known.spearman_interval)}   "
        f"Pearson {_correlation(known.pearson, known.pearson_interval)}{error}",
    ]
    return "\n".join([*lines, *found.notes])


def _correlation(value: float, interval: Interval | None) -> str:
    return f"{value:.4f}" + ("" if interval is None else f" ({interval.low:.4f} to {interval.high:.4f})")


def _decision(decision: Decision) -> list[str]:
    counts, method = decision.counts, decision.method
    of = _about(method, "for")
    against = f" against {method.sides}" if method.references > 1 else ""
    skilled = f", {counts.skilled:,} of them by impostors" if counts.skilled else ""
    return [
        f"Calibrated{of}{against} on {counts.identities:,} identities ({counts.same:,} same and {counts.different:,} "
        f"different {'trials' if against else 'pairs'}{skilled}), prior {decision.prior:g}.",
        *([ASSUMED] if counts.assumed else []),
        *_points(decision.points),
        *_among(decision),
    ]


def _among(decision: Decision) -> list[str]:
    """What a gallery can promise."""
    if decision.open_set is None:
        return []
    return [
        f"In a gallery of {size:,}: distance ≤ {decision.open_set.threshold(rate, size):.4f} names "
        f"{_share(rate, decision.open_set.interval(rate, size))} of strangers."
        for size, rate in decision.open_set.examples()
    ]


def _points(points: Sequence[OperatingPoint]) -> list[str]:
    """A line for each; where impostors are known, its false match rate against random ones and them by itself."""
    width = max(9, *(len(point.name) for point in points))
    return [
        f"  {at.name:>{width}}: distance ≤ {at.threshold:.4f}   {_matches(at)}"
        f"   false non-match {_share(at.fnmr, at.fnmr_interval)}"
        for at in points
    ]


def _matches(at: OperatingPoint) -> str:
    if at.apart is None:
        return f"false match {_share(at.fmr, at.fmr_interval)}"
    random, skilled = at.apart.random, at.apart.skilled
    return (
        f"false match, random {_share(random, at.apart.random_interval)}"
        f"   skilled {_share(skilled, at.apart.skilled_interval)}"
    )


def summarised(found: Evaluation) -> str:
    """What an evaluation found, a fact a line."""
    return "\n".join([*_verification(found), *_costs(found), *_neighbours(found), *found.notes])


def _share(value: float, interval: Interval | None) -> str:
    return f"{value:.2%}" + ("" if interval is None else f" ({interval.low:.2%} to {interval.high:.2%})")


def _verification(found: Evaluation) -> list[str]:
    known = found.verification
    what = "pairs" if found.method.references == 1 else f"trials against {found.method.sides}"
    of = "" if known.identities is None else f" of {many(known.identities, 'identity')}"
    lines = [
        f"{many(found.items, 'item')} of {found.data}{f', {found.bad:,} bad' if found.bad else ''}; "
        f"{known.same:,} same and {known.different:,} different {what}{of}",
    ]
    kinds = [(name, each) for name, each in (("random", found.random), ("skilled", found.skilled)) if each is not None]
    lines += [_area(known), *([] if kinds else _rates(known))]
    for name, each in kinds:
        lines.append(f"  {each.different:,} {name} ones alone: {_area(each)}")
        lines += [f"    {line}" for line in _rates(each)]
    lines += [at.note for at in (found.skilled or known).at_fmr if at.note]  # impostors rest on fewer identities
    if found.average_precision is not None:
        decided = "" if found.f1 is None else f"   F1 at the decision {found.f1:.2%}"
        lines.append(f"Of the pairs as they are: average precision {found.average_precision:.2%}{decided}")
    return [*lines, known.note] if known.note else lines


def _area(known: Verification) -> str:
    return f"AUC {_share(known.auc, known.auc_interval)}   EER {_share(known.eer, known.eer_interval)}"


def _rates(known: Verification) -> list[str]:
    """What given false match rates cost, as far as that is claimed."""
    return [
        f"At false match {at.fmr:g}: false non-match {_share(at.fnmr, at.interval)}"
        for at in known.at_fmr
        if at.fnmr is not None
    ]


def _costs(found: Evaluation) -> list[str]:
    if found.cllr is None:
        return ["Not calibrated for its method, so no verdict can be measured."]
    lines = [f"Probabilities cost {found.cllr:.3f} bits (at best {found.verification.min_cllr:.3f}; 1 is no knowledge)"]
    return [*lines, *_points(found.costs)]


def _neighbours(found: Evaluation) -> list[str]:
    lines = [
        f"{ask.asking} → {ask.answering}: "
        + "   ".join(f"R@{r.k} {_share(r.value, r.interval)}" for r in ask.retrieval.recall)
        for ask in found.across
    ]
    if found.retrieval is not None:
        recall = "   ".join(f"R@{r.k} {r.value:.2%}" for r in found.retrieval.recall)
        lines.append(f"Neighbours: {recall}   MAP@R {found.retrieval.map_at_r:.2%}")
    if found.few_shot is not None:
        shot = found.few_shot
        lines.append(
            f"{shot.ways}-way {shot.shots}-shot, {shot.protocol}: {_share(shot.accuracy, shot.interval)}"
            f" (chance {1 / shot.ways:.0%})"
        )
    return lines
