"""Lifted structure loss: all positives of an anchor against all its negatives, smoothly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gemel.learn.distances import Distance
from gemel.learn.losses.base import Term
from gemel.learn.losses.crowd import log_sum_exp, one_and_crowd
from gemel.learn.losses.rowwise import Rowwise
from gemel.learn.losses.whole import Whole
from gemel.learn.relation import Block

if TYPE_CHECKING:
    from jaxtyping import Float


class Lifted(Rowwise):
    """T · max(0, log sum over positives of exp(d_p / T) + log sum over negatives of exp((margin - d_n) / T)).

    This is the generalised form, over every positive of an anchor at once, with a temperature T for distances
    that are bounded. The mean is over anchors with a positive and a negative.

    Args:
        distance: how embeddings are compared; d is in units of its typical distance.
        margin: negatives nearer than this weigh most.
        temperature: T, above 0; 1 is the formula of the source.

    Source: Hermans et al. (2017), In defense of the triplet loss, eq. 7; after Oh Song et al. (2016), Deep metric
    learning via lifted structured feature embedding.
    """

    def __init__(self, distance: Distance, *, margin: float = 1.0, temperature: float = 0.1) -> None:
        super().__init__(distance)
        self.margin = margin
        self.temperature = temperature

    def cost(self, apart: Float[Tensor, "b m"], block: Block, whole: Whole) -> Term:
        logits, slope = (self.margin - apart.detach()) / self.temperature, -1 / self.temperature
        positives, crowd = one_and_crowd(apart, block.positives, block.different, logits=logits, slope=slope)
        far = log_sum_exp(positives / self.temperature, block.positives[0], len(apart))
        counting = (far > -torch.inf) & (crowd > -torch.inf)
        return Term(self.temperature * (far + crowd)[counting].relu().sum(), int(counting.count_nonzero()))
