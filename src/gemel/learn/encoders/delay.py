"""A time-delay network: the encoder of the first Siamese network (Bromley et al. 1993), for pen strokes.

Here with dilated kernels, so that few layers see far. Knows series tensors only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from gemel.learn.encoders.series import Along, SeriesBackbone
from gemel.learn.encoders.text import Pooling, pooled

if TYPE_CHECKING:
    from jaxtyping import Float, Int

KERNEL = 5


class Delay(SeriesBackbone):
    """Convolutions along time with twice the delays in each layer, and a pooling.

    Args:
        channels: of a series.
        width: channels of each layer.
        depth: layers; with n of them a feature sees 4 · (2ⁿ - 1) + 1 points.
        norm: batch or group.
        pooling: mean, max, last, attention or statistics.
    """

    def __init__(self, channels: int, *, width: int, depth: int, norm: str = "batch", pooling: str = "mean") -> None:
        super().__init__(pooled(pooling, width), channels)
        sizes = [channels, *[width] * depth]
        self.layers = nn.ModuleList(
            [Along(sizes[i], width, KERNEL, norm, dilation=2**i) for i in range(depth)],
        )
        self.pool = Pooling(pooling, width)

    def forward(self, series: Float[Tensor, "n l c"], attention_mask: Int[Tensor, "n l"]) -> Float[Tensor, "n f"]:
        x = series
        for layer in self.layers:
            x = layer(x, attention_mask)
        return self.pool(x, attention_mask)
