"""InfoNCE, or NT-Xent: each positive is picked out from among the negatives of its anchor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn.functional import softplus

from gemel.learn.distances import Distance
from gemel.learn.losses.base import Term
from gemel.learn.losses.rowwise import Rowwise, anchors, log_sum_exp
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
        logits = apart / -self.temperature
        counting = anchors(block)
        against = log_sum_exp(logits, block.different)
        anchor, positive = (block.same & counting[:, None]).nonzero(as_tuple=True)
        short = against[anchor] - logits[anchor, positive]
        each = short if self.decoupled else softplus(short)
        positives = block.same.sum(1)[anchor]
        return Term((each / positives).sum(), int(counting.count_nonzero()))
