"""One against a crowd: an anchor's few positives, beside a log-sum-exp over its many negatives.

What most losses over a batch have in common, in as few passes over the distances as can be: the exponentials of the
way there are those of the way back, and the few positives never become an array of their own. Knows no loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import threshold

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    Places = tuple[Int[Tensor, " p"], Int[Tensor, " p"]]

FAINT = -87.0
"""Exponents below this give numbers that are slow to compute with, and weigh nothing: they count as no number."""


def one_and_crowd(
    apart: Float[Tensor, "b m"],
    positives: Places,
    crowd: Bool[Tensor, "b m"] | None,
    *,
    logits: Float[Tensor, "b m"],
    slope: float | Float[Tensor, "b m"],
) -> tuple[Float[Tensor, " p"], Float[Tensor, " b"]]:
    """The distances of some pairs, and for each row the log of the sum of exp(logits) over its crowd.

    Args:
        apart: distances.
        positives: rows and columns of the pairs.
        crowd: what each row's sum runs over, where it is empty, the log is -infinity; None: all but the pairs.
        logits: a function of the detached distances; a new array, for it is overwritten.
        slope: its derivative.
    """
    return _OneAndCrowd.apply(apart, positives, crowd, logits, slope)  # type: ignore[no-untyped-call]


class _OneAndCrowd(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        apart: Float[Tensor, "b m"],
        positives: Places,
        crowd: Bool[Tensor, "b m"] | None,
        logits: Float[Tensor, "b m"],
        slope: float | Float[Tensor, "b m"],
    ) -> tuple[Float[Tensor, " p"], Float[Tensor, " b"]]:
        if crowd is None:
            logits[positives] = -torch.inf
        else:
            logits.masked_fill_(~crowd, -torch.inf)
        top = logits.amax(1, keepdim=True) if logits.shape[1] else logits.new_full((len(logits), 1), -torch.inf)
        weight = logits.sub_(top.masked_fill(top == -torch.inf, 0)).clamp_(min=FAINT).exp_()
        threshold(weight, 2e-38, 0.0, inplace=True)
        total = weight.sum(1, keepdim=True)
        ctx.weight, ctx.total, ctx.slope, ctx.positives = weight, total, slope, positives
        return apart[positives], (top + total.log()).squeeze(1)

    @staticmethod
    def backward(
        ctx: Any, at: Float[Tensor, " p"], above: Float[Tensor, " b"]
    ) -> tuple[Tensor, None, None, None, None]:
        if isinstance(ctx.slope, Tensor):
            found = ctx.weight * ctx.slope
            slope = 1.0
        else:
            found, slope = ctx.weight, ctx.slope
        found = found * (slope * above[:, None] / ctx.total.clamp(min=1e-30))
        found.index_put_(ctx.positives, at, accumulate=True)
        return found, None, None, None, None


def log_sum_exp(x: Float[Tensor, " p"], row: Int[Tensor, " p"], rows: int) -> Float[Tensor, " b"]:
    """For each of so many rows, the log of the sum of exp(x) over its entries; -infinity where it has none."""
    top = x.new_full((rows,), -torch.inf).scatter_reduce(0, row, x.detach(), "amax")
    total = x.new_zeros(rows).index_add(0, row, (x - top[row]).exp())
    return top + total.masked_fill(total == 0, 1.0).log()


def total(x: Float[Tensor, " p"], row: Int[Tensor, " p"], rows: int) -> Float[Tensor, " b"]:
    """For each of so many rows, the sum of its entries."""
    return x.new_zeros(rows).index_add(0, row, x)
