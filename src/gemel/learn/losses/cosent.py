"""CoSENT: pairs with a higher score are to be more similar, by how much does not matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gemel.learn.distances import Distance
from gemel.learn.losses.base import Term
from gemel.learn.losses.graded import Graded

if TYPE_CHECKING:
    from jaxtyping import Float


class CoSENT(Graded):
    """log(1 + sum of exp((s_low - s_high) / temperature)) over all pairs of pairs of which one has the lower score.

    The similarity is s = 1 - d. The sum is exact and takes O(p log p) time and O(p) memory for p pairs: in the order of
    scores, what a pair is held against is a running sum. What counts are the pairs of pairs; the value is no mean of
    them.

    Args:
        distance: how embeddings are compared; d is in units of its typical distance.
        temperature: above 0; lower looks harder at the pairs that are most out of order.

    Source: Su (2022), CoSENT: a more efficient sentence vector scheme than Sentence-BERT (kexue.fm/archives/8847);
    one over the temperature is its λ = 20.
    """

    def __init__(self, distance: Distance, *, temperature: float = 0.05) -> None:
        super().__init__(distance)
        self.temperature = temperature

    def cost(self, similarity: Float[Tensor, " p"], score: Float[Tensor, " p"]) -> Term:
        score, order = score.sort()
        logits = similarity[order] / self.temperature
        lower = torch.searchsorted(score, score)
        higher = lower > 0
        if not higher.any():
            return Term(similarity[:0].sum(), 0)
        below = logits.logcumsumexp(0)[lower[higher] - 1]
        return Term(softplus((below - logits[higher]).logsumexp(0)), int(lower.sum()))
