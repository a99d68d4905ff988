"""Cross-batch memory: a batch is also compared with the embeddings of the batches before it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gemel.errors import RecipeError
from gemel.learn.distances import wide
from gemel.learn.losses.base import Loss, Term
from gemel.learn.relation import UNKNOWN, Relation, Side

if TYPE_CHECKING:
    from jaxtyping import Float, Int

FIELDS = tuple(field.name for field in fields(Side))
"""What is kept of an item beside its embedding."""


class Memory(Loss):
    """Another loss, with the columns of earlier batches as further columns; they have no gradient.

    What is known of an older embedding is what is known of its item, by identity and by `others`. An item of the
    present batch is seen as it is now and only so: its older embeddings are left out, for every row of the batch, so
    that no item is its own positive or negative from memory. A memory longer than an epoch holds other items more than
    once, each as it was. Given pairs speak of the batch alone.

    All of the memory is in the loss's state, and in evaluation it stays as it is. What it holds does not depend on the
    order of a batch's rows, save for which of them are forgotten first.

    Args:
        loss: any that compares its rows with whatever columns there are.
        size: how many embeddings are kept; the oldest are forgotten first.
        dim: dimensions of an embedding.
        wait: batches before anything is kept, for embeddings change fast at first.

    Source: Wang et al. (2020), Cross-batch memory for embedding learning, algorithm 1.
    """

    embeddings: Tensor
    written: Tensor
    waited: Tensor

    def __init__(self, loss: Loss, *, size: int, dim: int, wait: int = 100) -> None:
        super().__init__(loss.distance)
        if not loss.any_columns:
            name = type(loss.core).__name__
            raise RecipeError(f"{name} takes no memory: it chooses what it compares items with. Choose another loss.")
        self.loss, self.needs, self.wait = loss, loss.needs, wait
        self.register_buffer("embeddings", torch.zeros(size, dim))
        for field in FIELDS:
            self.register_buffer(field, torch.full((size,), UNKNOWN))
        self.register_buffer("written", torch.tensor(0))
        self.register_buffer("waited", torch.tensor(0))

    @property
    def core(self) -> Loss:
        return self.loss.core

    def forward(self, rows: Float[Tensor, "n d"], cols: Float[Tensor, "m d"], relation: Relation) -> Term:
        old = self._others(relation)
        if len(old):
            batch = wide(cols)
            columns = torch.cat([batch, self.embeddings[old].to(batch.dtype)])
            term: Term = self.loss(rows, columns, self._beyond(relation, old))
        else:
            term = self.loss(rows, cols, relation)
        if self.training:
            self._keep(cols.detach(), relation.cols)
        return term

    def _others(self, relation: Relation) -> Int[Tensor, " k"]:
        """The places of items that are not in the batch."""
        ids = self.get_buffer("ids")[: int(self.written)]
        return (~torch.isin(ids, torch.cat([relation.rows.ids, relation.cols.ids]))).nonzero().squeeze(1)

    def _beyond(self, relation: Relation, old: Int[Tensor, " k"]) -> Relation:
        """What is known of the batch and, as further columns, of the items at these places."""
        rows, cols = (torch.arange(size, device=old.device) for size in relation.shape)
        batch = relation.part(rows, cols)  # as two sides, between which a pair is listed in both directions
        longer: dict[str, Any] = {}
        for field in FIELDS:
            known = getattr(batch.cols, field)
            longer[field] = None if known is None else torch.cat([known, self.get_buffer(field)[old]])
        return replace(batch, cols=replace(batch.cols, **longer))

    def _keep(self, cols: Float[Tensor, "m d"], side: Side) -> None:
        """Write the newest embeddings over the oldest."""
        if self.waited < self.wait:
            self.waited += 1
            return
        size = len(self.embeddings)
        newest = slice(max(len(cols) - size, 0), None)
        place = (self.written + torch.arange(len(cols), device=cols.device)[newest]) % size
        self.embeddings[place] = cols[newest].to(self.embeddings.dtype)
        for field in FIELDS:
            known = getattr(side, field)
            self.get_buffer(field)[place] = UNKNOWN if known is None else known[newest]
        self.written += len(cols)
