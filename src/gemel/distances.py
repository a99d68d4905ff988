"""How far apart two embeddings are: one definition each, smaller is closer.

Holds no parameters: the learned distance of Koch et al. (2015), sum of w_j |a_j - b_j| with
w >= 0, is a non-negative diagonal last layer of the encoder followed by Manhattan distance.
Knows NumPy only; PyTorch kernels of the same definitions live in `learn/distances.py`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from gemel.errors import RecipeError

if TYPE_CHECKING:
    from jaxtyping import Float

BLOCK = 1 << 24
"""Largest number of elements a blocked kernel holds in one temporary array."""


@runtime_checkable
class Distance(Protocol):
    """How far apart; every method takes arrays of shape [..., d] and computes in float32 or wider."""

    name: str
    furthest: float
    """Upper bound for unit-length embeddings of unbounded dimension; infinite for Manhattan."""

    def paired(self, a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """Row i of `a` against row i of `b`. This is the definition: exact at zero."""
        ...

    def matrix(self, a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "n m"]:
        """Every row of `a` against every row of `b`, blocked; within 2e-3 of `paired` near zero.

        Where a verdict, a duplicate or a threshold depends on a small distance, rescore with `paired`.
        """
        ...

    def typical(self, dim: int) -> float:
        """About how far apart two random unit-length embeddings of `dim` dimensions are.

        Margins and temperatures are given in this unit, so that one default fits every distance.
        """
        ...


def _wide(x: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    return x if x.dtype == np.float64 else x.astype(np.float32, copy=False)


def _squared(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "n m"]:
    square = a @ b.T
    square *= -2
    square += np.einsum("nd,nd->n", a, a)[:, None]
    square += np.einsum("md,md->m", b, b)[None, :]
    return np.maximum(square, 0, out=square)


class Euclidean:
    """The straight line: sqrt(sum (a - b)^2); 0 to 2 on unit-length embeddings."""

    name = "euclidean"
    furthest = 2.0

    def paired(self, a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        gap = _wide(a) - _wide(b)
        return np.sqrt(np.einsum("nd,nd->n", gap, gap))

    def matrix(self, a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "n m"]:
        return np.sqrt(_squared(_wide(a), _wide(b)))

    def typical(self, dim: int) -> float:
        return math.sqrt(2)


class Manhattan:
    """City blocks: sum |a - b|; grows with the square root of the dimension on unit-length embeddings."""

    name = "manhattan"
    furthest = math.inf

    def paired(self, a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        return np.abs(_wide(a) - _wide(b)).sum(axis=1)

    def matrix(self, a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "n m"]:
        a, b = _wide(a), _wide(b)
        out = np.empty((len(a), len(b)), np.result_type(a, b))
        step = max(1, BLOCK // max(1, b.size))
        for start in range(0, len(a), step):
            rows = slice(start, start + step)
            np.abs(a[rows, None, :] - b[None, :, :]).sum(axis=2, out=out[rows])
        return out

    def typical(self, dim: int) -> float:
        return 2 * math.sqrt(dim / math.pi)


class Cosine:
    """One minus the cosine of the angle: 0 to 2; a zero vector is at distance 1 from everything but itself."""

    name = "cosine"
    furthest = 2.0

    def paired(self, a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        gap = _unit(a) - _unit(b)
        return np.einsum("nd,nd->n", gap, gap) / 2 + _zero_gap(a, b)

    def matrix(self, a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "n m"]:
        return np.clip(1 - _unit(a) @ _unit(b).T, 0, 2)

    def typical(self, dim: int) -> float:
        return 1.0


def _unit(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    x = _wide(x)
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return np.divide(x, length, out=np.zeros_like(x), where=length > 0)


def _zero_gap(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
    """What half the squared chord lacks where exactly one side is the zero vector."""
    one_is_zero = (~a.any(axis=1)) ^ (~b.any(axis=1))
    return np.where(one_is_zero, np.float32(0.5), np.float32(0))


DISTANCES: dict[str, Distance] = {d.name: d for d in (Euclidean(), Manhattan(), Cosine())}


def distance(name: str) -> Distance:
    """The distance of that name: euclidean, manhattan or cosine.

    >>> distance("euclidean").paired(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]]))
    array([5.])
    """
    try:
        return DISTANCES[name]
    except KeyError:
        raise RecipeError(f"There is no distance {name!r}; choose one of {', '.join(DISTANCES)}.") from None
