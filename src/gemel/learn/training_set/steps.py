"""Batches of tensors made from plans: a gather, a prepare and a distortion. Knows no network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from gemel.items import UNKNOWN
from gemel.learn.mixture import Distortion, distorted
from gemel.learn.plan import Batches, BatchPlan
from gemel.learn.processes import Processes
from gemel.learn.relation import Relation, Side, SparsePairs
from gemel.learn.tables import told_in
from gemel.learn.training_set.known import TrainingSet
from gemel.recipe import Recipe

if TYPE_CHECKING:
    from jaxtyping import Int

TURNS = 4
"""Quarter turns: an identity's code times this, plus the turns, is the code of the turned identity."""


@dataclass(frozen=True)
class Batch:
    """What one training step sees.

    Attributes:
        inputs: of the encoder, for this process's share of the batch.
        relation: what is known of the pairs of the whole batch.
        plan: the rows of the whole batch.
        own: which of them this process encodes.
    """

    inputs: dict[str, Tensor]
    relation: Relation
    plan: BatchPlan
    own: slice


class Steps:
    """The batches of a run, one per step, from any step on: sized, and resumable by Lightning.

    Args:
        data: the training items.
        batches: which of them meet.
        augment: distortions of the items, applied on the device.
        total: number of steps of the whole run.
        processes: which share of every batch is prepared here.
        speed: how much faster or slower series and sounds are played, as `speed.played` has it.
    """

    def __init__(
        self,
        data: TrainingSet,
        batches: Batches,
        augment: Distortion,
        total: int,
        seed: int,
        processes: Processes = Processes(),  # noqa: B008
        speed: float = 0.0,
    ) -> None:
        self.data, self.batches, self.augment, self.total = data, batches, augment, total
        self.processes, self.told = processes, told_in(batches)
        self._seed, self._next, self._speed = seed, 0, speed
        self._ids = np.unique(data.content, return_inverse=True)[1]
        self._identity, self._impostor_of = (_or_none(codes) for codes in (data.identity, data.impostor_of))

    def __len__(self) -> int:
        return self.total

    @property
    def next(self) -> int:
        """The step that is planned next."""
        return self._next

    def __iter__(self) -> Iterator[Batch]:
        while self._next < self.total:
            step = self._next
            self._next += 1
            yield self.batch(step)

    def state_dict(self) -> dict[str, Any]:
        return {"next": self._next, "told": None if self.told is None else self.told.tables.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._next = state["next"]
        if self.told is not None:
            self.told.tables.load_state_dict(state["told"])

    def batch(self, step: int) -> Batch:
        """The batch of a step, on the CPU and not yet distorted."""
        plan = self.batches.plan(step)
        own = plan.own(self.processes.rank, self.processes.count)
        rng = np.random.default_rng((self._seed, 3, step, own.start))
        return Batch(self.data.prepared(plan.item[own], rng, speed=self._speed), self._relation(plan), plan, own)

    def _relation(self, plan: BatchPlan) -> Relation:
        side = Side(
            ids=torch.from_numpy(self._ids[plan.item] * TURNS + plan.variant),
            view=torch.from_numpy(plan.view),
            identity=_turned(self._identity, plan),
            impostor_of=_turned(self._impostor_of, plan),
        )
        if plan.row is None or plan.col is None or plan.value is None:
            return Relation.within(side, others=plan.others)
        row, col, value = (torch.from_numpy(x) for x in (plan.row, plan.col, plan.value))
        pairs = SparsePairs(row, col, value, graded=self.data.graded)
        return Relation.within(side, pairs=pairs, others=plan.others)

    def distorted(self, batch: Batch) -> dict[str, Tensor]:
        """The batch's inputs after quarter turns and augmentation, on whatever device they are on."""
        plan, own = batch.plan, batch.own
        turns = torch.from_numpy(plan.variant[own])
        return distorted(batch.inputs, self.augment, turns, plan.seed, own, len(plan))


def _or_none(codes: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"] | None:
    """The codes, unless not one of them is known."""
    return codes if (codes != UNKNOWN).any() else None


def _turned(codes: Int[np.ndarray, " n"] | None, plan: BatchPlan) -> Int[Tensor, " b"] | None:
    """Identity codes of a plan's rows: each quarter turn is an identity of its own."""
    if codes is None:
        return None
    chosen = codes[plan.item]
    return torch.from_numpy(np.where(chosen == UNKNOWN, UNKNOWN, chosen * TURNS + plan.variant))


def identities_of(data: TrainingSet, recipe: Recipe) -> Int[Tensor, " c"]:
    """The identity codes that relations of batches can hold."""
    known = np.unique(data.identity[data.identity != UNKNOWN])
    variants = np.arange(TURNS if recipe.rotations else 1)
    return torch.from_numpy((known[:, None] * TURNS + variants).ravel())
