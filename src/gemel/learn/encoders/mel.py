"""A stack of two-dimensional convolutions over log-mel spectra, which do not see padding. Knows series tensors only."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from gemel.errors import RecipeError
from gemel.learn.encoders.series import SeriesBackbone, shortened
from gemel.learn.encoders.text import Pooling, pooled

if TYPE_CHECKING:
    from jaxtyping import Float, Int

WIDEST = 4
"""How many times wider than the first block the last blocks may become."""


class Block(nn.Module):
    """A 3×3 convolution, normalisation, ReLU, and pooling of two frames and two bands; behind the end all is zero."""

    def __init__(self, before: int, after: int, norm: str) -> None:
        super().__init__()
        if norm not in ("batch", "group"):
            raise RecipeError(f"norm = {norm!r} does not exist; choose batch or group.")
        self.conv = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm1d(after) if norm == "batch" else nn.LayerNorm(after)

    def forward(self, x: Float[Tensor, "n c l f"], mask: Int[Tensor, "n l"]) -> Float[Tensor, "n d k g"]:
        there = mask[:, None, :, None].to(x.dtype)
        x = relu(self._normalised(self.conv(x).permute(0, 2, 3, 1), mask).permute(0, 3, 1, 2)) * there
        return max_pool2d(x, 2, ceil_mode=True)

    def _normalised(self, x: Float[Tensor, "n l f d"], mask: Int[Tensor, "n l"]) -> Float[Tensor, "n l f d"]:
        if isinstance(self.norm, nn.LayerNorm):
            return self.norm(x)
        if not self.norm.training:
            return self.norm(x.flatten(1, 2).transpose(1, 2)).transpose(1, 2).reshape(x.shape)
        points = mask > 0
        inside = x[points]
        normal = self.norm(inside.flatten(0, 1)).reshape(inside.shape)
        return torch.zeros_like(x, dtype=normal.dtype).masked_scatter(points[:, :, None, None], normal)


class Mel(SeriesBackbone):
    """Blocks that halve frames and bands, and a pooling along time; which band is which stays known.

    Args:
        channels: of a sound.
        mels: bands of a channel.
        width: maps of the first block, doubling up to four times as many.
        depth: blocks.
        norm: batch, over the frames that are there; or group: over the maps of each point (layer normalisation).
        pooling: mean, max, last, attention or statistics.
    """

    def __init__(
        self, channels: int, mels: int, *, width: int, depth: int, norm: str = "batch", pooling: str = "mean"
    ) -> None:
        widths = [channels, *(width * min(2**i, WIDEST) for i in range(depth))]
        left = widths[-1] * math.ceil(mels / 2**depth)
        super().__init__(pooled(pooling, left), channels * mels)
        self.layout = (channels, mels)
        self.blocks = nn.ModuleList([Block(*sizes, norm) for sizes in pairwise(widths)])
        self.pool = Pooling(pooling, left)

    def forward(self, series: Float[Tensor, "n l w"], attention_mask: Int[Tensor, "n l"]) -> Float[Tensor, "n f"]:
        x, mask = series.reshape(*series.shape[:2], *self.layout).transpose(1, 2), attention_mask
        for block in self.blocks:
            x, mask = block(x, mask), shortened(mask, 2)
        return self.pool(x.transpose(1, 2).flatten(2), mask)
