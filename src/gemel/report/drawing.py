"""How a figure is drawn: one style, and SVG that takes its colours and its typeface from the page around it.

Matplotlib's own objects, never `pyplot`. Knows no measures.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import require
from gemel.report.markup import Markup, escaped, tag

if TYPE_CHECKING:
    from jaxtyping import Float, Int

INK, FAINT, GRID, SAME, DIFFERENT, PAPER = "#010101", "#020202", "#030303", "#040404", "#050505", "#060606"
"""Stand-ins: each becomes a custom property of the page, which differs between light and dark."""

_PROPERTIES = {INK: "ink", FAINT: "faint", GRID: "grid", SAME: "same", DIFFERENT: "different", PAPER: "paper"}

GRIDS = 400
"""Steps of the raster on which points of a curve that cannot be told apart are merged."""

SIZE = 8.5
"""Height of the letters, in points; a figure is as wide as a phone."""


class Figure:
    """One set of axes in the style of the report.

    Args:
        height: in inches; every figure is 4.4 wide.
    """

    def __init__(self, height: float = 3.3) -> None:
        figure = require("matplotlib.figure", extra="train", purpose="draw a report")
        self.figure: Any = figure.Figure(figsize=(4.4, height), layout="constrained")
        self.figure.patch.set_visible(False)
        self.axes: Any = self.figure.add_subplot()
        self.axes.patch.set_visible(False)
        self.axes.tick_params(which="both", labelsize=SIZE, labelcolor=INK, color=FAINT, length=3, width=0.6)
        for side, spine in self.axes.spines.items():
            spine.set(visible=side in ("left", "bottom"), color=FAINT, linewidth=0.8)

    def grid(self, **which: Any) -> None:
        """Faint lines at the major ticks, behind everything."""
        self.axes.grid(visible=True, which="major", color=GRID, linewidth=0.7, **which)
        self.axes.set_axisbelow(True)

    def label(self, across: str, up: str = "") -> None:
        """What the axes show."""
        self.axes.set_xlabel(across, fontsize=SIZE, color=INK)
        self.axes.set_ylabel(up, fontsize=SIZE, color=INK)

    def say(self, x: float, y: float, text: str, **how: Any) -> None:
        """Text at a place in the data, or elsewhere with `xycoords`."""
        style = {"fontsize": SIZE, "color": INK, "textcoords": "offset points", "xytext": (0, 0)}
        self.axes.annotate(text, (x, y), **style | how)

    def mark(self, x: float, y: float, key: str, offset: tuple[float, float]) -> None:
        """A point with its letter."""
        self.axes.plot([x], [y], "o", color=INK, markersize=5, markeredgecolor=PAPER, clip_on=False, zorder=5)
        self.say(x, y, key, xytext=offset, ha="center", va="center", fontweight="bold", zorder=6)

    def legend(self) -> None:
        """The labels, in a row above the axes."""
        style = {"frameon": False, "fontsize": SIZE, "labelcolor": INK, "borderaxespad": 0.2, "handlelength": 2.4}
        self.axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, **style)

    def drawn(self, name: str, says: str, caption: object) -> Markup:
        """As an HTML figure.

        Args:
            name: of the figure, unique in its page.
            says: what there is to see, for those who do not see it.
            caption: how to read it.
        """
        return tag("figure", self._svg(name, says), tag("figcaption", caption), class_="plot", id=f"figure-{name}")

    def _svg(self, name: str, says: str) -> Markup:
        matplotlib = require("matplotlib", extra="train", purpose="draw a report")
        file = io.StringIO()
        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "path.simplify": True}):
            self.figure.savefig(file, format="svg", transparent=False, metadata={"Date": None})
        return _of_the_page(file.getvalue(), name, says)


def thinned(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> Int[np.ndarray, " k"]:
    """Which points of a curve to keep: the ends, and of those in one cell of a fine raster the first.

    Args:
        x, y: where the points lie in the axes, 0 to 1.
    """
    cell = np.rint(np.stack([x, y]) * GRIDS)
    moved = (cell[:, 1:] != cell[:, :-1]).any(axis=0)
    keep = np.concatenate([[True], moved])
    keep[-1] = True
    return np.flatnonzero(keep)


def _of_the_page(svg: str, name: str, says: str) -> Markup:
    """Matplotlib's file as a part of the page: its colours and typeface, unique ids, no addresses, no global style."""
    body = svg[svg.index("<svg") :].strip()
    view = re.search(r'viewBox="([^"]*)"', body)
    body = body[body.index(">") + 1 :]
    for foreign in (r"<metadata>.*?</metadata>", r"<style.*?</style>", r"<!--.*?-->", r"font-family: [^;\"]*; ?"):
        body = re.sub(foreign, "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body).replace("xlink:href", "href")
    body = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{name}-", body)
    for colour, property_name in _PROPERTIES.items():
        body = body.replace(colour, f"var(--{property_name})")
    opening = f'<svg viewBox="{view[1] if view else ""}" role="img" aria-label="{escaped(says)}">'
    return Markup(opening + re.sub(r">\s+<", "><", body))
