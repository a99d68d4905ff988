"""Supervised contrastive loss: all items of an identity are picked out together from the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gemel.learn.distances import Distance
from gemel.learn.losses.base import Knows, Loss, Term
from gemel.learn.relation import Relation

if TYPE_CHECKING:
    from jaxtyping import Float


class SupCon(Loss):
    """Mean over an anchor's positives of -log(exp(l_p) / sum over all known others of exp(l_a)), l = -d / temperature.

    This is L_out: the mean over positives stands outside the logarithm. The sum runs over every pair that is
    known, same or different. An anchor without a positive or without a negative does not count.

    Args:
        distance: how embeddings are compared; d is in units of its typical distance.
        temperature: above 0; lower looks harder at the nearest negatives.

    Source: Khosla et al. (2020), Supervised contrastive learning, eq. 2.
    """

    needs = frozenset({Knows.IDENTITY, Knows.PAIRS, Knows.VIEWS, Knows.TRIPLETS})

    def __init__(self, distance: Distance, *, temperature: float = 0.1) -> None:
        super().__init__(distance)
        self.temperature = temperature

    def forward(self, rows: Float[Tensor, "n d"], cols: Float[Tensor, "m d"], relation: Relation) -> Term:
        logits = self.apart(rows, cols) / -self.temperature
        block = relation.block()
        anchors = block.same.any(1) & block.different.any(1)
        everyone = torch.where(block.same | block.different, logits, -torch.inf).logsumexp(1)
        near = torch.where(block.same, logits, 0.0).sum(1) / block.same.sum(1).clamp(min=1)
        counted = int(anchors.count_nonzero())
        return Term((everyone[anchors] - near[anchors]).sum() / max(counted, 1), counted)
