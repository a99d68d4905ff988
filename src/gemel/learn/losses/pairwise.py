"""Losses over single pairs: a cost for being the same, a cost for being different, and weights against imbalance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from gemel.learn.distances import Distance
from gemel.learn.losses.base import Knows, Term
from gemel.learn.losses.rowwise import Rowwise
from gemel.learn.losses.whole import Whole
from gemel.learn.relation import Block

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


class Pairwise(Rowwise):
    """A mean over pairs; a pair with score s counts s as same and 1 - s as different.

    Args:
        distance: how embeddings are compared.
        balanced: same and different pairs weigh one half each, however many there are, so that the few same
            pairs of a batch do not drown; otherwise every pair weighs the same.
    """

    needs = frozenset(Knows)

    def __init__(self, distance: Distance, *, balanced: bool = True) -> None:
        super().__init__(distance)
        self.balanced = balanced

    def costs(self, apart: Float[Tensor, "b m"]) -> tuple[Float[Tensor, "b m"], Float[Tensor, "b m"]]:
        """What each pair would cost if it were the same, and if it were different."""
        raise NotImplementedError

    def cost(self, apart: Float[Tensor, "b m"], block: Block, whole: Whole) -> Term:
        pull, push = self.costs(apart)
        near, far = self.weights(whole)
        total = near * (block.same * pull).sum() + far * (block.different * push).sum()
        if block.score is not None:
            row, col = (~block.score.isnan()).nonzero(as_tuple=True)
            score = block.score[row, col].to(apart.dtype)
            total = total + (near * score * pull[row, col] + far * (1 - score) * push[row, col]).sum()
        return Term(total, self.count(known(block)))

    def weights(self, whole: Whole) -> tuple[float, float]:
        """Of one same and of one different pair, 1 on the average."""
        if not self.balanced:
            return 1.0, 1.0
        mass = whole.mass
        half = mass.pairs / 2
        return half / mass.same if mass.same else 0.0, half / mass.different if mass.different else 0.0

    def count(self, known: Bool[Tensor, "b m"]) -> int:
        """What the mean is over: every pair of which anything is known."""
        return int(known.count_nonzero())


def known(block: Block) -> Bool[Tensor, "b m"]:
    """Pairs that are same, different, or have a score."""
    told = block.same | block.different
    return told if block.score is None else told | ~block.score.isnan()
