"""A recurrent network over the pieces of a text or the points of a series, in both directions.

Without packed sequences, so that it exports: the way back is a second one-way pass over the turned item.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gemel.learn.encoders.series import SeriesBackbone
from gemel.learn.encoders.text import Pooling, TextBackbone, pooled

if TYPE_CHECKING:
    from jaxtyping import Float, Int

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}
SHORT = 5
"""Steps of an example: the exporter goes through each of them, several times."""


class BothWays(nn.Module):
    """`depth` layers of LSTM or GRU in both directions, and a pooling.

    Args:
        size: numbers of a step that comes in.
        width: numbers that each direction has.
        depth: layers.
        cell: lstm or gru.
        pooling: mean, cls, max, last, attention or statistics; the last step of either direction's own way.
    """

    def __init__(self, size: int, *, width: int, depth: int, cell: str, pooling: str) -> None:
        super().__init__()
        sizes = [size, *[2 * width] * (depth - 1)]
        self.there = nn.ModuleList([CELLS[cell](size, width, batch_first=True) for size in sizes])
        self.back = nn.ModuleList([CELLS[cell](size, width, batch_first=True) for size in sizes])
        self.last = pooling == "last"
        self.pool = Pooling(pooling, 2 * width)

    def forward(self, x: Float[Tensor, "n l s"], mask: Int[Tensor, "n l"]) -> Float[Tensor, "n f"]:
        turned = _turned(mask)
        for there, back in zip(self.there, self.back, strict=True):
            ahead, behind = there(x)[0], back(_along(x, turned))[0]
            x = torch.cat([ahead, _along(behind, turned)], 2)
        if not self.last:
            return self.pool(x, mask)
        # the last step of the way back is the first of the item
        half = x.shape[2] // 2
        return torch.cat([self.pool(x, mask)[:, :half], x[:, 0, half:]], 1)


class Recurrent(TextBackbone):
    """Embedded pieces of a text, read in both directions.

    MaLSTM (Mueller and Thyagarajan, 2016) is one of them: one LSTM layer, pooling = last, Manhattan distance.

    Args:
        pieces: how many pieces the vocabulary has.
        width: numbers that a piece is embedded in, and that each direction has.
        dropout: share of the embedded pieces' numbers that are dropped in training.
        how: depth, cell and pooling of `BothWays`.
    """

    def __init__(self, pieces: int, *, width: int, dropout: float = 0.0, **how: Any) -> None:
        super().__init__(pooled(how["pooling"], 2 * width), pieces, example=SHORT)
        self.embed = nn.Embedding(pieces, width)
        self.dropout = nn.Dropout(dropout)
        self.read = BothWays(width, width=width, **how)

    def forward(self, input_ids: Int[Tensor, "n l"], attention_mask: Int[Tensor, "n l"]) -> Float[Tensor, "n f"]:
        return self.read(self.dropout(self.embed(input_ids)), attention_mask)


class RecurrentSeries(SeriesBackbone):
    """A series, read in both directions.

    Args:
        channels: of a series.
        width: numbers that each direction has.
        how: depth, cell and pooling of `BothWays`.
    """

    def __init__(self, channels: int, *, width: int, **how: Any) -> None:
        super().__init__(pooled(how["pooling"], 2 * width), channels, example=SHORT)
        self.read = BothWays(channels, width=width, **how)

    def forward(self, series: Float[Tensor, "n l c"], attention_mask: Int[Tensor, "n l"]) -> Float[Tensor, "n f"]:
        return self.read(series, attention_mask)


def _turned(mask: Int[Tensor, "n l"]) -> Int[Tensor, "n l"]:
    """Where each piece comes from when a text is turned round; padding stays."""
    place, length = torch.arange(mask.shape[1], device=mask.device)[None], mask.sum(1, keepdim=True)
    return torch.where(place < length, length - 1 - place, place)


def _along(x: Float[Tensor, "n l f"], order: Int[Tensor, "n l"]) -> Float[Tensor, "n l f"]:
    return x.gather(1, order[..., None].expand(-1, -1, x.shape[2]))
