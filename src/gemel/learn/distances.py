"""The distances of `gemel.distances` as differentiable PyTorch kernels, tested equal to them.

Computed in float32 under mixed precision too, in float64 where that is given; gradients are finite for
identical rows and for zero vectors.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import threshold

from gemel import distances
from gemel.errors import RecipeError

if TYPE_CHECKING:
    from jaxtyping import Float


class Distance:
    """How far apart two embeddings are, as tensors."""

    name: str

    def paired(self, a: Float[Tensor, "n d"], b: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """Row i against row i; exact at zero."""
        raise NotImplementedError

    def ready(
        self, a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "m d"]]:
        """Both sides as `apart` wants them: what has to be done only once for a whole batch."""
        raise NotImplementedError

    def apart(self, a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        """Every row of a ready side, or of some of its rows, against every row of the other."""
        raise NotImplementedError

    def beside(self, a: Float[Tensor, "n d"], b: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """Row i of a ready side against row i of another."""
        return self.paired(a, b)

    def matrix(self, a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        """Every row against every row."""
        return self.apart(*self.ready(a, b))

    def typical(self, dim: int) -> float:
        """The distance of two random unit-length embeddings: the unit of margins and temperatures.

        Where it is not 1, the distance is homogeneous: embeddings half as long are half as far apart.
        """
        return distances.distance(self.name).typical(dim)

    def chord(self, apart: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The straight line, 0 to 2, between unit-length embeddings from their distance in typical ones."""
        return apart * math.sqrt(2)


def root(square: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The square root, with gradient 0 instead of infinity where the argument is (all but) 0."""
    tiny = square <= 1e-12
    return torch.where(tiny, 0.0, square.masked_fill(tiny, 1.0).sqrt())


def wide(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Float32 at least: half precision is widened, float64 stays."""
    return x if x.dtype == torch.float64 else x.float()


def unit(x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Every row at length 1; a zero row stays zero, with gradient 0."""
    x = wide(x)
    length = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    return x * length.masked_fill(length == 0, torch.inf).reciprocal()


class Euclidean(Distance):
    """sqrt(sum (a - b)^2)."""

    name = "euclidean"

    def paired(self, a: Float[Tensor, "n d"], b: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        return root((wide(a) - wide(b)).square().sum(1))

    def ready(
        self, a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "m d"]]:
        centre = wide(b).detach().mean(0)  # a crowd far from the origin keeps its digits
        left = wide(a) - centre
        return left, left if a is b else wide(b) - centre

    def apart(self, a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        with torch.autocast(a.device.type, enabled=False):
            return _Straight.apply(a, b)  # type: ignore[no-untyped-call]


class _Straight(torch.autograd.Function):
    """All straight lines between two sets of points by one matrix product; `torch.cdist` in fewer passes."""

    @staticmethod
    def forward(ctx: Any, a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        square = torch.addmm(b.square().sum(1), a, b.T, alpha=-2)
        apart = square.add_(a.square().sum(1, keepdim=True)).clamp_(min=0).sqrt_()
        ctx.save_for_backward(a, b, apart)
        return apart

    @staticmethod
    def backward(ctx: Any, above: Float[Tensor, "n m"]) -> tuple[Tensor, Tensor]:
        a, b, apart = ctx.saved_tensors
        slope = above / threshold(apart, 0.0, torch.inf)  # at distance 0 there is no direction
        left = a * slope.sum(1, keepdim=True) - slope @ b
        right = b * slope.sum(0)[:, None] - slope.T @ a
        return left, right


class Manhattan(Distance):
    """sum |a - b|; its chord is the one that so large a distance has on average."""

    name = "manhattan"

    def paired(self, a: Float[Tensor, "n d"], b: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        return (wide(a) - wide(b)).abs().sum(1)

    def ready(
        self, a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "m d"]]:
        left = wide(a)
        return left, left if a is b else wide(b)

    def apart(self, a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        with torch.autocast(a.device.type, enabled=False):
            if a is b and len(a) > 1 and a.device.type == "cpu":  # pdist of one row crashes on its way back
                return _mirrored(torch.nn.functional.pdist(a, p=1), len(a))
            return torch.cdist(a, b, p=1)


def _mirrored(upper: Float[Tensor, " p"], n: int) -> Float[Tensor, "n n"]:
    """The symmetric matrix with these values above its diagonal, row by row. Four times as fast as both halves."""
    row, col = torch.triu_indices(n, n, 1, device=upper.device)
    half = upper.new_zeros(n, n).index_put((row, col), upper)
    return half + half.T


class Cosine(Distance):
    """1 - cos(a, b); a zero vector is at distance 1 from everything but itself."""

    name = "cosine"

    def paired(self, a: Float[Tensor, "n d"], b: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        chord = (unit(a) - unit(b)).square().sum(1)
        one_is_zero = (a == 0).all(1) ^ (b == 0).all(1)
        return chord / 2 + one_is_zero / 2

    def ready(
        self, a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "m d"]]:
        left = unit(a)
        return left, left if a is b else unit(b)

    def beside(self, a: Float[Tensor, "n d"], b: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        return 1 - (a * b).sum(1)

    def apart(self, a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        with torch.autocast(a.device.type, enabled=False):
            return torch.addmm(a.new_ones(()), a, b.T, alpha=-1)

    def chord(self, apart: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        return root((2 * apart).relu())


DISTANCES: dict[str, Distance] = {d.name: d for d in (Euclidean(), Manhattan(), Cosine())}


def distance(name: str) -> Distance:
    """The differentiable distance of that name."""
    try:
        return DISTANCES[name]
    except KeyError:
        raise RecipeError(f"There is no distance {name!r}; choose one of {', '.join(DISTANCES)}.") from None
