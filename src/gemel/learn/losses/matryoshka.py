"""Matryoshka: the first dimensions of an embedding are an embedding too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from gemel.errors import RecipeError
from gemel.learn.losses.base import Loss, Term
from gemel.learn.relation import Relation

if TYPE_CHECKING:
    from jaxtyping import Float


class Matryoshka(Loss):
    """A weighted mean of another loss over several prefixes of the embeddings.

    A prefix of k of d dimensions is lengthened by sqrt(d / k), so that margins and temperatures fit it as they fit
    the whole; under cosine distance, which has no length, each prefix is thereby normalised on its own. Proxies are
    cut to the same prefix. The source sums where this takes a mean, so that the learning rate fits as it did; what
    counts is summed over prefixes.

    Args:
        loss: what is asked of each prefix.
        prefixes: lengths, each from 1 to the dimension of the embeddings; give that too if the whole is to learn.
        weights: one for each prefix, above 0; None: all the same.

    Source: Kusupati et al. (2022), Matryoshka representation learning, eq. 1.
    """

    def __init__(self, loss: Loss, *, prefixes: Sequence[int], weights: Sequence[float] | None = None) -> None:
        super().__init__(loss.distance)
        if not prefixes or min(prefixes) < 1:
            raise RecipeError(f"Prefixes are numbers of dimensions, 1 or more: {list(prefixes)} are not.")
        weights = weights or [1.0] * len(prefixes)
        if len(weights) != len(prefixes):
            raise RecipeError(f"{len(prefixes)} prefixes need as many weights, and there are {len(weights)}.")
        self.loss, self.needs, self.any_columns = loss, loss.needs, loss.any_columns
        self.prefixes = tuple(prefixes)
        self.weights = tuple(weight / sum(weights) for weight in weights)

    @property
    def core(self) -> Loss:
        return self.loss.core

    def forward(self, rows: Float[Tensor, "n d"], cols: Float[Tensor, "m d"], relation: Relation) -> Term:
        dim = rows.shape[1]
        if max(self.prefixes) > dim:
            raise RecipeError(f"A prefix of {max(self.prefixes)} is longer than embeddings of {dim} dimensions.")
        terms = []
        for prefix in self.prefixes:
            longer = math.sqrt(dim / prefix)
            left = rows[:, :prefix] * longer
            terms.append(self.loss(left, left if cols is rows else cols[:, :prefix] * longer, relation))
        return Term.sum(terms, self.weights)
