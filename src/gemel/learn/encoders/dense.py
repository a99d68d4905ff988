"""Fully connected layers, for items that are vectors already. Knows vector tensors only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from gemel.errors import RecipeError
from gemel.learn.encoders.encoder import Backbone

if TYPE_CHECKING:
    from jaxtyping import Float


class Dense(Backbone):
    """Layers of linear map, normalisation and ReLU.

    Args:
        size: dimensions of an item.
        widths: outputs of each layer.
        norm: batch, or group: each item over all its features (Ba et al. 2016, layer normalisation).
    """

    def __init__(self, size: int, widths: list[int], norm: str) -> None:
        super().__init__(widths[-1], {"vector": (size,)})
        before = [size, *widths[:-1]]
        self.layers = nn.Sequential(*[_layer(i, o, norm) for i, o in zip(before, widths, strict=True)])

    def forward(self, vector: Float[Tensor, "n s"]) -> Float[Tensor, "n f"]:
        return self.layers(vector)


def dense(size: int, *, width: int = 256, depth: int = 2, norm: str = "batch") -> Dense:
    """The backbone with `depth` layers of `width` outputs.

    >>> dense(10, width=32).features
    32
    """
    return Dense(size, [width] * depth, norm)


def _layer(before: int, after: int, norm: str) -> nn.Sequential:
    return nn.Sequential(nn.Linear(before, after), _normalise(after, norm), nn.ReLU(inplace=True))


def _normalise(features: int, norm: str) -> nn.Module:
    if norm == "batch":
        return nn.BatchNorm1d(features)
    if norm == "group":
        return nn.LayerNorm(features)
    raise RecipeError(f"norm = {norm!r} does not exist; choose batch or group.")
