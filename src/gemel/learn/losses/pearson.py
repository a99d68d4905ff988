"""Pearson loss: similarity and score rise together, on one line over the pairs of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from gemel.learn.distances import root
from gemel.learn.losses.base import Term
from gemel.learn.losses.graded import Graded

if TYPE_CHECKING:
    from jaxtyping import Float

LEAST = 1e-3
"""A standard deviation below this counts as this, so that pairs which are all alike have a bounded gradient."""


class Pearson(Graded):
    """1 - cov(s, score) / (sd(s) · sd(score)) over the given pairs, with s = 1 - d; 0 to 2.

    Neither the level of similarities nor their spread matters. Nothing counts where all scores are the same.

    Args:
        distance: how embeddings are compared; d is in units of its typical distance.

    Source: Pearson (1895), Notes on regression and inheritance in the case of two parents.
    """

    def cost(self, similarity: Float[Tensor, " p"], score: Float[Tensor, " p"]) -> Term:
        if not (score != score[:1]).any():
            return Term(similarity[:0].sum(), 0)
        s, t = similarity - similarity.mean(), score - score.mean()
        spread = root(s.square().mean()).clamp(min=LEAST) * root(t.square().mean()).clamp(min=LEAST)
        return Term(1 - (s * t).mean() / spread, len(score))
