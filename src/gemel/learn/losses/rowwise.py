"""Losses that are a sum over anchors: evaluated by blocks of rows, in memory that grows with one block.

The gradient of a block is taken as soon as its value is known, while its distances are still in the
cache, and only its sum over blocks is kept: n × m arrays never exist, and nothing is computed twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gemel.learn.losses.base import Knows, Loss, Term
from gemel.learn.losses.whole import Whole
from gemel.learn.relation import Block, Relation

if TYPE_CHECKING:
    from jaxtyping import Float


class Rowwise(Loss):
    """A loss that is a sum over anchors, divided by how much counted. A subclass says what some anchors cost.

    Needs, unless it says otherwise, what tells positives and negatives of one anchor.
    """

    needs = frozenset(Knows) - {Knows.PAIRS, Knows.SCORE}
    any_columns = True

    def cost(self, apart: Float[Tensor, "b m"], block: Block, whole: Whole) -> Term:
        """The sum over some rows, and how much it is a sum of.

        Args:
            apart: their distances to every column, in units of the typical one, in float32 or wider.
            block: what is known of these pairs.
            whole: what is known of the whole batch.
        """
        raise NotImplementedError

    def between(self, own: Float[Tensor, "b d"], cols: Float[Tensor, "m d"], rows: slice, whole: Whole) -> Term:
        """The same from embeddings that are ready for `distance.apart`, and which rows of the batch they are."""
        return self.cost(self.distance.apart(own, cols), whole.relation.block(rows), whole)

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
        counted = sum(counts)
        return Term(total / max(counted, 1), counted)


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
                part = loss.between(own, cols, rows, whole)
                total += part.value.detach()
                counts.append(part.counted)
                reached = [(cols, slopes[1]), *zip(weights, slopes[2:], strict=True)]
                if own is not cols:
                    reached.append((own, slopes[0][rows]))
                _add_gradients(part.value, [(leaf, slope) for leaf, slope in reached if leaf.requires_grad])
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
