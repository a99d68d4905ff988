"""Pairs that are all the same, and with them the items that the network takes for the same by now and that are not.

Plans only: knows positions of items, no embeddings.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gemel.items import UNKNOWN
from gemel.learn.plan import Batches, BatchPlan
from gemel.learn.tables import Tables

if TYPE_CHECKING:
    from jaxtyping import Int


class MinedBatches:
    """Batches of pairs; the first item of each brings its hard negatives, as a table tells.

    Args:
        batches: the pairs.
        each: hard negatives of an item.

    Attributes:
        tables: [items, each] for each item its hard negatives, UNKNOWN where there are fewer; none come until one is
            added.
    """

    def __init__(self, batches: Batches, *, each: int) -> None:
        self.inner, self.each, self.tables = batches, each, Tables()

    @property
    def rows(self) -> int:
        return self.inner.rows * (2 + self.each) // 2

    def plan(self, step: int) -> BatchPlan:
        plan, table = self.inner.plan(step), self.tables.at(step)
        if table is None:
            return plan
        assert plan.row is not None
        assert plan.col is not None
        assert plan.value is not None
        anchor, negative = self._mined(plan.item[plan.row], table)
        item = np.concatenate([plan.item, np.setdiff1d(negative, plan.item)])
        order = np.argsort(item, kind="stable")
        place = order[np.searchsorted(item[order], np.stack([anchor, negative]))]
        nothing = np.zeros(len(item), int)
        return replace(
            plan,
            item=item,
            variant=nothing,
            view=nothing,
            row=np.concatenate([plan.row, place[0]]),
            col=np.concatenate([plan.col, place[1]]),
            value=np.concatenate([plan.value, np.zeros(len(anchor), plan.value.dtype)]),
        )

    @staticmethod
    def _mined(
        anchors: Int[np.ndarray, " a"], table: Int[np.ndarray, "n k"]
    ) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"]]:
        """Every anchor, once, with each of its hard negatives."""
        anchors = np.unique(anchors)
        row, col = np.nonzero(table[anchors] != UNKNOWN)
        return anchors[row], table[anchors[row], col]
