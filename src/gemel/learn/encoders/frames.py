"""The points of a series as they are, side by side: an embedding that can still be laid along another one.

For a pair head that aligns (dynamic time warping); it is the head that learns most. Knows series tensors only.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from gemel.learn.encoders.encoder import Backbone

if TYPE_CHECKING:
    from jaxtyping import Float

TINY = 1e-3
"""What a deviation is divided by at least, in units of the training split: a constant channel becomes zero."""


class Frames(Backbone):
    """Each channel twice: in units of the training split, and in those of its own series (mean 0, deviation 1).

    Each of the channels has a learned weight. On average over the training split, an embedding has length 1 before
    anything is learned.

    Args:
        channels: of a prepared series.
        points: of every prepared series.
    """

    plain, unit = True, False

    def __init__(self, channels: int, points: int) -> None:
        super().__init__(2 * channels * points, {"series": (points, channels)})
        self.points, self.own = points, channels
        self.free = nn.Parameter(torch.zeros(2 * channels))

    @property
    def weight(self) -> Float[Tensor, " c"]:
        """Of each channel; their squares add up to 1."""
        return (self.free.softmax(0)).sqrt()

    def forward(self, series: Float[Tensor, "n l c"]) -> Float[Tensor, "n f"]:
        centred = series - series.mean(1, keepdim=True)
        own = centred / (centred.square().mean(1, keepdim=True).sqrt() + TINY)
        both = torch.cat([series, own], 2) * self.weight / math.sqrt(self.points)
        return both.flatten(1)
