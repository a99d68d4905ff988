"""A plain stack of convolutions for small images: fast on a CPU, and what few-shot learning starts from.

The four-block network of Vinyals et al. (2016), doubled in width in its second half, and with the
layout of the last map kept: its four quarters are averaged and laid side by side, not pooled away.
Knows image tensors only.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from gemel.errors import RecipeError
from gemel.learn.encoders.encoder import Backbone

if TYPE_CHECKING:
    from jaxtyping import Float


class Conv(Backbone):
    """Blocks of 3×3 convolution, normalisation, ReLU and 2×2 max pooling, then the four quarters of the map.

    Args:
        channels: colour channels of an image.
        size: height and width of an image in pixels; any size from 1.
        widths: output channels of each block.
        norm: batch or group.
    """

    def __init__(self, channels: int, size: tuple[int, int], widths: list[int], norm: str) -> None:
        height, width = halved(size, len(widths))
        super().__init__(widths[-1] * min(height, 2) * min(width, 2), {"image": (channels, *size)})
        before = [channels, *widths[:-1]]
        self.blocks = nn.Sequential(*[_block(i, o, norm) for i, o in zip(before, widths, strict=True)])

    def forward(self, image: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        return quarters(self.blocks(image.contiguous(memory_format=torch.channels_last)))


def conv(channels: int, *, size: tuple[int, int], width: int = 64, depth: int = 4, norm: str = "batch") -> Conv:
    """The backbone with `depth` blocks: `width` channels in the first half of them, twice as many in the second.

    >>> conv(1, size=(32, 32)).features
    512
    """
    first = math.ceil(depth / 2)
    return Conv(channels, size, [width] * first + [2 * width] * (depth - first), norm)


def normalise(channels: int, norm: str) -> nn.Module:
    """BatchNorm, or GroupNorm with about eight channels a group: equal in one process and in several."""
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm == "group":
        return nn.GroupNorm(math.gcd(channels, max(1, channels // 8)), channels)
    raise RecipeError(f"norm = {norm!r} does not exist; choose batch or group.")


def halved(size: tuple[int, int], times: int) -> tuple[int, int]:
    """Height and width after halving them `times` times, rounding up: nothing at the border is lost."""
    return math.ceil(size[0] / 2**times), math.ceil(size[1] / 2**times)


def quarters(maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
    """The average of each quarter of every map; f is 4c, less where a side is 1.

    Equal to adaptive average pooling to 2×2, whose export needs a size that is known beforehand.
    """
    kernel = [math.ceil(side / 2) for side in maps.shape[2:]]
    stride = [max(1, side // 2) for side in maps.shape[2:]]
    return avg_pool2d(maps, kernel, stride).flatten(1)


def _block(before: int, after: int, norm: str) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False),
        normalise(after, norm),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2, ceil_mode=True),
    )
