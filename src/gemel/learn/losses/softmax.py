"""Normalised softmax: an item is nearer to the proxy of its identity than to any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn.functional import softplus

from gemel.learn.distances import Distance
from gemel.learn.losses.base import Term
from gemel.learn.losses.crowd import one_and_crowd
from gemel.learn.losses.proxies import Proxies
from gemel.learn.losses.whole import Whole
from gemel.learn.relation import Relation

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class Softmax(Proxies):
    """Normalised softmax: -log(exp(l_own) / sum over proxies of exp(l)) with logits l = -d / temperature.

    The mean is over items whose identity is known.

    Args:
        temperature: above 0.
        distance, identities, dim, sampled: as of every loss with proxies.

    Source: Zhai and Wu (2019), Classification is a strong baseline for deep metric learning, eq. 3.
    """

    def __init__(
        self,
        distance: Distance,
        *,
        identities: Int[Tensor, " c"],
        dim: int,
        temperature: float = 0.05,
        sampled: int | None = None,
    ) -> None:
        super().__init__(distance, identities=identities, dim=dim, sampled=sampled)
        self.temperature = temperature

    def forward(self, rows: Float[Tensor, "n d"], cols: Float[Tensor, "m d"], relation: Relation) -> Term:
        proxies, side = self.against(relation, rows.shape[1])
        return super().forward(rows, proxies, Relation(relation.rows, side))

    def handicap(self, apart: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """What the distance to an item's own proxy counts as: as it is."""
        return apart

    def between(self, own: Float[Tensor, "b d"], cols: Float[Tensor, "m d"], rows: slice, whole: Whole) -> Term:
        """Every item whose identity is known has one positive, and all other proxies are its negatives."""
        apart, positives = self.distance.apart(own, cols), self.own(whole.relation, rows)
        logits, slope = apart.detach() / -self.temperature, -1 / self.temperature
        near, others = one_and_crowd(apart, positives, None, logits=logits, slope=slope)
        each = softplus(others[positives[0]] + self.handicap(near) / self.temperature)
        return Term(each.sum(), len(each))
