"""Supervised contrastive loss: all items of an identity are picked out together from the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gemel.learn.distances import Distance
from gemel.learn.losses.base import Term
from gemel.learn.losses.crowd import one_and_crowd, total
from gemel.learn.losses.rowwise import Rowwise
from gemel.learn.losses.whole import Whole
from gemel.learn.relation import Block

if TYPE_CHECKING:
    from jaxtyping import Float


class SupCon(Rowwise):
    """Mean over an anchor's positives of -log(exp(l_p) / sum over all known others of exp(l_a)), l = -d / temperature.

    This is L_out: the mean over positives stands outside the logarithm. The sum runs over every pair that is
    known, same or different. An anchor without a positive or without a negative does not count.

    Args:
        distance: how embeddings are compared; d is in units of its typical distance.
        temperature: above 0; lower looks harder at the nearest negatives.

    Source: Khosla et al. (2020), Supervised contrastive learning, eq. 2.
    """

    def __init__(self, distance: Distance, *, temperature: float = 0.1) -> None:
        super().__init__(distance)
        self.temperature = temperature

    def cost(self, apart: Float[Tensor, "b m"], block: Block, whole: Whole) -> Term:
        logits, slope = apart.detach() / -self.temperature, -1 / self.temperature
        known, anchor = block.same | block.different, block.positives[0]
        near, everyone = one_and_crowd(apart, block.positives, known, logits=logits, slope=slope)
        positives = torch.bincount(anchor, minlength=len(apart))
        counting = (positives > 0) & (known.sum(1) > positives)
        mean = total(near, anchor, len(apart)) / positives.clamp(min=1)
        return Term((everyone + mean / self.temperature)[counting].sum(), int(counting.count_nonzero()))
