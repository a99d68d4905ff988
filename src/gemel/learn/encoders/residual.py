"""A small residual network, for faces and photographs of 64 to 128 pixels learnt from scratch.

Pre-activation blocks (He et al. 2016, "Identity mappings in deep residual networks"), one for each
halving of the image. Knows image tensors only.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from gemel.learn.encoders.conv import halved, normalise, quarters
from gemel.learn.encoders.encoder import Backbone

if TYPE_CHECKING:
    from jaxtyping import Float

WIDEST = 4
"""How many times wider than the first block the last blocks may become."""


class Block(nn.Module):
    """Normalise, ReLU and convolve, twice, beside a 1×1 shortcut; halves the map, rounding up."""

    def __init__(self, before: int, after: int, norm: str) -> None:
        super().__init__()
        self.norm1 = normalise(before, norm)
        self.conv1 = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
        self.norm2 = normalise(after, norm)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(before, after, 1, stride=2, bias=False)

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d p q"]:
        active = relu(self.norm1(maps))
        return self.shortcut(active) + self.conv2(relu(self.norm2(self.conv1(active))))


class Residual(Backbone):
    """A 3×3 stem at full size, residual blocks, and the four quarters of the last map.

    Args:
        channels: colour channels of an image.
        size: height and width of an image in pixels; any size from 1.
        widths: output channels of the stem, then of each block.
        norm: batch or group.
    """

    def __init__(self, channels: int, size: tuple[int, int], widths: list[int], norm: str) -> None:
        height, width = halved(size, len(widths) - 1)
        super().__init__(widths[-1] * min(height, 2) * min(width, 2), {"image": (channels, *size)})
        self.stem = nn.Conv2d(channels, widths[0], 3, padding=1, bias=False)
        self.blocks = nn.Sequential(*[Block(i, o, norm) for i, o in pairwise(widths)])
        self.norm = normalise(widths[-1], norm)

    def forward(self, image: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        maps = self.stem(image.contiguous(memory_format=torch.channels_last))
        return quarters(relu(self.norm(self.blocks(maps))))


def residual(channels: int, *, size: tuple[int, int], width: int = 64, depth: int = 4, norm: str = "batch") -> Residual:
    """The backbone with `depth` blocks: `width` channels in the first, doubling up to four times as many.

    >>> residual(3, size=(64, 64)).features
    1024
    """
    return Residual(channels, size, [width] + [width * min(2**i, WIDEST) for i in range(depth)], norm)
