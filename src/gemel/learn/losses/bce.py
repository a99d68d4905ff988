"""Binary cross-entropy: the probability of *same* as a logistic function of the distance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from gemel.learn.distances import Distance
from gemel.learn.losses.pairwise import Pairwise

if TYPE_CHECKING:
    from jaxtyping import Float


class CrossEntropy(Pairwise):
    """p(same) = sigmoid(bias - scale · d); same and different pairs weigh one half each.

    Bias and scale are learned with the encoder; the scale is kept positive as the exponential of a parameter.
    A pair with score s has the soft target s. With the learned distance, this is the head of Koch et al.

    Args:
        distance: how embeddings are compared; d is in units of its typical distance.
        scale: where the scale starts.
        middle: the distance at which p(same) is one half at the start.
        balanced: one half for each side; otherwise every pair weighs the same.

    Source: Koch, Zemel and Salakhutdinov (2015), Siamese neural networks for one-shot image recognition.
    """

    pace = 100.0  # a step of the encoder's length would leave bias and scale where they are for thousands of steps

    def __init__(self, distance: Distance, *, scale: float = 8.0, middle: float = 0.5, balanced: bool = True) -> None:
        super().__init__(distance, balanced=balanced)
        self.bias = nn.Parameter(torch.tensor(scale * middle))
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def costs(self, apart: Float[Tensor, "b m"]) -> tuple[Float[Tensor, "b m"], Float[Tensor, "b m"]]:
        logits = self.bias - self.log_scale.exp() * apart
        return softplus(-logits), softplus(logits)
