"""The verdict in plain words: how often it is wrong, what that rests on, and what cannot be claimed.

For people who know no field terms. Knows what was measured; draws nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from gemel.items.words import many
from gemel.measure import Interval, independent_needed
from gemel.report.tables import Point, alarms
from gemel.report.words import about, base_of, percent, range_of, times
from gemel.siamese.evaluation import Evaluation

_CHOSEN = {
    True: "So the rates quoted are those of cross-fitting, where each pair is judged by a threshold that neither of "
    "its identities helped to choose.",
    False: "These are so few that the rates are quoted as measured; they promise a little too much.",
}


def verdict(found: Evaluation, points: Sequence[Point]) -> list[str]:
    """One sentence per fact, the most important first."""
    return [*_guessing(found), *_errors(found, points), *_naming(found)]


def limits(found: Evaluation, points: Sequence[Point]) -> list[str]:
    """What these numbers do not say."""
    known = found.verification
    lines = [_seen(found.trained_on, found.items)]
    if points and found.calibrated_on:
        lines.append(
            f"{_of(found.calibrated_on, found.items)} also chose the thresholds. {_CHOSEN[points[0].here is None]}"
        )
    if not points:
        lines.append(
            "This twin has no decision for its way of comparing: it gives distances but no verdicts, and the "
            "threshold behind the sentences above was chosen on these very pairs. In use it will be a little worse."
        )
    if known.identities is not None:
        least = 3 / known.identities
        lines.append(
            f"It rests on {many(known.identities, 'identity')}. That supports false match rates down to about "
            f"{percent(least)}, no lower: to claim 1 in 1,000 takes {independent_needed(0.001):,} identities, "
            f"and to claim 1 in 10,000 takes {independent_needed(0.0001):,}."
        )
    lines += [_worse(point) for point in points]
    lines.append("It holds for items like these. Other cameras, pens, products or people may be harder.")
    return [line for line in lines if line]


def _guessing(found: Evaluation) -> list[str]:
    area = found.verification.auc_interval
    if area is None or area.low > 0.5:
        return []
    return ["On this data the twin cannot be told from guessing."]


def _errors(found: Evaluation, points: Sequence[Point]) -> list[str]:
    known = found.verification
    if not points:
        base = base_of(known.eer)
        return [
            f"Of {base:,} pairs, {about(known.eer, base)} are judged wrongly{range_of(known.eer_interval, base)}, "
            "different ones and same ones alike, at the threshold where both errors are equally frequent."
        ]
    rates = points[0].honest
    return [
        *(
            _often(alarm.of, "called the same", alarm.value, alarm.interval)
            for alarm in alarms(rates, apart=points[0].apart)
        ),
        _often("pairs of the same identity", "missed", rates.fnmr, rates.fnmr_interval),
    ]


def _often(of: str, what: str, rate: float, interval: Interval) -> str:
    if rate <= 0:
        base = base_of(interval.high)
        most = f"{round(interval.high * base):,} of {base:,}"
        return f"None of the {of} was {what}; with so few identities it may still be up to {most}."
    base = base_of(rate)
    return f"Of {base:,} {of}, {about(rate, base)} are {what}{range_of(interval, base)}."


def _naming(found: Evaluation) -> list[str]:
    lines = []
    if found.few_shot is not None:
        shot = found.few_shot
        base, drawn = base_of(shot.accuracy), " of one group" if shot.protocol == "within-group" else ""
        lines.append(
            f"Shown one example each of {shot.ways} identities{drawn}, it names the right one "
            f"{_right(shot.accuracy, shot.interval)}; guessing would succeed {round(base / shot.ways):,} times"
            f"{'' if 0 < shot.accuracy < 1 else f' of {base:,}'}."
        )
    if found.retrieval is not None:
        first = found.retrieval.recall[0]
        lines.append(f"The nearest other item is of the same identity {_right(first.value, first.interval)}.")
    for each in found.across:
        first = each.retrieval.recall[0]
        lines.append(
            f"Asked by its {each.asking}, it finds the right {each.answering} among {each.retrieval.gallery:,} at once "
            f"{_right(first.value, first.interval)}."
        )
    return lines


def _right(rate: float, interval: Interval) -> str:
    base = base_of(rate)
    return times(rate, base) + range_of(interval, base, of=rate in (0, 1))


def _worse(point: Point) -> str:
    """A sentence where this data contradicts what calibration promised."""
    if point.here is None:
        return ""
    here, before = (
        [
            *((alarm.title.lower(), alarm.value, alarm.interval) for alarm in alarms(side, apart=point.apart)),
            ("false non-matches", side.fnmr, side.fnmr_interval),
        ]
        for side in (point.here, point.promised)
    )
    worse = [
        f"{percent(rate)} {what} where {percent(promised)} were promised"
        for (what, rate, interval), (_, promised, bounds) in zip(here, before, strict=True)
        if interval.low > bounds.high
    ]
    if not worse:
        return ""
    return f"Point {point.key} does worse here than at calibration: {' and '.join(worse)}. Calibrate on data like this."


def _seen(count: int, items: int) -> str:
    if not count:
        return ""
    much = "too much" if count > 0.02 * items else "a little too much"
    return f"Warning: {_of(count, items)} were seen in training; everything here promises {much}."


def _of(count: int, items: int) -> str:
    return "These very items" if count == items else f"{count:,} of these {items:,} items"
