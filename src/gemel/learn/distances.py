"""The distances of `gemel.distances` as differentiable PyTorch kernels, tested equal to them.

Always computed in float32, under mixed precision too; gradients are finite for identical rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from gemel import distances
from gemel.errors import RecipeError

if TYPE_CHECKING:
    from jaxtyping import Float


@runtime_checkable
class Distance(Protocol):
    """How far apart two embeddings are, as tensors."""

    name: str

    def paired(self, a: Float[Tensor, "n d"], b: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """Row i against row i; exact at zero."""
        ...

    def matrix(self, a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        """Every row against every row."""
        ...

    def typical(self, dim: int) -> float:
        """The distance of two random unit-length embeddings: the unit of margins and temperatures."""
        ...


def root(square: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The square root, with gradient 0 instead of infinity where the argument is (all but) 0."""
    tiny = square <= 1e-12
    return torch.where(tiny, 0.0, square.masked_fill(tiny, 1.0).sqrt())


class Euclidean:
    """sqrt(sum (a - b)^2)."""

    name = "euclidean"

    def paired(self, a: Float[Tensor, "n d"], b: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        return root((a.float() - b.float()).square().sum(1))

    def matrix(self, a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        with torch.autocast(a.device.type, enabled=False):
            a, b = a.float(), b.float()
            square = a.square().sum(1)[:, None] + b.square().sum(1) - 2 * (a @ b.T)
            return root(square)

    def typical(self, dim: int) -> float:
        return distances.distance(self.name).typical(dim)


class Manhattan:
    """sum |a - b|."""

    name = "manhattan"

    def paired(self, a: Float[Tensor, "n d"], b: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        return (a.float() - b.float()).abs().sum(1)

    def matrix(self, a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        with torch.autocast(a.device.type, enabled=False):
            return torch.cdist(a.float(), b.float(), p=1)

    def typical(self, dim: int) -> float:
        return distances.distance(self.name).typical(dim)


class Cosine:
    """1 - cos(a, b)."""

    name = "cosine"

    def paired(self, a: Float[Tensor, "n d"], b: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        return (normalize(a.float()) - normalize(b.float())).square().sum(1) / 2

    def matrix(self, a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        with torch.autocast(a.device.type, enabled=False):
            return 1 - normalize(a.float()) @ normalize(b.float()).T

    def typical(self, dim: int) -> float:
        return distances.distance(self.name).typical(dim)


DISTANCES: dict[str, Distance] = {d.name: d for d in (Euclidean(), Manhattan(), Cosine())}


def distance(name: str) -> Distance:
    """The differentiable distance of that name."""
    try:
        return DISTANCES[name]
    except KeyError:
        raise RecipeError(f"There is no distance {name!r}; choose one of {', '.join(DISTANCES)}.") from None
