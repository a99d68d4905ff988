"""Mean and standard deviation of each channel over time: nothing in it learns, and what comes behind it soon has.

For a last layer that begins as a whitening (`learn/whitening.py`). Knows series tensors only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from gemel.learn.encoders.series import SeriesBackbone
from gemel.learn.encoders.text import Pooling, pooled

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class Statistics(SeriesBackbone):
    """Two numbers for each channel, in whatever order its points come.

    Args:
        channels: of a prepared series, or bands of a sound's spectrum.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(pooled("statistics", channels), channels)
        self.pool = Pooling("statistics", channels)

    def forward(self, series: Float[Tensor, "n l c"], attention_mask: Int[Tensor, "n l"]) -> Float[Tensor, "n f"]:
        return self.pool(series, attention_mask)
