"""The decoded items of a split, their codes, and batches of tensors made from plans.

Everything is decoded once and kept compact; a batch is a gather, a prepare and a distortion.
Knows arrays and tensors, no network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from gemel.errors import NotEnoughData
from gemel.items import Collection, Decoded, Labels, Modality
from gemel.items.modality import Raws
from gemel.learn.augment import Augment, turned
from gemel.learn.batches import UNKNOWN, Batches, BatchPlan, IdentityBatches, PairBatches
from gemel.learn.losses import Knows
from gemel.learn.relation import Relation, Side, SparsePairs
from gemel.recipe import Recipe

if TYPE_CHECKING:
    from jaxtyping import Float, Int

TURNS = 4


@dataclass(frozen=True)
class TrainingSet:
    """Decoded items and what is known of them, as codes of one common space.

    Attributes:
        modality: prepares the raws; fitted on this split when it is the training split.
        raws: decoded items of all splits, shared between them.
        place: [n] where each item of this split stands in `raws`.
        names: what each item is called in messages.
        content: [n] equal exactly where the decoded content is.
        identity, group, impostor_of: [n] codes, UNKNOWN (-1) where not known; identity and impostor_of share codes.
        a, b, value: explicit pairs by position, with 1 for same, 0 for different, or a score; empty when none.
        told: how the explicit pairs were given: as labelled pairs, with scores, or as triplets.
    """

    modality: Modality
    raws: Raws
    place: Int[np.ndarray, " n"]
    names: Sequence[str]
    content: Int[np.ndarray, " n"]
    identity: Int[np.ndarray, " n"]
    group: Int[np.ndarray, " n"]
    impostor_of: Int[np.ndarray, " n"]
    a: Int[np.ndarray, " m"]
    b: Int[np.ndarray, " m"]
    value: Float[np.ndarray, " m"]
    told: Knows

    def __len__(self) -> int:
        return len(self.content)

    @property
    def graded(self) -> bool:
        """Whether `value` are scores."""
        return self.told is Knows.SCORE

    @property
    def knows(self) -> frozenset[Knows]:
        """What can be learned from."""
        explicit = {self.told} if len(self.value) else set()
        return frozenset(explicit | ({Knows.IDENTITY} if (self.identity != UNKNOWN).any() else set()))

    def prepared(self, rows: Int[np.ndarray, " b"], rng: np.random.Generator | None = None) -> dict[str, Tensor]:
        """Encoder inputs of the given items."""
        arrays = self.modality.prepare(_picked(self.raws, self.place[rows]), rng=rng).arrays
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def some(self, most: int) -> Raws:
        """At most so many decoded items, evenly spread."""
        return _picked(self.raws, self.place[:: max(1, len(self) // most)])


def _picked(raws: Raws, rows: Int[np.ndarray, " b"]) -> Raws:
    """Some decoded items; a list when their shapes differ."""
    return raws[rows] if isinstance(raws, np.ndarray) else [raws[int(i)] for i in rows]


def training_set(part: Collection, whole: Collection, decoded: Decoded) -> TrainingSet:
    """What a split knows of its items.

    Args:
        part: the items of the split.
        whole: what was split; every item could be decoded.
        decoded: the items of `whole`.
    """
    order = np.argsort(whole.rows)
    place = order[np.searchsorted(whole.rows, part.rows, sorter=order)]
    identity, impostor_of = _aligned(part.identity, part.impostor_of, len(part))
    a, b, value, told = _explicit(part)
    return TrainingSet(
        modality=part.modality,
        raws=decoded.raws,
        place=place,
        names=[part.name(i) for i in range(len(part))],
        content=decoded.content[place],
        identity=identity,
        group=np.full(len(part), UNKNOWN) if part.group is None else part.group.codes.astype(np.int64),
        impostor_of=impostor_of,
        a=a,
        b=b,
        value=value,
        told=told,
    )


def _aligned(identity: Labels | None, impostor_of: Labels | None, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes of identity and claimed identity in one space."""
    nothing = np.full(n, UNKNOWN)
    codes = nothing if identity is None else identity.codes.astype(np.int64)
    if impostor_of is None:
        return codes, nothing
    places = {name: code for code, name in enumerate([] if identity is None else identity.names)}
    lookup = np.array([places.setdefault(name, len(places)) for name in impostor_of.names] or [UNKNOWN])
    return codes, np.where(impostor_of.codes == UNKNOWN, UNKNOWN, lookup[impostor_of.codes])


def _explicit(data: Collection) -> tuple[np.ndarray, np.ndarray, np.ndarray, Knows]:
    """Pairs as they were given; a triplet is a same pair and a different pair."""
    if data.pairs is not None and data.pairs.score is not None:
        return data.pairs.a, data.pairs.b, data.pairs.score.astype(np.float32), Knows.SCORE
    if data.pairs is not None and data.pairs.same is not None:
        return data.pairs.a, data.pairs.b, data.pairs.same.astype(np.float32), Knows.PAIRS
    if data.triplets is not None:
        t = data.triplets
        ends = np.concatenate([t.positive, t.negative])
        value = np.repeat(np.array([1, 0], np.float32), len(t))
        return np.concatenate([t.anchor, t.anchor]), ends, value, Knows.TRIPLETS
    nothing = np.zeros(0, np.int64)
    return nothing, nothing, np.zeros(0, np.float32), Knows.PAIRS


def batches_of(data: TrainingSet, recipe: Recipe) -> Batches:
    """How batches are drawn: from identities where there are any, else from the explicit pairs."""
    counts = np.bincount(data.identity[data.identity != UNKNOWN])
    if (counts >= 2).any():
        assert recipe.identities is not None
        assert recipe.items is not None
        return IdentityBatches(
            data.identity,
            identities=recipe.identities,
            items=recipe.items,
            variants=TURNS if recipe.rotations else 1,
            group=data.group if (data.group != UNKNOWN).any() else None,
            groups=recipe.groups,
            impostor_of=data.impostor_of if (data.impostor_of != UNKNOWN).any() else None,
            seed=recipe.seed,
        )
    if not len(data.a):
        raise NotEnoughData(
            f"The {len(data)} training items hold no pair of which anything is known: every identity has one item. "
            "Give at least two items for some identities, or explicit pairs."
        )
    assert recipe.batch_pairs is not None
    return PairBatches(data.a, data.b, data.value, pairs=recipe.batch_pairs, balance=recipe.balance, seed=recipe.seed)


def identities_of(data: TrainingSet, recipe: Recipe) -> Int[Tensor, " c"]:
    """The identity codes that relations of batches can hold."""
    known = np.unique(data.identity[data.identity != UNKNOWN])
    variants = np.arange(TURNS if recipe.rotations else 1)
    return torch.from_numpy((known[:, None] * TURNS + variants).ravel())


@dataclass(frozen=True)
class Batch:
    """What one training step sees: encoder inputs, the plan they came from, and what is known of their pairs."""

    inputs: dict[str, Tensor]
    relation: Relation
    plan: BatchPlan


class Steps:
    """The batches of a run, one per step, from any step on: sized, and resumable by Lightning.

    Args:
        data: the training items.
        batches: which of them meet.
        augment: distortions, applied to images on the device.
        total: number of steps of the whole run.
    """

    def __init__(self, data: TrainingSet, batches: Batches, augment: Augment, total: int, seed: int) -> None:
        self.data, self.batches, self.augment, self.total = data, batches, augment, total
        self._seed, self._next = seed, 0
        self._ids = np.unique(data.content, return_inverse=True)[1]
        self._positives_only = bool(len(data.value)) and not data.graded and bool((data.value > 0.5).all())

    def __len__(self) -> int:
        return self.total

    def __iter__(self) -> Iterator[Batch]:
        while self._next < self.total:
            step = self._next
            self._next += 1
            yield self.batch(step)

    def state_dict(self) -> dict[str, int]:
        return {"next": self._next}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._next = state["next"]

    def batch(self, step: int) -> Batch:
        """The batch of a step, on the CPU and not yet distorted."""
        plan = self.batches.plan(step)
        rng = np.random.default_rng((self._seed, 3, step))
        inputs = self.data.prepared(plan.item, rng)
        return Batch(inputs, self._relation(plan), plan)

    def _relation(self, plan: BatchPlan) -> Relation:
        side = Side(
            ids=torch.from_numpy(self._ids[plan.item] * TURNS + plan.variant),
            view=torch.from_numpy(plan.view),
            identity=_turned(self.data.identity, plan),
            impostor_of=_turned(self.data.impostor_of, plan),
        )
        if plan.row is None or plan.col is None or plan.value is None:
            return Relation.within(side)
        row, col, value = (torch.from_numpy(x) for x in (plan.row, plan.col, plan.value))
        pairs = SparsePairs(row, col, value, graded=self.data.graded)
        return Relation.within(side, pairs=pairs, others="different" if self._positives_only else "unknown")

    def distorted(self, batch: Batch) -> dict[str, Tensor]:
        """The batch's inputs after quarter turns and augmentation, on whatever device they are on."""
        if "image" not in batch.inputs:
            return batch.inputs
        images = turned(batch.inputs["image"], torch.from_numpy(batch.plan.variant))
        return {**batch.inputs, "image": self.augment(images, batch.plan.seed)}


def _turned(codes: Int[np.ndarray, " n"], plan: BatchPlan) -> Int[Tensor, " b"]:
    """Identity codes of a plan's rows: each quarter turn is an identity of its own."""
    chosen = codes[plan.item]
    return torch.from_numpy(np.where(chosen == UNKNOWN, UNKNOWN, chosen * TURNS + plan.variant))
