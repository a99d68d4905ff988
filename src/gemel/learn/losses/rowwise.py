"""Losses that are a sum over anchors: evaluated by blocks of rows, in memory that grows with one block.

The gradient of a block is taken as soon as its value is known, while its distances are still in the
cache, and only its sum over blocks is kept: n × m arrays never exist, and nothing is computed twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gemel.learn.losses.base import Loss, Term
from gemel.learn.relation import Block, Relation

if TYPE_CHECKING:
    from jaxtyping import Float

BLOCK = 1 << 19
"""About how many distances are looked at together on a CPU: few enough for its cache."""
BLOCK_ON_GPU = 1 << 26
FEWEST_ROWS = 64
"""A block has at least so many rows, for matrix products of fewer are slow."""


@dataclass(frozen=True)
class Sum:
    """What some anchors contribute.

    Attributes:
        total: a scalar, differentiable.
        counted: how many pairs, triplets or anchors took part.
    """

    total: Float[Tensor, ""]
    counted: int


@dataclass(frozen=True)
class Whole:
    """What a block of rows may ask of the whole batch.

    Attributes:
        relation: what is known of all pairs.
        dim: dimensions of an embedding.
    """

    relation: Relation
    dim: int

    @cached_property
    def blocks(self) -> list[slice]:
        """The rows, block by block."""
        n, m = self.relation.shape
        size = BLOCK_ON_GPU if self.relation.rows.ids.is_cuda else BLOCK
        step = max(FEWEST_ROWS, size // max(m, 1))
        return [slice(start, min(start + step, n)) for start in range(0, n, step)]

    @cached_property
    def anchors(self) -> int:
        """Rows that something is the same as."""
        return sum(int(self.relation.block(rows).same.any(1).count_nonzero()) for rows in self.blocks)

    @cached_property
    def mass(self) -> Mass:
        """How much of everything that is known is same, and how much different."""
        return sum((Mass.of(self.relation.block(rows)) for rows in self.blocks), Mass(0.0, 0.0, 0))


@dataclass(frozen=True)
class Mass:
    """How much is same and how much different; a pair with score s counts s as same and 1 - s as different.

    Attributes:
        same, different: summed over pairs.
        pairs: how many pairs anything is known of.
    """

    same: float
    different: float
    pairs: int

    def __add__(self, other: Mass) -> Mass:
        return Mass(self.same + other.same, self.different + other.different, self.pairs + other.pairs)

    @classmethod
    def of(cls, block: Block) -> Mass:
        """What a block of rows holds."""
        same, different = int(block.same.count_nonzero()), int(block.different.count_nonzero())
        if block.score is None:
            return cls(same, different, same + different)
        scores = block.score[~block.score.isnan()].double()
        alike = float(scores.sum())
        return cls(same + alike, different + len(scores) - alike, same + different + len(scores))


class Rowwise(Loss):
    """A loss that is a sum over anchors, divided by how much counted. A subclass says what some anchors cost."""

    any_columns = True

    def cost(self, apart: Float[Tensor, "b m"], block: Block, whole: Whole) -> Sum:
        """What some rows contribute.

        Args:
            apart: their distances to every column, in units of the typical one, in float32 or wider.
            block: what is known of these pairs.
            whole: what is known of the whole batch.
        """
        raise NotImplementedError

    def mean(self, total: Float[Tensor, ""], counted: int) -> Float[Tensor, ""]:
        """The value, from the sum over all rows."""
        return total / max(counted, 1)

    def learned(self) -> list[Tensor]:
        """The parameters that `cost` uses."""
        return list(self.parameters())

    def forward(self, rows: Float[Tensor, "n d"], cols: Float[Tensor, "m d"], relation: Relation) -> Term:
        a, b = self.distance.ready(rows, cols)
        typical = self.distance.typical(rows.shape[1])
        if typical != 1:
            a, b = (a / typical,) * 2 if a is b else (a / typical, b / typical)
        counts: list[int] = []
        whole = Whole(relation, rows.shape[1])
        total: Tensor = _ByBlocks.apply(self, whole, counts, a, b, *self.learned())  # type: ignore[no-untyped-call]
        return Term(self.mean(total, sum(counts)), sum(counts))


class _ByBlocks(torch.autograd.Function):
    """The summed cost of all blocks, and its gradient, summed beside it."""

    @staticmethod
    def forward(ctx: Any, loss: Rowwise, whole: Whole, counts: list[int], *given: Tensor) -> Float[Tensor, ""]:
        a, b, *weights = given
        total, slopes = a.new_zeros(()), [torch.zeros_like(x) for x in given]
        learning = any(x.requires_grad for x in given)
        with torch.set_grad_enabled(learning), torch.autocast(a.device.type, enabled=False):
            cols = b.detach().requires_grad_(b.requires_grad)
            for rows in whole.blocks:
                own = cols if a is b and len(whole.blocks) == 1 else a.detach()[rows].requires_grad_(a.requires_grad)
                part = loss.cost(loss.distance.apart(own, cols), whole.relation.block(rows), whole)
                total += part.total.detach()
                counts.append(part.counted)
                reached = [(cols, slopes[1]), *zip(weights, slopes[2:], strict=True)]
                if own is not cols:
                    reached.append((own, slopes[0][rows]))
                _add_gradients(part.total, [(leaf, slope) for leaf, slope in reached if leaf.requires_grad])
        ctx.save_for_backward(*slopes)
        return total

    @staticmethod
    def backward(ctx: Any, above: Float[Tensor, ""]) -> tuple[Tensor | None, ...]:
        return None, None, None, *(above * slope for slope in ctx.saved_tensors)


def _add_gradients(total: Tensor, reached: list[tuple[Tensor, Tensor]]) -> None:
    """Add the gradient of `total` by each leaf to that leaf's slope, in place."""
    if not total.requires_grad:
        return
    found = torch.autograd.grad(total, [leaf for leaf, _ in reached], allow_unused=True)
    for (_, slope), gradient in zip(reached, found, strict=True):
        if gradient is not None:
            slope += gradient
