"""What was measured, as tables: operating points, error rates at given false match rates, everything else.

Every number that a figure shows can be read here. Knows no pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gemel.measure import Interval, Verification
from gemel.report.markup import Markup, joined, tag
from gemel.report.rates import Rate
from gemel.report.words import between, distance, percent
from gemel.siamese.operating import OperatingPoint


@dataclass(frozen=True)
class Point:
    """An operating point of the decision.

    Attributes:
        key: its letter in the figures.
        promised: what calibration found, cross-fitted.
        here: what it costs on this data; None where calibration saw this data.
    """

    key: str
    promised: OperatingPoint
    here: OperatingPoint | None

    @property
    def honest(self) -> OperatingPoint:
        """The rates to quote: those of data that did not choose the threshold."""
        return self.promised if self.here is None else self.here

    @property
    def title(self) -> str:
        """What the point is, in words."""
        name = self.promised.name
        if name.startswith("fmr="):
            return f"false match rate {percent(float(name.removeprefix('fmr=')))}"
        return {"bayes": "as likely same as different", "eer": "equal errors"}.get(name, name)


@dataclass(frozen=True)
class Measure:
    """A line of the table of measures: name, value and interval as they are printed, and what the name means."""

    name: str
    value: str
    interval: str
    means: str


def points_table(points: Sequence[Point]) -> Markup:
    """Threshold and costs of every operating point: here, and as promised at calibration."""
    here = any(point.here is not None for point in points)
    columns = ["measured here", "promised"] if here else ["promised"]
    head = tag(
        "thead",
        tag(
            "tr",
            _head("Operating point", rowspan=2),
            _head("Same up to distance", rowspan=2, class_="number"),
            _head("False matches", colspan=len(columns), class_="number"),
            _head("False non-matches", colspan=len(columns), class_="number"),
        ),
        tag("tr", *(_head(column, class_="number") for column in 2 * columns)),
    )
    return _scrolling(tag("table", head, tag("tbody", *map(_point, points))), "Operating points")


def fixed_rates_table(known: Verification) -> Markup:
    """What given false match rates cost, or why that is not claimed."""
    head = _headings("False matches allowed", "Same pairs rejected", "95% interval", "Same up to distance")
    rows = []
    for at in known.at_fmr:
        name = tag("th", percent(at.fmr), scope="row")
        if at.fnmr is None or at.threshold is None:
            rows.append(tag("tr", name, tag("td", f"Not claimed. {at.note}", colspan=3)))
        else:
            cells = percent(at.fnmr), between(at.interval), distance(at.threshold)
            rows.append(tag("tr", name, *(tag("td", cell, class_="number") for cell in cells)))
    return _scrolling(tag("table", head, tag("tbody", *rows)), "Error rates at given false match rates")


def measures_table(rows: Sequence[Measure]) -> Markup:
    """Name and meaning, value, interval."""
    body = [
        tag(
            "tr",
            tag("th", row.name, tag("small", row.means), scope="row"),
            tag("td", row.value, class_="number"),
            tag("td", row.interval, class_="number"),
        )
        for row in rows
    ]
    head = _headings("Measure", "Value", "95% interval")
    return _scrolling(tag("table", head, tag("tbody", *body)), "Measures")


def verification_rows(known: Verification, cllr: float | None) -> list[Measure]:
    """AUC, EER and Cllr, for `measures_table`."""
    area = "" if known.auc_interval is None else f"{known.auc_interval.low:.4f} to {known.auc_interval.high:.4f}"
    rows = [
        Measure("AUC", f"{known.auc:.4f}", area, "chance that a same pair is closer than a different one"),
        Measure(
            "EER", percent(known.eer), between(known.eer_interval), "rate at which both errors are equally frequent"
        ),
        Measure("min Cllr", f"{known.min_cllr:.3f}", "", "what the distances could tell, in bits: 0 all, 1 nothing"),
    ]
    if cllr is not None:
        rows.append(Measure("Cllr", f"{cllr:.3f}", "", "what the probabilities cost, in bits; above 1 they mislead"))
    return rows


def rate_rows(rates: Sequence[Rate]) -> list[Measure]:
    """One-shot and retrieval rates, for `measures_table`."""
    return [Measure(rate.name, percent(rate.value), between(rate.interval), rate.means) for rate in rates]


def facts(entries: Sequence[tuple[str, object]]) -> Markup:
    """Names with what they stand for; empty ones are left out."""
    parts = [tag("div", tag("dt", name), tag("dd", value)) for name, value in entries if value not in (None, "")]
    return tag("dl", *parts)


def _point(point: Point) -> Markup:
    sides = [point.promised] if point.here is None else [point.here, point.promised]
    alarms = [_rate(side.fmr, side.fmr_interval) for side in sides]
    misses = [_rate(side.fnmr, side.fnmr_interval) for side in sides]
    name = tag("th", tag("span", point.key, class_="key"), " ", point.title, scope="row")
    return tag("tr", name, tag("td", distance(point.promised.threshold), class_="number"), *alarms, *misses)


def _rate(value: float, interval: Interval) -> Markup:
    return tag("td", percent(value), tag("small", between(interval)), class_="number")


def _head(name: str, **attributes: object) -> Markup:
    return tag("th", name, scope="colgroup" if "colspan" in attributes else "col", **attributes)


def _headings(*names: str) -> Markup:
    return tag("thead", tag("tr", _head(names[0]), *(_head(name, class_="number") for name in names[1:])))


def _scrolling(table: Markup, name: str) -> Markup:
    """Wide tables scroll by themselves on a phone, by keyboard too."""
    return tag("div", joined(table), class_="scroll", role="region", aria_label=name, tabindex=0)
