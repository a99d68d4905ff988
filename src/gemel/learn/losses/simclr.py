"""SimCLR: two views of one item find each other among the views of all others; nobody says what is the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torch import Tensor

from gemel.learn.losses.base import Knows, Term
from gemel.learn.losses.infonce import InfoNCE
from gemel.learn.relation import Relation, Side

if TYPE_CHECKING:
    from jaxtyping import Float


class SimCLR(InfoNCE):
    """InfoNCE over views (NT-Xent): an item's other views are *same*, everything else is *different*.

    Identities and given pairs are not looked at, even where there are any.

    Args:
        distance: how embeddings are compared; d is in units of its typical distance.
        temperature: above 0; the source takes 0.1 to 0.5 with cosines.

    Source: Chen et al. (2020), A simple framework for contrastive learning of visual representations, eq. 1.
    """

    needs = frozenset({Knows.VIEWS})

    def forward(self, rows: Float[Tensor, "n d"], cols: Float[Tensor, "m d"], relation: Relation) -> Term:
        return super().forward(rows, cols, only_views(relation))


def only_views(relation: Relation) -> Relation:
    """What is left when nothing is known but which rows are views of one item."""
    rows = _nameless(relation.rows)
    cols = rows if relation.cols is relation.rows else _nameless(relation.cols)
    return Relation(rows, cols, others="different")


def _nameless(side: Side) -> Side:
    return replace(side, identity=None, impostor_of=None)
