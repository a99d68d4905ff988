"""Several losses at once, each with a weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from torch import Tensor, nn

from gemel.errors import RecipeError
from gemel.learn.losses.base import Loss, Term
from gemel.learn.relation import Relation

if TYPE_CHECKING:
    from jaxtyping import Float


class WeightedSum(Loss):
    """Sum of weight · loss over several losses; what counts is summed too, without the weights.

    Each of them has to find what it needs in the same data: what is needed is what they have in common.

    Args:
        losses: one at least; the first says how embeddings are compared.
        weights: one for each loss.
    """

    def __init__(self, losses: Sequence[Loss], weights: Sequence[float]) -> None:
        super().__init__(losses[0].distance)
        names = ", ".join(type(loss.core).__name__ for loss in losses)
        if len(losses) != len(weights):
            raise RecipeError(f"{names} need as many weights, and there are {len(weights)}.")
        self.needs = frozenset.intersection(*(loss.needs for loss in losses))
        if not self.needs:
            raise RecipeError(f"{names} cannot learn together: nothing that data may know is enough for each of them.")
        self.losses = nn.ModuleList(losses)
        self.weights = tuple(weights)
        self.any_columns = all(loss.any_columns for loss in losses)

    @property
    def core(self) -> Loss:
        return cast(Loss, self.losses[0]).core

    def forward(self, rows: Float[Tensor, "n d"], cols: Float[Tensor, "m d"], relation: Relation) -> Term:
        return Term.sum([loss(rows, cols, relation) for loss in self.losses], self.weights)
