"""Rates with their intervals as dots on one line each, with what guessing would give.

Values in, a figure out; knows no twin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gemel.measure import Interval
from gemel.report.drawing import FAINT, GRID, INK, SAME, SIZE, Figure
from gemel.report.markup import Markup
from gemel.report.words import between, percent


@dataclass(frozen=True)
class Rate:
    """A share of right answers.

    Attributes:
        name: what was asked.
        value: 0 to 1.
        interval: over samples of identities.
        means: the name in plain words.
        chance: what guessing gives; None: next to nothing.
    """

    name: str
    value: float
    interval: Interval
    means: str
    chance: float | None = None


def rates(rows: Sequence[Rate]) -> Markup:
    """One line each, the first on top."""
    drawing = Figure(height=0.75 + 0.3 * len(rows))
    axes = drawing.axes
    for place, row in enumerate(rows):
        axes.plot([row.interval.low, row.interval.high], [place, place], color=SAME, linewidth=2, alpha=0.55)
        axes.plot([row.value], [place], "o", color=SAME, markersize=6, clip_on=False)
        if row.chance is not None:
            axes.plot([row.chance], [place], "|", color=INK, markersize=10)
            drawing.say(row.chance, place, "guessing", xytext=(5, 0), va="center", fontsize=SIZE - 1, color=FAINT)
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    ticks = np.linspace(0, 1, 6)
    axes.set_xticks(ticks, [percent(tick) for tick in ticks])
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5))
    axes.grid(visible=True, axis="x", color=GRID, linewidth=0.7)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    said = " ".join(f"{row.name}: {percent(row.value)}, {between(row.interval)}." for row in rows)
    return drawing.drawn("rates", f"Rates of right answers. {said}", "Dots: measured. Bars: 95% intervals.")
