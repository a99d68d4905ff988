"""The triplet loss: an anchor is nearer to its positive than to its negative, by a margin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gemel.errors import RecipeError
from gemel.learn import mining
from gemel.learn.distances import Distance
from gemel.learn.losses.base import Term
from gemel.learn.losses.rowwise import Rowwise
from gemel.learn.losses.whole import Whole
from gemel.learn.relation import Block

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

CHUNK = 1 << 22
"""Largest number of triplets held at once by the soft loss over all of them."""


class Triplet(Rowwise):
    """Mean over triplets of max(0, d(a, p) - d(a, n) + margin).

    Which triplets: *all* that violate the margin (those that do not are left out of the mean, as they teach
    nothing); *hard*, the farthest positive and nearest negative of each anchor; *semihard*, for each anchor and
    positive the nearest negative that is farther away than the positive, or else the farthest one; *weighted*, for
    each anchor and positive a random negative, near ones as likely as far ones.

    With a soft margin, the cost is margin · softplus((d(a, p) - d(a, n)) / margin), which never quite reaches 0:
    the margin says how soft; it tends to the hinge at 0. Then *all* means over all triplets.

    Args:
        distance: how embeddings are compared; d is in units of its typical distance.
        margin: above 0.
        miner: all, hard, semihard or weighted.
        soft: the soft margin instead of the hinge.

    Source: Schroff et al. (2015), FaceNet; Hermans et al. (2017), In defense of the triplet loss;
    Wu et al. (2017), Sampling matters in deep embedding learning.
    """

    def __init__(self, distance: Distance, *, margin: float = 0.2, miner: str = "all", soft: bool = False) -> None:
        super().__init__(distance)
        if miner not in ("all", "weighted", *mining.MINERS):
            raise RecipeError(f"There is no miner {miner!r}; choose one of all, {', '.join(mining.MINERS)}, weighted.")
        self.margin = margin
        self.miner = miner
        self.soft = soft

    def cost(self, apart: Float[Tensor, "b m"], block: Block, whole: Whole) -> Term:
        return self._all_soft(apart, block) if self.soft else self._all(apart, block)

    def between(self, own: Float[Tensor, "b d"], cols: Float[Tensor, "m d"], rows: slice, whole: Whole) -> Term:
        """All triplets from all distances; of a few chosen ones, only these distances have a way back."""
        if self.miner == "all":
            return super().between(own, cols, rows, whole)
        apart = self.distance.apart(own, cols)
        chosen = self._chosen(apart.detach(), whole.relation.block(rows), whole.dim)
        if len(chosen) * whole.dim <= 2 * apart.numel():
            anchor = own.index_select(0, chosen.anchor)
            near = self.distance.beside(anchor, cols.index_select(0, chosen.positive))
            far = self.distance.beside(anchor, cols.index_select(0, chosen.negative))
        else:
            near, far = apart[chosen.anchor, chosen.positive], apart[chosen.anchor, chosen.negative]
        gap = near - far
        cost = self.margin * softplus(gap / self.margin) if self.soft else (gap + self.margin).relu()
        return Term(cost.sum(), len(chosen))

    def _chosen(self, apart: Float[Tensor, "b m"], block: Block, dim: int) -> mining.Triplets:
        if self.miner == "weighted":
            return mining.weighted(block, self.distance.chord(apart), dim)
        return mining.MINERS[self.miner](apart, block)

    def _all(self, apart: Float[Tensor, "b m"], block: Block) -> Term:
        """The sum of hinges is linear where it is not 0: how often each pair violates is its gradient."""
        votes = mining.violations(apart.detach(), block, self.margin)
        return Term((votes.weight * apart).sum() + self.margin * votes.count, votes.count)

    def _all_soft(self, apart: Float[Tensor, "b m"], block: Block) -> Term:
        count = int((block.same.sum(1) * block.different.sum(1)).sum())
        total: Tensor = _SoftSum.apply(apart / self.margin, block.same, block.different)  # type: ignore[no-untyped-call]
        return Term(self.margin * total, count)


class _SoftSum(torch.autograd.Function):
    """The sum of softplus(d(a, p) - d(a, n)) over all triplets, in bounded memory.

    The gradient is summed beside the value, chunk by chunk, so that no triplet is kept for the way back.
    """

    @staticmethod
    def forward(
        ctx: Any, apart: Float[Tensor, "n m"], same: Bool[Tensor, "n m"], different: Bool[Tensor, "n m"]
    ) -> Float[Tensor, ""]:
        total, slope = apart.new_zeros(()), torch.zeros_like(apart)
        anchor, positive = (same & different.any(1, keepdim=True)).nonzero(as_tuple=True)
        step = max(1, CHUNK // max(1, apart.shape[1]))
        for start in range(0, len(anchor), step):
            a, p = anchor[start : start + step], positive[start : start + step]
            gap = torch.where(different[a], apart[a, p][:, None] - apart[a], -torch.inf)
            total += softplus(gap).sum()
            steep = gap.sigmoid()
            slope.index_add_(0, a, -steep)
            slope[a, p] += steep.sum(1)
        ctx.save_for_backward(slope)
        return total

    @staticmethod
    def backward(ctx: Any, above: Float[Tensor, ""]) -> tuple[Tensor, None, None]:
        (slope,) = ctx.saved_tensors
        return above * slope, None, None
