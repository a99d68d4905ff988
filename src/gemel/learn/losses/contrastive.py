"""The contrastive loss: same pairs are pulled together, different pairs are pushed beyond a margin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from gemel.errors import RecipeError
from gemel.learn.distances import Distance
from gemel.learn.losses.pairwise import Pairwise

if TYPE_CHECKING:
    from jaxtyping import Float


class Contrastive(Pairwise):
    """Mean over same pairs of max(0, d - inner)², and over different pairs of max(0, margin - d)², one half each.

    Args:
        distance: how embeddings are compared; d is in units of its typical distance.
        margin: different pairs farther apart than this are left alone.
        inner: same pairs nearer than this are left alone; above 0 makes it the double-margin loss. Below the margin.
        balanced: one half for each side; otherwise every pair weighs the same.

    Source: Hadsell, Chopra and LeCun (2006), Dimensionality reduction by learning an invariant mapping, eq. 4;
    Lin et al. (2015), DeepHash, for the second margin.
    """

    def __init__(self, distance: Distance, *, margin: float = 1.0, inner: float = 0.0, balanced: bool = True) -> None:
        super().__init__(distance, balanced=balanced)
        if not 0 <= inner < margin:
            raise RecipeError(
                f"Same pairs are left alone within {inner:g} and different pairs beyond {margin:g}: "
                "the first must be at least 0, and below the second."
            )
        self.margin = margin
        self.inner = inner

    def costs(self, apart: Float[Tensor, "b m"]) -> tuple[Float[Tensor, "b m"], Float[Tensor, "b m"]]:
        pull = (apart - self.inner).relu() if self.inner else apart
        return pull.square(), (self.margin - apart).relu().square()
