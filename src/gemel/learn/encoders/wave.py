"""A residual network along time, for series and spectra (after Wang, Yan and Oates 2017). Knows series tensors only."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn.functional import relu

from gemel.learn.encoders.series import Along, SeriesBackbone, shortened
from gemel.learn.encoders.text import Pooling, pooled

if TYPE_CHECKING:
    from jaxtyping import Float, Int

WIDEST = 4
"""How many times wider than the first block the last blocks may become."""


class Block(nn.Module):
    """Two convolutions beside a shortcut; halves the number of points, rounding up, where `stride` is 2."""

    def __init__(self, before: int, after: int, norm: str, stride: int) -> None:
        super().__init__()
        self.first = Along(before, after, 7, norm, stride=stride)
        self.second = Along(after, after, 5, norm, active=False)
        self.shortcut = Along(before, after, 1, norm, stride=stride, active=False)
        self.stride = stride

    def forward(self, x: Float[Tensor, "n l c"], mask: Int[Tensor, "n l"]) -> Float[Tensor, "n k d"]:
        return relu(self.second(self.first(x, mask), shortened(mask, self.stride)) + self.shortcut(x, mask))


class Wave(SeriesBackbone):
    """Residual blocks, the first at full length and each further one at half of the one before; and a pooling.

    Args:
        channels: of a series.
        width: channels of the first block, doubling up to four times as many.
        depth: blocks.
        norm: batch or group.
        pooling: mean, max, last, attention or statistics.
    """

    def __init__(self, channels: int, *, width: int, depth: int, norm: str = "batch", pooling: str = "mean") -> None:
        widths = [width * min(2**i, WIDEST) for i in range(depth)]
        super().__init__(pooled(pooling, widths[-1]), channels)
        self.steps = [1, *[2] * (depth - 1)]
        self.blocks = nn.ModuleList(
            [Block(*sizes, norm, step) for sizes, step in zip(pairwise([channels, *widths]), self.steps, strict=True)]
        )
        self.pool = Pooling(pooling, widths[-1])

    def forward(self, series: Float[Tensor, "n l c"], attention_mask: Int[Tensor, "n l"]) -> Float[Tensor, "n f"]:
        x, mask = series, attention_mask
        for block, step in zip(self.blocks, self.steps, strict=True):
            x, mask = block(x, mask), shortened(mask, step)
        return self.pool(x, mask)
