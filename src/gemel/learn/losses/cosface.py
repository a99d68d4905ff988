"""CosFace: softmax over proxies, with a margin on the distance to the right one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from gemel.learn.distances import Distance
from gemel.learn.losses.softmax import Softmax

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class CosFace(Softmax):
    """Softmax in which an item's own proxy counts as farther away by a margin.

    Args:
        margin: in units of the typical distance; the source's margin on the cosine.
        temperature: one over the source's scale s.
        distance, identities, dim, sampled: as of every loss with proxies.

    Source: Wang et al. (2018), CosFace: large margin cosine loss for deep face recognition, eq. 4.
    """

    def __init__(
        self,
        distance: Distance,
        *,
        identities: Int[Tensor, " c"],
        dim: int,
        margin: float = 0.35,
        temperature: float = 1 / 30,
        sampled: int | None = None,
    ) -> None:
        super().__init__(distance, identities=identities, dim=dim, temperature=temperature, sampled=sampled)
        self.margin = margin

    def handicap(self, apart: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        return apart + self.margin
