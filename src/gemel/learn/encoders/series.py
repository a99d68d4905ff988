"""What encoders of series have in common: their inputs, and convolutions along time that do not see padding.

Knows tensors [n, l, c] with a mask; no modality.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from gemel.errors import RecipeError
from gemel.learn.encoders.encoder import Backbone

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class SeriesBackbone(Backbone):
    """A backbone over `series` [n, l, channels] and `attention_mask` [n, l], which is 1 up to the end of each.

    Args:
        features: how many numbers come out for one series.
        channels: of a prepared series.
        example: points of the longest series of an example.
    """

    def __init__(self, features: int, channels: int, *, example: int = 29) -> None:
        super().__init__(features, {"series": (None, channels), "attention_mask": (None,)})
        self.channels = channels
        self.longest = example

    def example(self, n: int, chance: torch.Generator) -> dict[str, Tensor]:
        """Series of 2 and more random points."""
        length = torch.randint(2, self.longest + 1, (n, 1), generator=chance)
        length[0] = self.longest
        mask = (torch.arange(self.longest) < length).long()
        series = torch.randn(n, self.longest, self.channels, generator=chance)
        return {"series": series * mask[..., None], "attention_mask": mask}


class Along(nn.Module):
    """A convolution along time, normalisation and, if asked for, ReLU; what is behind the end stays zero.

    Args:
        before, after: channels.
        size: points under the kernel, odd.
        norm: batch, over the points that are there; or group: over the channels of each point (layer normalisation).
        stride: points per step; the series becomes shorter by it, rounding up.
        dilation: points from one tap of the kernel to the next.
        active: whether a ReLU follows.
    """

    def __init__(
        self,
        before: int,
        after: int,
        size: int,
        norm: str,
        *,
        stride: int = 1,
        dilation: int = 1,
        active: bool = True,
    ) -> None:
        super().__init__()
        if norm not in ("batch", "group"):
            raise RecipeError(f"norm = {norm!r} does not exist; choose batch or group.")
        padding = dilation * (size - 1) // 2
        self.conv = nn.Conv1d(before, after, size, stride, padding, dilation, bias=False)
        self.norm = nn.BatchNorm1d(after) if norm == "batch" else nn.LayerNorm(after)
        self.stride, self.active = stride, active

    def forward(self, x: Float[Tensor, "n l c"], mask: Int[Tensor, "n l"]) -> Float[Tensor, "n k d"]:
        x = self.conv(x.transpose(1, 2)).transpose(1, 2)
        there = shortened(mask, self.stride)[..., None].to(x.dtype)
        x = self._normalised(x, there)
        return (relu(x) if self.active else x) * there

    def _normalised(self, x: Tensor, there: Tensor) -> Tensor:
        if isinstance(self.norm, nn.LayerNorm):
            return self.norm(x)
        if not self.norm.training:
            return self.norm(x.transpose(1, 2)).transpose(1, 2)
        points = there[..., 0] > 0
        normal = self.norm(x[points])
        return torch.zeros_like(x, dtype=normal.dtype).masked_scatter(points[..., None], normal)


def shortened(mask: Int[Tensor, "n l"], stride: int) -> Int[Tensor, "n k"]:
    """The mask after steps of so many points."""
    return mask[:, ::stride]
