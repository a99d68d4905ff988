"""InfoNCE, or NT-Xent: each positive is picked out from among the negatives of its anchor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gemel.learn.distances import Distance
from gemel.learn.losses.base import Term
from gemel.learn.losses.crowd import one_and_crowd
from gemel.learn.losses.rowwise import Rowwise
from gemel.learn.losses.whole import Whole
from gemel.learn.relation import Block

if TYPE_CHECKING:
    from jaxtyping import Float


class InfoNCE(Rowwise):
    """-log(exp(l_p) / (exp(l_p) + sum over negatives of exp(l_n))) with logits l = -d / temperature.

    Rows are the anchors. An anchor's positives are judged one by one, each against that anchor's negatives and
    without its other positives; the mean is over an anchor's positives, then over anchors. An anchor without a
    positive or without a negative does not count.

    Args:
        distance: how embeddings are compared; d is in units of its typical distance.
        temperature: above 0; lower looks harder at the nearest negatives.
        decoupled: leave the positive out of the sum, so that an easy positive does not still its negatives.

    Source: van den Oord et al. (2018), Representation learning with contrastive predictive coding, eq. 4;
    Chen et al. (2020), A simple framework for contrastive learning of visual representations, eq. 1;
    Yeh et al. (2022), Decoupled contrastive learning, eq. 5.
    """

    def __init__(self, distance: Distance, *, temperature: float = 0.1, decoupled: bool = False) -> None:
        super().__init__(distance)
        self.temperature = temperature
        self.decoupled = decoupled

    def cost(self, apart: Float[Tensor, "b m"], block: Block, whole: Whole) -> Term:
        return self.picked(apart, block, self.temperature)

    def picked(self, apart: Float[Tensor, "b m"], block: Block, temperature: float) -> Term:
        """What it costs to pick the positives out at this temperature."""
        logits, slope = apart.detach() / -temperature, -1 / temperature
        near, crowd = one_and_crowd(apart, block.positives, block.different, logits=logits, slope=slope)
        counting = (crowd > -torch.inf)[block.positives[0]]
        anchor = block.positives[0][counting]
        short = crowd[anchor] + near[counting] / temperature
        each = short if self.decoupled else softplus(short)
        positives = torch.bincount(anchor, minlength=len(crowd))
        return Term((each / positives[anchor]).sum(), int(positives.count_nonzero()))
