"""Symmetric InfoNCE with a learned temperature, for two branches: images pick titles, and titles pick images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from gemel.learn.distances import Distance
from gemel.learn.losses.base import Knows, Term
from gemel.learn.losses.multiplenegatives import MultipleNegatives
from gemel.learn.losses.whole import Whole
from gemel.learn.relation import Block

if TYPE_CHECKING:
    from jaxtyping import Float

SHARPEST = 100.0
"""One over the temperature is at most this much."""


class Clip(MultipleNegatives):
    """Multiple negatives both ways; one over the temperature is learned, as the exponential of a parameter.

    Two first items are never compared with each other, nor two second ones: images compete with images for a title.

    Args:
        distance: how embeddings are compared; d is in units of its typical distance.
        temperature: where it starts, above 0.

    Source: Radford et al. (2021), Learning transferable visual models from natural language supervision, figure 3.
    """

    needs = MultipleNegatives.needs - {Knows.TRIPLETS}
    pace = 10.0  # a step of the encoder's length would leave it where it is for thousands of steps

    def __init__(self, distance: Distance, *, temperature: float = 0.07) -> None:
        super().__init__(distance, temperature=temperature, symmetric=True)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))

    def cost(self, apart: Float[Tensor, "b m"], block: Block, whole: Whole) -> Term:
        scale = self.log_scale.exp().clamp(max=SHARPEST)
        return self.picked(apart * scale, block, 1.0)
