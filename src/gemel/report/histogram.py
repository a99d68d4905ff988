"""How far apart same and different pairs are: two histograms over one axis, with the threshold.

Arrays in, a figure out; knows no twin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gemel.report.drawing import DIFFERENT, INK, SAME, Figure
from gemel.report.markup import Markup

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

BINS = 60


def histogram(
    distance: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"], threshold: float | None, metric: str
) -> Markup:
    """Distances of same and of different pairs, each as a share of its own kind.

    Args:
        distance: of each pair.
        same: whether it is the same.
        threshold: largest distance that is accepted; None, or infinite: no line.
        metric: what the distance is called.
    """
    drawing = Figure(height=2.9)
    edges = np.histogram_bin_edges(distance, BINS)
    for rows, colour, line, name in ((same, SAME, "-", "same"), (~same, DIFFERENT, (0, (3, 1.5)), "different")):
        share = np.histogram(distance[rows], edges)[0] / max(1, np.count_nonzero(rows))
        drawing.axes.stairs(share, edges, fill=True, color=colour, alpha=0.22)
        drawing.axes.stairs(share, edges, color=colour, linewidth=1.6, linestyle=line, label=name)
    shown = threshold is not None and np.isfinite(threshold)
    if threshold is not None and shown:
        _line(drawing, threshold, right=threshold > float(edges[0] + edges[-1]) / 2)
    drawing.axes.set_yticks([])
    drawing.axes.spines["left"].set_visible(False)
    drawing.axes.margins(y=0.12)
    drawing.axes.set(xlim=(edges[0], edges[-1]))
    drawing.axes.set_ylim(bottom=0)
    drawing.legend()
    drawing.label(f"{metric} distance", "share of the pairs of a kind")
    caption = "The less the two overlap, the better." + (" Left of the line counts as the same." if shown else "")
    return drawing.drawn("histogram", _said(distance, same), caption)


def _line(drawing: Figure, threshold: float, *, right: bool) -> None:
    """The threshold, named on the side where there is room."""
    drawing.axes.axvline(threshold, color=INK, linewidth=1.1)
    place = {"xycoords": ("data", "axes fraction"), "ha": "right" if right else "left", "va": "top"}
    drawing.say(threshold, 0.99, f"threshold {threshold:.3g}", xytext=(-4 if right else 4, 0), **place)


def _said(distance: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"]) -> str:
    near, far = np.quantile(distance[same], (0.05, 0.5, 0.95)), np.quantile(distance[~same], (0.05, 0.5, 0.95))
    return (
        "Histogram of distances. "
        f"Same pairs: median {near[1]:.3g}, nine in ten between {near[0]:.3g} and {near[2]:.3g}. "
        f"Different pairs: median {far[1]:.3g}, nine in ten between {far[0]:.3g} and {far[2]:.3g}."
    )
