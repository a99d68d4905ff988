"""Losses against one learned point per identity: for very many classes, without pairs.

`Softmax` classifies by the nearest proxy; a margin on the right one makes it CosFace, an angle ArcFace.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from gemel.errors import RecipeError
from gemel.learn.distances import Distance, unit
from gemel.learn.losses.base import Knows, Term
from gemel.learn.losses.rowwise import Rowwise, Sum, Whole
from gemel.learn.relation import Block, Relation, Side

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class Proxies(Rowwise):
    """A learned unit-length point for each identity; items are compared with these instead of with each other.

    Args:
        distance: how an embedding and a proxy are compared.
        identities: [c] the codes of all identities of the training items, each once.
        dim: dimensions of an embedding.
        sampled: how many proxies take part in a step: those of the batch, and others at random; None: all.

    Source: Movshovitz-Attias et al. (2017), No fuss distance metric learning using proxies; An et al. (2021),
    Partial FC: training 10 million identities on a single machine, for sampling.
    """

    needs = frozenset({Knows.IDENTITY})
    any_columns = False
    codes: Tensor

    def __init__(
        self, distance: Distance, *, identities: Int[Tensor, " c"], dim: int, sampled: int | None = None
    ) -> None:
        super().__init__(distance)
        if len(identities) < 2:
            raise RecipeError(f"A loss with proxies needs at least two identities, and there are {len(identities)}.")
        self.register_buffer("codes", torch.unique(identities))
        self.proxies = nn.Parameter(unit(torch.randn(len(identities), dim)))
        self.sampled = sampled

    def learned(self) -> list[Tensor]:
        return []

    def against(self, relation: Relation, dim: int) -> tuple[Float[Tensor, "p d"], Side]:
        """The first `dim` dimensions of this step's proxies, at unit length, and what is known of them."""
        codes = self.codes
        chosen = self._chosen(relation.rows)
        ids = -1 - torch.arange(len(chosen), device=chosen.device)
        return unit(self.proxies[chosen, :dim]), Side(ids, torch.zeros_like(ids), codes[chosen])

    def _chosen(self, side: Side) -> Int[Tensor, " p"]:
        """Positions of the proxies that take part, in ascending order."""
        codes = self.codes
        everyone = torch.arange(len(codes), device=codes.device)
        if self.sampled is None or self.sampled >= len(codes) or side.identity is None:
            return everyone
        present = torch.isin(codes, side.identity)
        others = everyone[~present]
        order = torch.randperm(len(others), device=codes.device)
        drawn = others[order[: max(self.sampled - int(present.sum()), 0)]]
        return torch.cat([everyone[present], drawn]).sort().values


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

    def cost(self, apart: Float[Tensor, "b m"], block: Block, whole: Whole) -> Sum:
        anchor, own = block.same.nonzero(as_tuple=True)
        near = self.handicap(apart[anchor, own])
        known = (block.same | block.different)[anchor]
        handicapped = apart[anchor].scatter(1, own[:, None], near[:, None])
        logits = (handicapped / -self.temperature).masked_fill(~known, -torch.inf)
        return Sum((logits.logsumexp(1) + near / self.temperature).sum(), len(anchor))


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


class ArcFace(Softmax):
    """Softmax in which an item's own proxy counts as farther away by an angle.

    The angle is read off the distance between unit-length vectors; under Manhattan distance, off the one that so
    large a distance has on average. An angle that would pass the half turn counts as farther by margin · sin(margin).

    Args:
        margin: in radians.
        temperature: one over the source's scale s.
        distance, identities, dim, sampled: as of every loss with proxies.

    Source: Deng et al. (2019), ArcFace: additive angular margin loss for deep face recognition, eq. 3.
    """

    def __init__(
        self,
        distance: Distance,
        *,
        identities: Int[Tensor, " c"],
        dim: int,
        margin: float = 0.5,
        temperature: float = 1 / 30,
        sampled: int | None = None,
    ) -> None:
        super().__init__(distance, identities=identities, dim=dim, temperature=temperature, sampled=sampled)
        self.margin = margin

    def handicap(self, apart: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """The distance, longer by as much as the cosine falls when the angle grows by the margin."""
        half = (self.distance.chord(apart) / 2).clamp(0, 1 - 1e-6)
        cosine = 1 - 2 * half.square()
        sine = 2 * half * (1 - half.square()).sqrt()
        turned = cosine * math.cos(self.margin) - sine * math.sin(self.margin)
        passed = cosine < math.cos(math.pi - self.margin)
        return apart + torch.where(passed, self.margin * math.sin(self.margin), cosine - turned)
