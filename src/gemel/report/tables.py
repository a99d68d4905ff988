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
from gemel.siamese.evaluation import Evaluation
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
    def sides(self) -> list[OperatingPoint]:
        """What was found: here, if it was measured here, and at calibration."""
        return [self.promised] if self.here is None else [self.here, self.promised]

    @property
    def apart(self) -> bool:
        """Whether everything found knows random pairs and impostors apart."""
        return all(side.apart is not None for side in self.sides)

    @property
    def honest(self) -> OperatingPoint:
        """The rates to quote: those of data that did not choose the threshold."""
        return self.promised if self.here is None else self.here

    @property
    def title(self) -> str:
        """What the point is, in words."""
        name, _, rate = self.promised.name.partition("=")
        if rate:
            return f"false match rate {percent(float(rate))}{_AGAINST[name]}"
        return {"bayes": "as likely same as different", "eer": "equal errors"}.get(name, name)


_AGAINST = {"fmr": "", "fmr_random": ", random pairs", "fmr_skilled": ", impostors"}


@dataclass(frozen=True)
class Measure:
    """A line of the table of measures: name, value and interval as they are printed, and what the name means."""

    name: str
    value: str
    interval: str
    means: str


@dataclass(frozen=True)
class Alarm:
    """A false match rate: what it is called, of which pairs it is, its value and interval."""

    title: str
    of: str
    value: float
    interval: Interval


def alarms(rates: OperatingPoint, *, apart: bool) -> list[Alarm]:
    """The false match rates of random pairs and of impostors; of random pairs alone where not all know both apart."""
    kinds = rates.kinds
    if not apart:
        return [Alarm("False matches", "pairs of different identities", kinds.random, kinds.random_interval)]
    return [
        Alarm("False matches, random", "pairs of two identities", kinds.random, kinds.random_interval),
        Alarm("False matches, skilled", "pairs with an impostor", kinds.skilled, kinds.skilled_interval),
    ]


def points_table(points: Sequence[Point]) -> Markup:
    """Threshold and costs of every operating point: here, and as promised at calibration."""
    here = any(point.here is not None for point in points)
    columns = ["measured here", "promised"] if here else ["promised"]
    apart = all(point.apart for point in points)
    errors = [*(alarm.title for alarm in alarms(points[0].promised, apart=apart)), "False non-matches"]
    head = tag(
        "thead",
        tag(
            "tr",
            _head("Operating point", rowspan=2),
            _head("Same up to distance", rowspan=2, class_="number"),
            *(_head(error, colspan=len(columns), class_="number") for error in errors),
        ),
        tag("tr", *(_head(column, class_="number") for column in len(errors) * columns)),
    )
    body = tag("tbody", *(_point(point, apart=apart) for point in points))
    return _scrolling(tag("table", head, body), "Operating points")


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


def verification_rows(found: Evaluation) -> list[Measure]:
    """AUC, EER and Cllr, for `measures_table`."""
    rows = [*_curve(found.verification, "", "")]
    if found.random is not None and found.skilled is not None:
        rows += _curve(found.random, ", random", "the same against pairs of two identities alone")
        rows += _curve(found.skilled, ", skilled", "the same against impostors alone")
    rows.append(
        Measure(
            "min Cllr",
            f"{found.verification.min_cllr:.3f}",
            "",
            "what the distances could tell, in bits: 0 all, 1 nothing",
        )
    )
    if found.cllr is not None:
        cost = "what the probabilities cost, in bits; above 1 they mislead"
        rows.append(Measure("Cllr", f"{found.cllr:.3f}", "", cost))
    return rows


def _curve(known: Verification, kind: str, means: str) -> list[Measure]:
    area = "" if known.auc_interval is None else f"{known.auc_interval.low:.4f} to {known.auc_interval.high:.4f}"
    closer = "chance that a same pair is closer than a different one"
    equal = "rate at which both errors are equally frequent"
    return [
        Measure(f"AUC{kind}", f"{known.auc:.4f}", area, means or closer),
        Measure(f"EER{kind}", percent(known.eer), between(known.eer_interval), means or equal),
    ]


def rate_rows(rates: Sequence[Rate]) -> list[Measure]:
    """One-shot and retrieval rates, for `measures_table`."""
    return [Measure(rate.name, percent(rate.value), between(rate.interval), rate.means) for rate in rates]


def facts(entries: Sequence[tuple[str, object]]) -> Markup:
    """Names with what they stand for; empty ones are left out."""
    parts = [tag("div", tag("dt", name), tag("dd", value)) for name, value in entries if value not in (None, "")]
    return tag("dl", *parts)


def _point(point: Point, *, apart: bool) -> Markup:
    kinds = zip(*(alarms(side, apart=apart) for side in point.sides), strict=True)
    cells = [_rate(alarm.value, alarm.interval) for kind in kinds for alarm in kind]
    misses = [_rate(side.fnmr, side.fnmr_interval) for side in point.sides]
    name = tag("th", tag("span", point.key, class_="key"), " ", point.title, scope="row")
    return tag("tr", name, tag("td", distance(point.promised.threshold), class_="number"), *cells, *misses)


def _rate(value: float, interval: Interval) -> Markup:
    return tag("td", percent(value), tag("small", between(interval)), class_="number")


def _head(name: str, **attributes: object) -> Markup:
    return tag("th", name, scope="colgroup" if "colspan" in attributes else "col", **attributes)


def _headings(*names: str) -> Markup:
    return tag("thead", tag("tr", _head(names[0]), *(_head(name, class_="number") for name in names[1:])))


def _scrolling(table: Markup, name: str) -> Markup:
    """Wide tables scroll by themselves on a phone, by keyboard too."""
    return tag("div", joined(table), class_="scroll", role="region", aria_label=name, tabindex=0)
