"""Similarity regression: the similarity of a pair is its score."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from gemel.learn.losses.base import Term
from gemel.learn.losses.graded import Graded

if TYPE_CHECKING:
    from jaxtyping import Float


class Regression(Graded):
    """Mean over the given pairs of (s - score)², with s = 1 - d.

    Args:
        distance: how embeddings are compared; d is in units of its typical distance. Under cosine, s is the cosine.

    Source: Reimers and Gurevych (2019), Sentence-BERT: sentence embeddings using Siamese BERT-networks, section 3.
    """

    def cost(self, similarity: Float[Tensor, " p"], score: Float[Tensor, " p"]) -> Term:
        return Term((similarity - score).square().sum() / max(len(score), 1), len(score))
