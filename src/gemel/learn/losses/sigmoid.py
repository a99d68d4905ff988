"""Sigmoid loss: every pair of a batch is a yes-or-no question of its own; nothing is normalised over the batch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from gemel.learn.distances import Distance
from gemel.learn.losses.pairwise import Pairwise

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


class Sigmoid(Pairwise):
    """-log sigmoid(±(t s + b)) with s = 1 - d, the mean over anchors of its sum over all their pairs.

    The scale t and the bias b are learned with the encoder, t as the exponential of a parameter. The bias starts
    low, for most pairs are different.

    Args:
        distance: how embeddings are compared; d is in units of its typical distance.
        scale: where t starts.
        bias: where b starts.

    Source: Zhai et al. (2023), Sigmoid loss for language image pre-training, algorithm 1.
    """

    pace = 100.0  # a step of the encoder's length would leave bias and scale where they are for thousands of steps

    def __init__(self, distance: Distance, *, scale: float = 10.0, bias: float = -10.0) -> None:
        super().__init__(distance, balanced=False)
        self.bias = nn.Parameter(torch.tensor(bias))
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def costs(self, apart: Float[Tensor, "b m"]) -> tuple[Float[Tensor, "b m"], Float[Tensor, "b m"]]:
        logits = self.bias + self.log_scale.exp() * (1 - apart)
        return softplus(-logits), softplus(logits)

    def count(self, known: Bool[Tensor, "b m"]) -> int:
        return int(known.any(1).count_nonzero())
