"""The trade-off between both errors over every threshold, drawn two ways: ROC and DET, with operating points marked.

Arrays in, figures out; knows no twin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from gemel.measure import Curve
from gemel.report.drawing import FAINT, GRID, INK, SAME, SIZE, Figure, thinned
from gemel.report.markup import Markup
from gemel.report.words import percent

if TYPE_CHECKING:
    from jaxtyping import Float

TICKS = (1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.2, 0.5, 0.8)
"""Rates that the probit axes name."""

_OFFSETS = ((0, 10), (0, -10))
"""Letters stand above and below their points in turn, for neighbouring points are close."""


@dataclass(frozen=True)
class Marked:
    """An operating point to mark.

    Attributes:
        key: its letter.
        fmr, fnmr: its error rates, 0 to 1.
    """

    key: str
    fmr: float
    fnmr: float


@dataclass(frozen=True)
class Reach:
    """How far down the axes go, and what of that is claimed.

    Attributes:
        fmr, fnmr: the least rates shown, above 0.
        claimed: the least false match rate that the identities support; below, the figure is shaded.
    """

    fmr: float
    fnmr: float
    claimed: float

    @classmethod
    def of(cls, *, same: int, different: int, identities: int | None) -> Reach:
        """From the numbers of pairs and identities: a decade or two below what can be claimed."""
        claimed = min(1.0, 3 / (identities or different))
        return cls(max(1e-5, 0.5 / different, claimed / 30), max(1e-5, min(0.5 / same, 0.01)), claimed)


def roc(points: Curve, marked: Sequence[Marked], reach: Reach) -> Markup:
    """Same pairs recognised against different pairs accepted, the latter on a logarithmic axis."""
    drawing = Figure()
    axes, low = drawing.axes, np.log10(reach.fmr)
    across = np.log10(np.clip(points.fmr, reach.fmr, 1))
    kept = thinned(1 - across / low, points.fnmr)
    axes.plot(across[kept], 1 - points.fnmr[kept], color=SAME, linewidth=1.8, clip_on=False)
    chance = np.linspace(low, 0, 60)
    axes.plot(chance, 10**chance, color=FAINT, linewidth=1, linestyle=(0, (1, 2)))
    _shade(drawing, low, np.log10(reach.claimed))
    for place, point in enumerate(marked):
        x = np.log10(np.clip(point.fmr, reach.fmr, 1))
        drawing.mark(float(x), 1 - point.fnmr, point.key, _OFFSETS[place % 2])
    decades = np.arange(np.ceil(low), 1)
    axes.set_xticks(decades, [percent(10.0**d) for d in decades])
    axes.set_yticks(np.linspace(0, 1, 6), [percent(v) for v in np.linspace(0, 1, 6)])
    axes.set(xlim=(low, 0), ylim=(0, 1))
    drawing.grid()
    drawing.label("different pairs accepted (false match rate)", "same pairs accepted")
    says = f"ROC curve. The area under it is {points.auc:.4f}." + _said(marked)
    caption = "ROC: the further to the upper left, the better. Dotted: guessing. Hatched: too few identities to claim."
    return drawing.drawn("roc", says, caption)


def det(points: Curve, marked: Sequence[Marked], reach: Reach) -> Markup:
    """Both errors on probit axes, where normally distributed distances give a straight line."""
    top = 0.6 if points.eer < 0.4 else 0.95
    inside = points.fmr <= top
    reach = replace(reach, fnmr=max(reach.fnmr, float(points.fnmr[inside].min(initial=top / 2)) / 2))
    drawing, plane = Figure(), _Plane(reach, top)
    x, y = plane.at(points.fmr, points.fnmr)
    shown = inside & (points.fnmr <= top)
    kept = thinned(plane.share(x, 0)[shown], plane.share(y, 1)[shown])
    drawing.axes.plot(x[shown][kept], y[shown][kept], color=SAME, linewidth=1.8, clip_on=False)
    plane.lay_out(drawing)
    _shade(drawing, plane.x[0], float(_probit(np.array([min(reach.claimed, top)]))[0]))
    for place, point in enumerate(marked):
        x, y = plane.at(np.array([point.fmr]), np.array([point.fnmr]))
        on_edge = point.fnmr <= 2 * reach.fnmr
        drawing.mark(float(x[0]), float(y[0]), point.key, (7, 9) if on_edge else _OFFSETS[place % 2])
    drawing.label("different pairs accepted (false match rate)", "same pairs rejected (false non-match rate)")
    says = f"DET curve. Both errors are equal at {percent(points.eer)}." + _said(marked)
    caption = "DET: the further to the lower left, the better. On the dotted line both errors are equal."
    return drawing.drawn("det", says, caption)


class _Plane:
    """Two probit axes: from the least rates shown to the largest."""

    def __init__(self, reach: Reach, top: float) -> None:
        self.least, self.top = (reach.fmr, reach.fnmr), top
        self.x, self.y = (tuple(_probit(np.array([low, top])).tolist()) for low in self.least)

    def at(
        self, fmr: Float[np.ndarray, " n"], fnmr: Float[np.ndarray, " n"]
    ) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """Where rates lie; those beyond an edge lie on it."""
        return _probit(np.clip(fmr, self.least[0], self.top)), _probit(np.clip(fnmr, self.least[1], self.top))

    def share(self, place: Float[np.ndarray, " n"], axis: int) -> Float[np.ndarray, " n"]:
        """How far along an axis, 0 to 1."""
        low, high = (self.x, self.y)[axis]
        return (place - low) / (high - low)

    def lay_out(self, drawing: Figure) -> None:
        """Edges, ticks, grid, and the line where both errors are equal."""
        start = max(self.x[0], self.y[0])
        drawing.axes.plot([start, self.x[1]], [start, self.x[1]], color=FAINT, linewidth=1, linestyle=(0, (1, 2)))
        for set_ticks, low in zip((drawing.axes.set_xticks, drawing.axes.set_yticks), self.least, strict=True):
            ticks = [tick for tick in TICKS if low <= tick <= self.top]
            set_ticks(_probit(np.array(ticks)), [percent(tick) for tick in ticks])
        drawing.axes.set(xlim=self.x, ylim=self.y)
        drawing.grid()


def _shade(drawing: Figure, low: float, claimed: float) -> None:
    """Hatch what is below the least rate that can be claimed."""
    if claimed > low:
        area = drawing.axes.axvspan(low, claimed, facecolor="none", edgecolor=GRID, hatch="////", linewidth=0)
        area.set_zorder(0)
        drawing.axes.axvline(claimed, color=INK, linewidth=0.6, linestyle=(0, (4, 3)))
        place = {"xycoords": ("data", "axes fraction"), "rotation": 90, "fontsize": SIZE - 1, "color": FAINT}
        drawing.say(claimed, 0.03, "not claimed", xytext=(-4, 0), ha="right", va="bottom", **place)


def _said(marked: Sequence[Marked]) -> str:
    parts = [f" {m.key}: {percent(m.fmr)} false matches, {percent(m.fnmr)} false non-matches." for m in marked]
    return "".join(parts)


def _probit(rate: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The normal quantile of each rate; interpolated where there are many, to far less than a pixel."""
    normal = NormalDist().inv_cdf
    if len(rate) <= 4000:
        return np.array([normal(float(value)) for value in rate])
    logit = np.log(rate / (1 - rate))
    known = np.linspace(logit.min(), logit.max(), 2000)
    return np.interp(logit, known, [normal(float(value)) for value in 1 / (1 + np.exp(-known))])
