"""The contrastive loss: same pairs are pulled together, different pairs are pushed beyond a margin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from gemel.learn.distances import Distance
from gemel.learn.losses.base import Knows, Loss, Term
from gemel.learn.losses.weights import weigh
from gemel.learn.relation import Relation

if TYPE_CHECKING:
    from jaxtyping import Float


class Contrastive(Loss):
    """Mean over same pairs of d², and over different pairs of max(0, margin - d)², one half each.

    The halves keep the few same pairs of a batch from drowning among its many different ones. A pair with
    score s counts s as same and 1 - s as different.

    Args:
        distance: how embeddings are compared; d is in units of its typical distance.
        margin: different pairs farther apart than this are left alone.
        balanced: one half for each side; otherwise every pair weighs the same.

    Source: Hadsell, Chopra and LeCun (2006), Dimensionality reduction by learning an invariant mapping, eq. 4.
    """

    needs = frozenset({Knows.IDENTITY, Knows.PAIRS, Knows.SCORE, Knows.TRIPLETS})

    def __init__(self, distance: Distance, *, margin: float = 1.0, balanced: bool = True) -> None:
        super().__init__(distance)
        self.margin = margin
        self.balanced = balanced

    def forward(self, rows: Float[Tensor, "n d"], cols: Float[Tensor, "m d"], relation: Relation) -> Term:
        apart = self.apart(rows, cols)
        weights = weigh(relation.block(), dtype=apart.dtype, balanced=self.balanced)
        pull = weights.same * apart.square()
        push = weights.different * (self.margin - apart).relu().square()
        return Term((pull + push).sum(), weights.counted)
