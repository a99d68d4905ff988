"""The parts of the page, each from what was found: the verdict, tables, figures, the hardest mistakes.

Puts words around what other files draw. Measures nothing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from gemel import __version__
from gemel.items.words import many
from gemel.report.album import Album
from gemel.report.curves import Marked, Reach, det, roc
from gemel.report.findings import Findings
from gemel.report.hardest import closest_different, farthest_same, sampled_rows
from gemel.report.histogram import histogram
from gemel.report.markup import Markup, joined, tag
from gemel.report.page import Section, listed, paragraphs
from gemel.report.rates import rates
from gemel.report.reliability import reliability
from gemel.report.sheets import pairs_sheet, rows_sheet
from gemel.report.tables import (
    facts,
    fixed_rates_table,
    measures_table,
    points_table,
    rate_rows,
    verification_rows,
)
from gemel.report.verdict import limits, verdict
from gemel.siamese.describing import compared

PAIRS = 9
"""Pairs of either kind that are shown."""
ROWS = 4
"""Queries of either kind that are shown."""


def head(found: Findings) -> Markup:
    """What was judged, on what, when."""
    twin, origin, evaluation = found.twin, found.twin.origin, found.evaluation
    trained = [many(origin.trained_on[n], noun) for n, noun in _TRAINED if isinstance(origin.trained_on.get(n), int)]
    known = evaluation.verification
    entries = [
        ("Compares", compared(twin)),
        ("Encoder", origin.encoder),
        ("Distance", f"{twin.method.distance}, {twin.method.dim} dimensions, {twin.method.precision}"),
        ("Trained on", " of ".join(trained) + (f", {origin.created[:10]}" if trained and origin.created else "")),
        ("Judged on", Path(found.data.origin).name or found.data.origin),
        (
            "Items",
            f"{evaluation.items:,}" + (f", and {evaluation.bad:,} that could not be read" if evaluation.bad else ""),
        ),
        ("Identities", f"{known.identities:,}" if known.identities is not None else ""),
        ("Pairs", f"{known.same:,} same, {known.different:,} different"),
        ("Seen before", _overlap(found)),
    ]
    written = f"A report on a twin, written on {datetime.now(UTC):%d %B %Y} by gemel {__version__}."
    return joined(tag("p", written, class_="lead"), facts(entries))


def answer(found: Findings) -> Section:
    """The verdict in plain words, and its limits."""
    evaluation = found.evaluation
    lines = limits(evaluation, found.points)
    warnings = paragraphs([line for line in lines if line.startswith("Warning")], "warning")
    rest = [line for line in lines if not line.startswith("Warning")]
    said = tag("div", paragraphs(verdict(evaluation, found.points)), class_="answer")
    return Section(
        "verdict", "In plain words", joined(warnings, said, tag("h3", "What this does not say"), listed(rest))
    )


def points(found: Findings) -> Section:
    """Operating points, and what given false match rates cost."""
    parts: list[Markup] = []
    if found.points and found.decision is not None:
        here = found.points[0].here is not None
        parts = [
            tag(
                "p",
                _POINTS,
                " " + (_HERE if here else _PROMISED),
                f" Prior probability of same: {found.decision.prior:g}.",
            ),
            points_table(found.points),
        ]
    else:
        parts = [
            tag("p", "Not calibrated: there are no operating points yet. Next: ", tag("code", "gemel calibrate"), ".")
        ]
    parts += [
        tag("h3", "At a given false match rate"),
        tag("p", "The best that these distances allow, with thresholds chosen on these same pairs.", class_="note"),
        fixed_rates_table(found.evaluation.verification),
    ]
    return Section("points", "Operating points", joined(*parts))


def figures(found: Findings) -> Section:
    """Distances, both curves, reliability."""
    known = found.evaluation.verification
    marked = [Marked(point.key, point.honest.fmr, point.honest.fnmr) for point in found.points]
    reach = Reach.of(same=known.same, different=known.different, identities=known.identities)
    drawn = [
        histogram(found.distance, found.known.same, found.threshold, found.twin.method.distance),
        det(found.curve, marked, reach),
        roc(found.curve, marked, reach),
    ]
    if found.bins:
        drawn.append(reliability(found.bins))
    note = tag("p", _NOT_RELIABLE, class_="note") if found.decision is not None and not found.bins else ""
    return Section("figures", "Same and different", joined(tag("div", *drawn, class_="plots"), note))


def measures(found: Findings) -> Section:
    """Every other number, with what it means."""
    evaluation = found.evaluation
    rows = verification_rows(replace(evaluation, cllr=None) if found.fitted_here else evaluation)
    parts = [measures_table([*rows, *rate_rows(found.rates)])]
    notes = [note for note in evaluation.notes if not (found.fitted_here and "calibration saw" in note)]
    if found.rates:
        parts.append(tag("div", rates(found.rates), class_="plots"))
    return Section("measures", "Measures", joined(*parts, listed(notes) if notes else ""))


def mistakes(found: Findings, album: Album, rng: np.random.Generator) -> Section:
    """The closest different and the farthest same pairs."""
    decision = found.decision
    probability = None if decision is None else (lambda distance: float(decision.probability(distance)))
    near = closest_different(found.known, found.distance, found.space, PAIRS, rng)
    far = farthest_same(found.known, found.distance, PAIRS)
    content = joined(
        tag("h3", "Different, yet close"),
        tag(
            "p",
            "The closest pair of each two identities. Look for wrong labels first: they gather here.",
            class_="note",
        ),
        pairs_sheet(near, album, probability, found.threshold),
        tag("h3", "The same, yet far apart"),
        tag("p", "The farthest pair of each identity.", class_="note"),
        pairs_sheet(far, album, probability, found.threshold),
    )
    return Section("mistakes", "The hardest pairs", content)


def neighbours(found: Findings, album: Album, rng: np.random.Generator) -> Section | None:
    """A few queries with their nearest items; None where identities are not known."""
    drawn, wrong = sampled_rows(found.space, ROWS, rng)
    if not drawn:
        return None
    parts = [
        tag("p", "Queries drawn at random, each with its five nearest other items.", class_="note"),
        rows_sheet(drawn, album),
    ]
    if wrong:
        parts += [tag("h3", "Where the nearest is someone else"), rows_sheet(wrong, album)]
    return Section("neighbours", "Nearest neighbours", joined(*parts))


def foot(found: Findings, *, pictures: bool) -> Markup:
    """How the twin was made, in full; and a word on sharing the page."""
    origin = found.twin.origin
    every = [*origin.recipe.items(), *origin.measures.items(), *origin.versions.items()]
    rows = [tag("tr", tag("th", name, scope="row"), tag("td", _short(value))) for name, value in every]
    whole = tag("details", tag("summary", "How this twin was made"), tag("table", tag("tbody", *rows))) if rows else ""
    words = "This page shows items of the data; pass it on only where they may be seen." if pictures else ""
    return joined(paragraphs([line for line in (words, _INTERVALS) if line]), whole)


_TRAINED = (("items", "item"), ("identities", "identity"))
_POINTS = "A pair counts as the same up to the threshold of a point."
_HERE = "Measured here: on this data. Promised: at calibration, on identities that did not choose the threshold."
_PROMISED = (
    "Promised: each pair of the calibration judged by a threshold that neither of its identities helped to choose."
)
_NOT_RELIABLE = (
    "Whether the probabilities can be taken at their word is not shown: they were fitted on these very items. "
    "Judge them on others, with gemel evaluate MODEL DATA --report."
)
_INTERVALS = "Intervals are 95% and resample identities, not pairs: pairs that share an identity are not independent."


def _overlap(found: Findings) -> str:
    trained, calibrated = found.evaluation.trained_on, found.evaluation.calibrated_on
    parts = [f"{trained:,} in training"] * (trained > 0) + [f"{calibrated:,} in calibration"] * (calibrated > 0)
    return "none of these items" if not parts else ", ".join(parts)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]} …"
