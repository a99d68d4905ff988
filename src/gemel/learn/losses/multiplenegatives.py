"""Multiple negatives: one item of each pair asks, the other items of all pairs are the candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from gemel.learn.distances import Distance, wide
from gemel.learn.losses.base import Knows, Term
from gemel.learn.losses.families import families, turns
from gemel.learn.losses.infonce import InfoNCE
from gemel.learn.relation import Relation

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class MultipleNegatives(InfoNCE):
    """InfoNCE from the first items of the *same* pairs (questions) to the second items of all pairs (answers).

    Two questions are never compared with each other, unlike in NT-Xent. Second items of *different* pairs are hard
    negatives. Where identities speak instead of pairs, the item of each with the lowest id asks and the others answer;
    so does the first view of an item without an identity.

    Args:
        distance: how embeddings are compared; d is in units of its typical distance.
        temperature: above 0.
        symmetric: answers ask too, and the two values are averaged.

    Source: Henderson et al. (2017), Efficient natural language response suggestion for smart reply, section 4.
    """

    any_columns = False
    answers: ClassVar[int | None] = None
    """At most so many answers of each identity; None: all."""

    def __init__(self, distance: Distance, *, temperature: float = 0.05, symmetric: bool = False) -> None:
        super().__init__(distance, temperature=temperature)
        self.symmetric = symmetric

    def forward(self, rows: Float[Tensor, "n d"], cols: Float[Tensor, "m d"], relation: Relation) -> Term:
        ask, answer = questions(relation, self.answers)
        part = relation.part(ask, answer)
        there = super().forward(rows[ask], cols[answer], part)
        if not self.symmetric:
            return there
        back = super().forward(cols[answer], rows[ask], part.turned())
        return Term.sum([there, back], [0.5, 0.5])


class NPair(MultipleNegatives):
    """Multiple negatives with one question and one answer of each identity, and a cost on the length of embeddings.

    Args:
        distance: how embeddings are compared; d is in units of its typical distance.
        temperature: above 0. The source uses inner products of embeddings of free length; where the distance is
            bounded, the temperature takes the place of that length.
        weight: of the mean squared length of embeddings.

    Source: Sohn (2016), Improved deep metric learning with multi-class N-pair loss objective, eq. 7 and 8.
    """

    answers = 1
    needs = MultipleNegatives.needs - {Knows.TRIPLETS}  # only positives answer: a triplet's negative would not be seen

    def __init__(self, distance: Distance, *, temperature: float = 0.1, weight: float = 0.002) -> None:
        super().__init__(distance, temperature=temperature)
        self.weight = weight

    def forward(self, rows: Float[Tensor, "n d"], cols: Float[Tensor, "m d"], relation: Relation) -> Term:
        term = super().forward(rows, cols, relation)
        if not term.counted:
            return term
        length = wide(rows).square().sum(1).mean() + wide(cols).square().sum(1).mean()
        return Term(term.value + self.weight * length / 2, term.counted)


def questions(relation: Relation, answers: int | None = None) -> tuple[Int[Tensor, " q"], Int[Tensor, " a"]]:
    """Which rows ask and which columns answer.

    Args:
        relation: identities speak where there are any with two rows, then explicit pairs, and views of items of which
            nothing else is known.
        answers: at most so many of each identity; of explicit pairs, any number but only the *same* ones.
    """
    if relation.rows is relation.cols:
        side = relation.rows
        turn = turns(families(side), side)
        if relation.pairs is None or (turn > 0).any():
            asking = turn == 0
            answering = (turn > 0) & (turn <= (answers or len(side)))
            return asking.nonzero().squeeze(1), answering.nonzero().squeeze(1)
    if relation.pairs is not None:
        same = relation.pairs.value > 0.5
        answering = relation.pairs.col if answers is None else relation.pairs.col[same]
        return torch.unique(relation.pairs.row[same]), torch.unique(answering)
    device = relation.rows.ids.device
    return torch.arange(len(relation.rows), device=device), torch.arange(len(relation.cols), device=device)
