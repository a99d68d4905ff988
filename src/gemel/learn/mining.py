"""Which triplets of a batch teach: every one that violates the margin, the hardest, the semi-hard, or a draw.

Works on detached distances and a block of relations; never holds more than a few n × m arrays,
and takes O(n · m · log m) time. Anchors are never mixed: a triplet's two pairs share their row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gemel.learn.relation import Block

if TYPE_CHECKING:
    from jaxtyping import Float, Int


FEW = 8
"""Up to this many positives per anchor, comparing with each is faster than a binary search."""
NEAREST, FARTHEST = 0.5, 1.4
"""Chords below and above count as these when a negative is drawn by how common its distance is."""


@dataclass(frozen=True)
class Triplets:
    """Triplets by position: the anchor is a row, its positive and negative are columns."""

    anchor: Int[Tensor, " t"]
    positive: Int[Tensor, " t"]
    negative: Int[Tensor, " t"]

    def __len__(self) -> int:
        return len(self.anchor)


@dataclass(frozen=True)
class Violations:
    """In how many triplets that violate the margin each pair takes part.

    Attributes:
        weight: that number for same pairs, and minus that number for different pairs.
        count: how many triplets violate the margin.
    """

    weight: Float[Tensor, "n m"]
    count: int


def hard(apart: Float[Tensor, "n m"], block: Block) -> Triplets:
    """The farthest positive and the nearest negative of each anchor that has both (Hermans et al., 2017)."""
    anchor = (block.same.any(1) & block.different.any(1)).nonzero().squeeze(1)
    positive = torch.where(block.same, apart, -torch.inf).argmax(1)
    negative = torch.where(block.different, apart, torch.inf).argmin(1)
    return Triplets(anchor, positive[anchor], negative[anchor])


def semihard(apart: Float[Tensor, "n m"], block: Block) -> Triplets:
    """For each anchor and positive, the nearest negative that is farther than the positive (Schroff et al., 2015).

    Where there is none, the farthest negative of that anchor, the one closest to being so.
    """
    ranked = _rank(apart, block)
    negatives = torch.where(block.different, apart, torch.inf)
    bucket = _count_below(ranked.sorted, negatives)
    nearest, column = _nearest_in(bucket, negatives, ranked.sorted.shape[1] + 1)
    nearest, at = nearest.flip(1).cummin(1)
    column = column.flip(1).gather(1, at).flip(1)[ranked.anchor, ranked.place + 1]
    none = nearest.flip(1)[ranked.anchor, ranked.place + 1] == torch.inf
    farthest = torch.where(block.different, apart, -torch.inf).argmax(1)[ranked.anchor]
    return Triplets(ranked.anchor, ranked.column, torch.where(none, farthest, column))


def weighted(block: Block, chord: Float[Tensor, "n m"], dim: int) -> Triplets:
    """For each anchor and positive a random negative, near ones as likely as far ones (Wu et al., 2017, eq. 3-5).

    On a sphere almost everything is far; each negative is drawn with a chance inverse to how common its distance is.

    Args:
        block: what is known of the pairs.
        chord: straight lines between the embeddings at unit length, 0 to 2.
        dim: dimensions of an embedding.
    """
    anchor, positive = (block.same & block.different.any(1, keepdim=True)).nonzero(as_tuple=True)
    if not len(anchor):
        return Triplets(anchor, positive, positive)
    row, place, each = torch.unique_consecutive(anchor, return_inverse=True, return_counts=True)
    line = chord[row].clamp(NEAREST, FARTHEST)
    common = (dim - 2) * line.log() + (dim - 3) / 2 * (1 - line.square() / 4).log()
    chances = (-common).masked_fill(~block.different[row], -torch.inf).softmax(1)
    drawn = chances.multinomial(int(each.max()), replacement=True)
    slot = torch.arange(len(anchor), device=anchor.device) - (each.cumsum(0) - each)[place]
    return Triplets(anchor, positive, drawn[place, slot])


MINERS: dict[str, Callable[[Tensor, Block], Triplets]] = {"hard": hard, "semihard": semihard}


def violations(apart: Float[Tensor, "n m"], block: Block, margin: float) -> Violations:
    """Count, for every pair, the triplets with d(a, n) < d(a, p) + margin that it is part of."""
    ranked = _rank(apart, block)
    most = ranked.sorted.shape[1]
    negatives = torch.where(block.different, apart, torch.inf)
    bucket = _count_below(ranked.sorted + margin, negatives, or_equal=True)
    weight = (bucket - most).to(apart.dtype)
    sizes = torch.zeros(len(apart), most + 1, dtype=torch.long, device=apart.device)
    sizes.scatter_add_(1, bucket, torch.ones_like(bucket))
    per_positive = sizes.cumsum(1)[ranked.anchor, ranked.place]
    weight[ranked.anchor, ranked.column] = per_positive.to(apart.dtype)
    return Violations(weight, int(per_positive.sum()))


@dataclass(frozen=True)
class _Ranked:
    """The positives of anchors that have a negative.

    Attributes:
        anchor, column: where each positive is.
        place: its column in `sorted`.
        sorted: each anchor's positive distances in ascending order, after a filling of -infinity.
    """

    anchor: Int[Tensor, " t"]
    column: Int[Tensor, " t"]
    place: Int[Tensor, " t"]
    sorted: Float[Tensor, "n k"]


def _rank(apart: Float[Tensor, "n m"], block: Block) -> _Ranked:
    positives = block.same & block.different.any(1, keepdim=True)
    anchor, column = positives.nonzero(as_tuple=True)
    each = positives.sum(1)
    most = int(each.max()) if len(each) else 0
    slot = torch.arange(len(anchor), device=apart.device) - (each.cumsum(0) - each)[anchor]
    padded = torch.full((len(apart), most), -torch.inf, dtype=apart.dtype, device=apart.device)
    padded[anchor, slot] = apart[anchor, column]
    ordered, order = padded.sort(1)
    place = order.argsort(1)[anchor, slot]
    return _Ranked(anchor, column, place, ordered)


def _count_below(
    edges: Float[Tensor, "n k"], values: Float[Tensor, "n m"], *, or_equal: bool = False
) -> Int[Tensor, "n m"]:
    """How many of a row's ascending edges lie below each of its values. A few are compared one by one: faster."""
    if edges.shape[1] > FEW:
        return torch.searchsorted(edges, values, right=or_equal)
    below = torch.zeros(values.shape, dtype=torch.uint8, device=values.device)
    for k in range(edges.shape[1]):
        edge = edges[:, k : k + 1]
        below += (edge <= values) if or_equal else (edge < values)
    return below.long()


def _nearest_in(
    bucket: Int[Tensor, "n m"], values: Float[Tensor, "n m"], buckets: int
) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"]]:
    """The least finite value of each bucket of a row, and its column; infinity and 0 where there is none."""
    least = torch.full((len(values), buckets), torch.inf, dtype=values.dtype, device=values.device)
    least.scatter_reduce_(1, bucket, values, "amin")
    row, column = (values == least.gather(1, bucket)).nonzero(as_tuple=True)
    where = torch.zeros(least.shape, dtype=torch.long, device=values.device)
    where[row, bucket[row, column]] = column
    return least, where
