"""Supervised contrastive loss: all items of an identity are picked out together from the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gemel.learn.distances import Distance
from gemel.learn.losses.base import Knows
from gemel.learn.losses.rowwise import Rowwise, Sum, Whole
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

    needs = frozenset({Knows.IDENTITY, Knows.POSITIVES, Knows.VIEWS, Knows.TRIPLETS})

    def __init__(self, distance: Distance, *, temperature: float = 0.1) -> None:
        super().__init__(distance)
        self.temperature = temperature

    def cost(self, apart: Float[Tensor, "b m"], block: Block, whole: Whole) -> Sum:
        logits = apart / -self.temperature
        positives = block.same.sum(1)
        anchors = (positives > 0) & block.different.any(1)
        everyone = logits.masked_fill(~(block.same | block.different), -torch.inf).logsumexp(1)
        near = (logits * block.same).sum(1) / positives.clamp(min=1)
        return Sum((everyone - near)[anchors].sum(), int(anchors.count_nonzero()))
