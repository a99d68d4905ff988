"""The shared subnetwork: a backbone from prepared inputs to features, and a head from features to an embedding.

Both branches of a twin are one `Encoder`, so weights are shared by construction. Knows tensors and
shapes; nothing of files, of losses, or of how the backbone is built.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

if TYPE_CHECKING:
    from jaxtyping import Float


class Backbone(nn.Module):
    """What every backbone offers: named inputs, `features` numbers out, and freezing.

    Args:
        features: how many numbers come out for one item.
        shapes: input name → shape of one item, without the batch; an axis of None has any length, the same for all.

    Attributes:
        plain: whether what comes out is an embedding already, that no linear layer follows.
        unit: whether it is to get length 1.
    """

    plain, unit = False, True

    def __init__(self, features: int, shapes: Mapping[str, tuple[int | None, ...]]) -> None:
        super().__init__()
        self.features = features
        self.shapes = shapes
        self.frozen = False

    def example(self, n: int, chance: torch.Generator) -> dict[str, Tensor]:
        """Random inputs for `n` items: float32, standard normal."""
        return {name: torch.randn(n, *_fixed(shape), generator=chance) for name, shape in self.shapes.items()}

    def freeze(self) -> Backbone:
        """Parameters stop learning, and BatchNorm and dropout stay as in use, under `.train()` too."""
        self.frozen = True
        self.requires_grad_(False)
        return self.eval()

    def tuned(self, how: str) -> Self:
        """Itself, ready to learn in full, or frozen: for good, or for a warm-up until `thaw` is called; for adapters,
        see `lora.py`."""
        if how in ("frozen", "warmup"):
            self.freeze()
        return self

    def thaw(self) -> Backbone:
        """Undo `freeze`: parameters learn again. Call `.train()` on the encoder afterwards."""
        self.frozen = False
        return self.requires_grad_(True)

    def train(self, mode: bool = True) -> Backbone:
        return super().train(mode and not self.frozen)


class Head(nn.Module):
    """From features to an embedding: dropout, a linear layer, unit length, and a weight per dimension.

    With `weighted`, Manhattan distance over the embeddings is the learned distance of Koch, Zemel and
    Salakhutdinov (2015), sum of w_j |a_j - b_j| over unit-length a and b, and needs no code of its own.

    Args:
        features: numbers that come in.
        dim: dimensions of the embedding.
        dropout: share of features dropped in training, in [0, 1).
        unit: whether embeddings get length 1 (before the weights).
        weighted: whether each dimension has a learned weight, at least 0 and 1 at the start.
        plain: whether there is no linear layer, so that features that mean something already stay what they are.
    """

    def __init__(
        self,
        features: int,
        dim: int,
        *,
        dropout: float = 0.0,
        unit: bool = True,
        weighted: bool = False,
        plain: bool = False,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.unit = unit
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Identity() if plain else nn.Linear(features, dim)
        self.free = nn.Parameter(torch.zeros(dim)) if weighted else None

    @property
    def weight(self) -> Float[Tensor, " d"] | None:
        """The non-negative weight of each dimension; None where there is none."""
        return None if self.free is None else softplus(self.free) / math.log(2)

    def forward(self, features: Float[Tensor, "n f"]) -> Float[Tensor, "n d"]:
        embedding = self.linear(self.dropout(features)).float()
        if self.unit:
            embedding = unit_length(embedding)
        weight = self.weight
        return embedding if weight is None else embedding * weight


class Encoder(nn.Module):
    """From prepared inputs to embeddings [n, dim], float32 under mixed precision too."""

    def __init__(self, backbone: Backbone, head: Head) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    @property
    def dim(self) -> int:
        """Dimensions of an embedding."""
        return self.head.dim

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs, in the backbone's order: the keyword arguments of `forward`."""
        return tuple(self.backbone.shapes)

    def forward(self, **inputs: Tensor) -> Float[Tensor, "n d"]:
        """Embeddings of prepared items; an image comes as `image` [n, c, h, w], a vector as `vector` [n, d]."""
        return self.head(self.backbone(*[inputs[name] for name in self.inputs]))

    def example(self, n: int, *, seed: int = 0) -> dict[str, Tensor]:
        """Random inputs for `n` items; the same ones for the same seed."""
        return self.backbone.example(n, torch.Generator().manual_seed(seed))


def _fixed(shape: tuple[int | None, ...]) -> list[int]:
    """A shape with some length for every open axis."""
    return [7 if size is None else size for size in shape]


def unit_length(x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Rows divided by their Euclidean length; a zero row stays zero and has gradient 0 instead of NaN."""
    square = x.square().sum(1, keepdim=True)
    tiny = square <= 1e-12
    return x * torch.where(tiny, 0.0, square.masked_fill(tiny, 1.0).rsqrt())
