"""Losses over pairs with a score: only the pairs that were given count, so that no n × m array is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from gemel.learn.distances import wide
from gemel.learn.losses.base import Knows, Loss, Term
from gemel.learn.relation import Relation

if TYPE_CHECKING:
    from jaxtyping import Float


class Graded(Loss):
    """A loss that holds the similarity of each given pair against its score in [0, 1].

    The similarity is s = 1 - d, with d in units of the typical distance: 1 for equal embeddings and 0 for random
    ones; under cosine distance it is the cosine. A pair counts once, in whatever direction it was given, and not
    at all if its two items have the same content. Pairs labelled same and different have the scores 1 and 0; so
    have the two pairs of a triplet. Memory is a few arrays of p × d numbers for p pairs of d dimensions.
    """

    needs = frozenset({Knows.SCORE, Knows.PAIRS, Knows.TRIPLETS})

    def cost(self, similarity: Float[Tensor, " p"], score: Float[Tensor, " p"]) -> Term:
        """The value for some pairs, of which there may be none.

        Args:
            similarity: in float32 or wider.
            score: as wide as the similarity.
        """
        raise NotImplementedError

    def forward(self, rows: Float[Tensor, "n d"], cols: Float[Tensor, "m d"], relation: Relation) -> Term:
        pairs, left = relation.pairs, wide(rows)
        right = left if cols is rows else wide(cols)
        if pairs is None:
            nothing = self.distance.paired(left[:0], right[:0])
            return self.cost(nothing, nothing.detach())
        told = relation.rows.ids[pairs.row] != relation.cols.ids[pairs.col]
        row, col = pairs.row[told], pairs.col[told]
        apart = self.distance.paired(left[row], right[col]) / self.distance.typical(rows.shape[1])
        return self.cost(1 - apart, pairs.value[told].to(apart.dtype))
