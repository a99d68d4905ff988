"""Circle loss: each pair is pushed in proportion to how far it is from where it should be."""

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


class Circle(Rowwise):
    """log(1 + sum over negatives of exp(gamma a_n (s_n - m)) · sum over positives of exp(-gamma a_p (s_p - 1 + m))).

    The similarity is s = 1 - d; the weights a_p = max(0, 1 + m - s_p) and a_n = max(0, s_n + m) have no gradient.
    The mean is over anchors with a positive and a negative.

    Args:
        distance: how embeddings are compared; d is in units of its typical distance.
        margin: m, in [0, 1).
        gamma: the scale, above 0.

    Source: Sun et al. (2020), Circle loss: a unified perspective of pair similarity optimization, eq. 6-9.
    """

    def __init__(self, distance: Distance, *, margin: float = 0.4, gamma: float = 80.0) -> None:
        super().__init__(distance)
        self.margin = margin
        self.gamma = gamma

    def cost(self, apart: Float[Tensor, "b m"], block: Block, whole: Whole) -> Term:
        gamma, m = self.gamma, self.margin
        fixed = apart.detach()
        slope = (fixed - (1 + m)).clamp_(max=0).mul_(gamma)  # -gamma a_n
        near, crowd = one_and_crowd(
            apart, block.positives, block.different, logits=(fixed - (1 - m)).mul_(slope), slope=slope
        )
        pull = gamma * (near.detach() + m).relu() * (near - m)
        far = log_sum_exp(pull, block.positives[0], len(apart))
        counting = (far > -torch.inf) & (crowd > -torch.inf)
        return Term(softplus((far + crowd)[counting]).sum(), int(counting.count_nonzero()))
