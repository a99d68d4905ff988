"""Multi-similarity loss: every pair is weighed by how hard it is among the others of its anchor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gemel.learn.distances import Distance
from gemel.learn.losses.base import Term
from gemel.learn.losses.crowd import log_sum_exp, one_and_crowd
from gemel.learn.losses.rowwise import Rowwise
from gemel.learn.losses.whole import Whole
from gemel.learn.relation import Block

if TYPE_CHECKING:
    from jaxtyping import Float


class MultiSimilarity(Rowwise):
    """log(1 + sum over positives of exp(-alpha (s - base))) / alpha, and likewise with beta over negatives.

    The similarity is s = 1 - d. Only pairs that are not already in order take part: positives less similar than
    the most similar negative plus `epsilon`, negatives more similar than the least similar positive minus it.
    The mean is over anchors that have such pairs.

    Args:
        distance: how embeddings are compared; d is in units of its typical distance.
        alpha: how hard the positives are looked at; above 0.
        beta: how hard the negatives are looked at; above 0.
        base: the similarity at which a pair starts to weigh.
        epsilon: how far out of order a pair may be and still be left alone is -epsilon; infinite: no mining.

    Source: Wang et al. (2019), Multi-similarity loss with general pair weighting for deep metric learning, eq. 11-15.
    """

    def __init__(
        self, distance: Distance, *, alpha: float = 2.0, beta: float = 50.0, base: float = 0.5, epsilon: float = 0.1
    ) -> None:
        super().__init__(distance)
        self.alpha, self.beta, self.base, self.epsilon = alpha, beta, base, epsilon

    def cost(self, apart: Float[Tensor, "b m"], block: Block, whole: Whole) -> Term:
        fixed, (anchor, column) = apart.detach(), block.positives
        far = fixed[anchor, column]
        farthest = fixed.new_full((len(fixed),), -torch.inf).scatter_reduce(0, anchor, far, "amax")
        nearest = fixed.masked_fill(~block.different, torch.inf).amin(1)
        hard = far > nearest[anchor] - self.epsilon
        anchor, column = anchor[hard], column[hard]
        negative = block.different & (fixed < farthest[:, None] + self.epsilon)
        middle = 1 - self.base
        logits = (fixed - middle).mul_(-self.beta)
        positives, crowd = one_and_crowd(apart, (anchor, column), negative, logits=logits, slope=-self.beta)
        pull = log_sum_exp(self.alpha * (positives - middle), anchor, len(apart))
        anchors = pull > -torch.inf
        each = softplus(pull[anchors]) / self.alpha + softplus(crowd[anchors]) / self.beta
        return Term(each.sum(), int(anchors.count_nonzero()))
