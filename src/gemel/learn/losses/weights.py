"""How much each pair of a batch counts as same and as different, so that imbalance does not bias a loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gemel.learn.relation import Block

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True)
class Weights:
    """The weight of each pair in a mean over pairs.

    Attributes:
        same, different: non-negative; 0 where the pair is not known to be so.
        counted: how many pairs have any weight.
    """

    same: Float[Tensor, "n m"]
    different: Float[Tensor, "n m"]
    counted: int


def weigh(block: Block, *, dtype: torch.dtype, balanced: bool = True) -> Weights:
    """Weights from what is known: a pair with score s counts s as same and 1 - s as different.

    Args:
        block: what is known of the pairs.
        dtype: of the weights.
        balanced: same and different pairs weigh one half each, however many there are; otherwise every pair
            weighs the same.
    """
    same, different = block.same.to(dtype), block.different.to(dtype)
    known = block.same | block.different
    if block.score is not None:
        scored, score = ~block.score.isnan(), block.score.to(dtype)
        same, different = torch.where(scored, score, same), torch.where(scored, 1 - score, different)
        known |= scored
    counted = int(known.count_nonzero())
    if balanced:
        return Weights(_half(same), _half(different), counted)
    return Weights(same / max(counted, 1), different / max(counted, 1), counted)


def _half(mass: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
    """Scaled to sum to one half; zeros stay zeros."""
    total = mass.sum()
    return mass * torch.where(total > 0, 0.5 / total, 0.0)
