"""Proxy-Anchor: each identity's proxy looks at all items of the batch at once, the hard ones most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gemel.learn.distances import Distance
from gemel.learn.losses.base import Term
from gemel.learn.losses.crowd import log_sum_exp, one_and_crowd
from gemel.learn.losses.proxies import Proxies
from gemel.learn.losses.whole import Whole
from gemel.learn.relation import Block, Relation

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class ProxyAnchor(Proxies):
    """Mean over proxies with a positive of log(1 + sum over positives of exp(-alpha (s - margin))),

    plus the mean over all proxies of log(1 + sum over negatives of exp(alpha (s + margin))), with s = 1 - d.

    Args:
        margin: on either side, in units of the typical distance.
        alpha: the scale, above 0.
        distance, identities, dim, sampled: as of every loss with proxies.

    Source: Kim et al. (2020), Proxy anchor loss for deep metric learning, eq. 4.
    """

    def __init__(
        self,
        distance: Distance,
        *,
        identities: Int[Tensor, " c"],
        dim: int,
        margin: float = 0.1,
        alpha: float = 32.0,
        sampled: int | None = None,
    ) -> None:
        super().__init__(distance, identities=identities, dim=dim, sampled=sampled)
        self.margin = margin
        self.alpha = alpha

    def forward(self, rows: Float[Tensor, "n d"], cols: Float[Tensor, "m d"], relation: Relation) -> Term:
        proxies, side = self.against(relation, rows.shape[1])
        return super().forward(proxies, rows, Relation(side, relation.rows))

    def cost(self, apart: Float[Tensor, "b m"], block: Block, whole: Whole) -> Term:
        logits = (apart.detach() - (1 + self.margin)).mul_(-self.alpha)
        own, crowd = one_and_crowd(apart, block.positives, block.different, logits=logits, slope=-self.alpha)
        pull = log_sum_exp(self.alpha * (own - (1 - self.margin)), block.positives[0], len(apart))
        present = pull > -torch.inf
        near, far = softplus(pull), softplus(crowd)
        share = whole.positive / len(whole.relation.rows)
        return Term(near[present].sum() + share * far.sum(), int(present.count_nonzero()))
