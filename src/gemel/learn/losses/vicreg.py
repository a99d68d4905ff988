"""VICReg: two views of an item agree, every coordinate keeps its spread, and no two coordinates say the same."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gemel.learn.distances import Distance, wide
from gemel.learn.losses.base import Knows, Loss, Term
from gemel.learn.losses.families import turns
from gemel.learn.relation import Relation, Side

if TYPE_CHECKING:
    from jaxtyping import Float


class VICReg(Loss):
    """invariance · s(Z, Z') + variance · (v(Z) + v(Z')) + covariance · (c(Z) + c(Z')); Z, Z' are two views of n items.

    s is the mean of (z - z')² over items and coordinates; v the mean over coordinates of max(0, 1 - sqrt(var + ε));
    c the sum over pairs of coordinates of their squared covariance, divided by the number of coordinates d.

    It looks at embeddings themselves and not at distances. Coordinates are in units of 1/√d, the spread they have in
    unit-length embeddings that point everywhere. The expander of the source, three layers with BatchNorm between the
    embedding and the loss, is not part of it. Items in fewer than two views do not count, nor does a single item; of
    more than two, the two with the lowest numbers count; copies of an item in one view are averaged.

    Args:
        distance: how embeddings will be compared; the loss does not depend on it.
        invariance, variance, covariance: the weights λ, μ and ν.

    Source: Bardes, Ponce and LeCun (2022), VICReg: variance-invariance-covariance regularization for self-supervised
    learning, eq. 1-6; s is divided by d as in its algorithm 1, for which the weights are meant, and not in its eq. 5.
    """

    needs = frozenset({Knows.VIEWS})
    epsilon = 1e-4

    def __init__(
        self, distance: Distance, *, invariance: float = 25.0, variance: float = 25.0, covariance: float = 1.0
    ) -> None:
        super().__init__(distance)
        self.invariance, self.variance, self.covariance = invariance, variance, covariance

    def forward(self, rows: Float[Tensor, "n d"], cols: Float[Tensor, "m d"], relation: Relation) -> Term:
        with torch.autocast(rows.device.type, enabled=False):
            views = two_views(rows, cols, relation)
            count, dim = views[0].shape
            if count < 2:
                return Term(views[0][:0].sum(), 0)
            a, b = (view * math.sqrt(dim) for view in views)
            value = self.invariance * (a - b).square().mean()
            for centred in (a - a.mean(0), b - b.mean(0)):
                spread = centred.T @ centred / (count - 1)
                deviation = (spread.diagonal() + self.epsilon).sqrt()
                together = spread - spread.diagonal().diag()
                value = value + self.variance * (1 - deviation).relu().mean()
                value = value + self.covariance * together.square().sum() / dim
            return Term(value, count)


def two_views(
    rows: Float[Tensor, "n d"], cols: Float[Tensor, "m d"], relation: Relation
) -> tuple[Float[Tensor, "k d"], Float[Tensor, "k d"]]:
    """The first and the second view of every item that has two, item by item, from both sides."""
    x, ids, view = wide(rows), relation.rows.ids, relation.rows.view
    if relation.rows is not relation.cols:
        x = torch.cat([x, wide(cols)])
        ids, view = torch.cat([ids, relation.cols.ids]), torch.cat([view, relation.cols.view])
    turn, item = turns(ids, Side(ids, view)), torch.unique(ids, return_inverse=True)[1]
    items = int(item.max()) + 1 if len(item) else 0
    looks = []
    for which in (0, 1):
        chosen = turn == which
        total = x.new_zeros(items, x.shape[1]).index_add(0, item[chosen], x[chosen])
        looks.append((total, torch.bincount(item[chosen], minlength=items)))
    both = (looks[0][1] > 0) & (looks[1][1] > 0)
    first, second = (total[both] / copies[both, None] for total, copies in looks)
    return first, second
