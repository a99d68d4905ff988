"""A loss of the library pytorch-metric-learning, on what gemel knows of a batch. Does not import the library."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from gemel.learn.distances import Distance, wide
from gemel.learn.losses.base import Knows, Loss, Term
from gemel.learn.losses.families import families
from gemel.learn.relation import UNKNOWN, Block, Relation, Side

if TYPE_CHECKING:
    from jaxtyping import Float, Int

Listed = tuple[Tensor, ...]
"""Their `indices_tuple`: (anchor, positive, anchor, negative), or triplets (anchor, positive, negative)."""


class PytorchMetricLearning(Loss):
    """Their loss, given embeddings with labels and, where labels do not say everything, a list of pairs.

    Labels say everything in an ordinary batch of different items that all have an identity. Otherwise (given pairs,
    views, impostors, items twice or without an identity, two sides) every pair that is known is listed as the
    `indices_tuple`, and the columns go as `ref_emb`; their losses that take neither then say so. What their miner
    lists is kept as far as it is known to be so. Margins and temperatures are theirs, in units of their distance.

    Losses with a proxy for each class are built with `identities`: labels are positions among these, items
    without an identity are left out, and no pairs are listed.

    Args:
        distance: how the twin compares embeddings; that theirs does likewise is up to you.
        theirs: an object of `pytorch_metric_learning.losses`; what it learns is optimised and saved as any loss's.
        miner: an object of `pytorch_metric_learning.miners`; None: all pairs.
        identities: [c] the codes of all identities of the training items, for a loss with `num_classes` = c.

    Counted are the pairs or triplets it was given, or the items; over which of them it takes its mean is up to it.
    """

    needs = frozenset(Knows) - {Knows.SCORE}
    codes: Tensor | None

    def __init__(
        self,
        distance: Distance,
        theirs: nn.Module,
        *,
        miner: nn.Module | None = None,
        identities: Int[Tensor, " c"] | None = None,
    ) -> None:
        super().__init__(distance)
        self.theirs, self.miner = theirs, miner
        self.any_columns = identities is None
        if identities is not None:
            self.needs = frozenset({Knows.IDENTITY})
        self.register_buffer("codes", None if identities is None else torch.unique(identities))

    def forward(self, rows: Float[Tensor, "n d"], cols: Float[Tensor, "m d"], relation: Relation) -> Term:
        with torch.autocast(rows.device.type, enabled=False):
            if self.codes is not None:
                return self._by_class(wide(rows), relation.rows, self.codes)
            return self._by_pairs(wide(rows), wide(cols), relation)

    def _by_class(self, rows: Float[Tensor, "n d"], side: Side, codes: Int[Tensor, " c"]) -> Term:
        labels = torch.full_like(side.ids, UNKNOWN) if side.identity is None else side.identity
        known = torch.isin(labels, codes)
        if not known.any():
            return Term(rows[:0].sum(), 0)
        return Term(self.theirs(rows[known], torch.searchsorted(codes, labels[known])), int(known.sum()))

    def _by_pairs(self, rows: Float[Tensor, "n d"], cols: Float[Tensor, "m d"], relation: Relation) -> Term:
        given = {"labels": families(relation.rows)}
        if relation.rows is not relation.cols:
            given |= {"ref_emb": cols, "ref_labels": families(relation.cols)}
        if _labels_say_all(relation):
            listed = None if self.miner is None else self.miner(rows, **given)
            counted = len(rows) * (len(rows) - 1) if listed is None else _count(listed)
        else:
            block = relation.block()
            listed = _all(block) if self.miner is None else _known(self.miner(rows, **given), block)
            counted = _count(listed)
        if not counted:
            return Term(rows[:0].sum(), 0)
        return Term(self.theirs(rows, indices_tuple=listed, **given), counted)


def _labels_say_all(relation: Relation) -> bool:
    side = relation.rows
    if side is not relation.cols or relation.pairs is not None or side.identity is None or side.impostor_of is not None:
        return False
    return bool((side.identity != UNKNOWN).all()) and len(torch.unique(side.ids)) == len(side)


def _all(block: Block) -> Listed:
    return *block.same.nonzero(as_tuple=True), *block.different.nonzero(as_tuple=True)


def _known(listed: Listed, block: Block) -> Listed:
    """What is listed, as far as it is known to be so."""
    if len(listed) == 3:
        a, p, n = listed
        kept = block.same[a, p] & block.different[a, n]
        return a[kept], p[kept], n[kept]
    a, p, b, n = listed
    near, far = block.same[a, p], block.different[b, n]
    return a[near], p[near], b[far], n[far]


def _count(listed: Listed) -> int:
    """Triplets, or pairs of either kind."""
    return sum(len(anchors) for anchors in listed[::2]) if len(listed) == 4 else len(listed[0])
