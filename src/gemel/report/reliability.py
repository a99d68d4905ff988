"""Whether probabilities can be taken at their word: what was said against what came true, at a prior of one half.

Arrays in, values and a figure out; knows no twin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gemel.measure import Clusters, Interval
from gemel.measure.intervals import influence_interval
from gemel.report.drawing import FAINT, PAPER, SAME, Figure
from gemel.report.markup import Markup
from gemel.report.words import percent

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Pairs of about one probability; same and different pairs weigh the same in all.

    Attributes:
        said: their mean probability of *same*, 0 to 1.
        came: share that is the same.
        interval: of `came`, over samples of identities.
        share: of all pairs, 0 to 1.
    """

    said: float
    came: float
    interval: Interval
    share: float


def reliability_of(
    probability: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"], pairs: Clusters, bins: int = BINS
) -> tuple[Bin, ...]:
    """Pairs sorted into equal ranges of probability; empty ranges are left out.

    Args:
        probability: of *same*, at a prior of one half.
        same: whether each pair is the same; there are both kinds.
        pairs: the identities they rest on.
    """
    weight = np.where(same, 0.5 / np.count_nonzero(same), 0.5 / np.count_nonzero(~same))
    place = np.minimum((probability * bins).astype(int), bins - 1)
    return tuple(_bin(place == k, probability, same, weight, pairs) for k in np.unique(place))


def _bin(
    inside: Bool[np.ndarray, " n"],
    probability: Float[np.ndarray, " n"],
    same: Bool[np.ndarray, " n"],
    weight: Float[np.ndarray, " n"],
    pairs: Clusters,
) -> Bin:
    total = float(weight[inside].sum())
    came = float(weight[inside & same].sum()) / total
    influence = (weight * (same - came) / total)[inside]
    said = float((weight * probability)[inside].sum()) / total
    return Bin(said, came, influence_interval(came, influence, pairs.take(inside)), total)


def reliability(bins: Sequence[Bin]) -> Markup:
    """Said against came true, with intervals; larger where there are more pairs."""
    drawing = Figure()
    axes = drawing.axes
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=(0, (1, 2)))
    axes.plot([b.said for b in bins], [b.came for b in bins], color=SAME, linewidth=1.2, alpha=0.6)
    for b in bins:
        axes.plot([b.said, b.said], [b.interval.low, b.interval.high], color=SAME, linewidth=1.2)
        size = 4 + 8 * b.share**0.5
        axes.plot([b.said], [b.came], "o", color=SAME, markersize=size, markeredgecolor=PAPER, clip_on=False)
    ticks = np.linspace(0, 1, 6)
    axes.set_xticks(ticks, [percent(tick) for tick in ticks])
    axes.set_yticks(ticks, [percent(tick) for tick in ticks])
    axes.set(xlim=(0, 1), ylim=(0, 1))
    drawing.grid()
    drawing.label("probability of same that was said", "share that was the same")
    said = " ".join(f"Said {percent(b.said)}, came true {percent(b.came)}." for b in bins)
    caption = "Reliability at prior ½: on the dotted line probabilities are true. Larger dots stand for more pairs."
    return drawing.drawn("reliability", f"Reliability of the probabilities. {said}", caption)
