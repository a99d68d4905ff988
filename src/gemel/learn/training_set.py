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

from gemel.errors import RecipeError
from gemel.items import Collection, Decoded, ImageModality, Modality, Pairs
from gemel.items.explicit import explicit
from gemel.items.modality import Raws
from gemel.items.units import claims
from gemel.learn.augment import Augment, turned
from gemel.learn.batches import UNKNOWN, IdentityBatches, ViewBatches, WithUnlabelled
from gemel.learn.losses import Knows
from gemel.learn.pair_batches import PairBatches, TripletBatches, WithPairs
from gemel.learn.plan import Batches, BatchPlan
from gemel.learn.relation import Relation, Side, SparsePairs
from gemel.learn.sources import needs_of, refuse_turns, refuse_unused, source_of
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
        told: how the explicit pairs were given: labelled, all of them same, with scores, or as triplets (then the
            first half of the pairs are anchors with their positives, the second half with their negatives).
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
        """What can be learned from; any item can be seen in two views."""
        known = {Knows.IDENTITY} if (self.identity != UNKNOWN).any() else set()
        return frozenset({*self.sources, *known})

    @property
    def sources(self) -> tuple[Knows, ...]:
        """What batches can be drawn from, the best first."""
        several = (np.bincount(self.identity[self.identity != UNKNOWN]) >= 2).any()
        found = [source for source, there in ((Knows.IDENTITY, several), (self.told, len(self.value))) if there]
        return (*found, Knows.VIEWS)

    @property
    def triplets(self) -> tuple[Int[np.ndarray, " t"], Int[np.ndarray, " t"], Int[np.ndarray, " t"]]:
        """Anchor, positive and negative of each triplet."""
        half = len(self.value) // 2
        return self.a[:half], self.b[:half], self.b[half:]

    @property
    def unlabelled(self) -> Int[np.ndarray, " u"]:
        """The items that have no identity and imitate none."""
        return np.flatnonzero((self.identity == UNKNOWN) & (self.impostor_of == UNKNOWN))

    def prepared(self, rows: Int[np.ndarray, " b"], rng: np.random.Generator | None = None) -> dict[str, Tensor]:
        """Encoder inputs of the given items."""
        arrays = self.modality.prepare(_picked(self.raws, self.place[rows]), rng=rng).arrays
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def some(self, most: int) -> Raws:
        """At most so many decoded items, evenly spread."""
        return _picked(self.raws, self.place[:: max(1, -(-len(self) // most))])


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
    nothing = np.full(len(part), UNKNOWN)
    claimed, given = claims(part), explicit(part)
    pairs = given or Pairs(nothing[:0], nothing[:0], nothing[:0] > 0)
    return TrainingSet(
        modality=part.modality,
        raws=decoded.raws,
        place=place,
        names=[part.name(i) for i in range(len(part))],
        content=decoded.content[place],
        identity=nothing if part.identity is None else part.identity.codes.astype(np.int64),
        group=nothing if part.group is None else part.group.codes.astype(np.int64),
        impostor_of=nothing if claimed is None else claimed,
        a=pairs.a,
        b=pairs.b,
        value=(pairs.alike() if pairs.score is None else pairs.score).astype(np.float32),
        told=_told(part, given),
    )


def _told(part: Collection, given: Pairs | None) -> Knows:
    """How the explicit pairs were given."""
    if given is None or given is not part.pairs:
        return Knows.TRIPLETS
    if given.score is not None:
        return Knows.SCORE
    return Knows.POSITIVES if given.alike().all() else Knows.PAIRS


def batches_of(data: TrainingSet, recipe: Recipe) -> Batches:
    """How batches are drawn: from identities, explicit pairs or views, whichever the loss learns from first.

    Raises:
        RecipeError: a choice does not fit the data.
        NotEnoughData: there is nothing that the loss could learn from.
    """
    source = source_of(data.sources, recipe.loss)
    refuse_unused(recipe, source, grouped=bool((data.group != UNKNOWN).any()), unlabelled=bool(len(data.unlabelled)))
    if source is Knows.IDENTITY:
        return _of_identities(data, recipe)
    assert recipe.batch_pairs is not None
    if source is Knows.VIEWS:
        _refuse_equal_views(data, recipe)
        return ViewBatches(len(data), pairs=recipe.batch_pairs, seed=recipe.seed)
    if source is Knows.TRIPLETS:
        return TripletBatches(*data.triplets, triplets=recipe.batch_pairs // 2, seed=recipe.seed)
    return PairBatches(
        data.a,
        data.b,
        data.value,
        pairs=recipe.batch_pairs,
        balance=recipe.balance,
        others="different" if source is Knows.POSITIVES else "unknown",
        seed=recipe.seed,
    )


def _of_identities(data: TrainingSet, recipe: Recipe) -> Batches:
    """Batches of identities; unlabelled items join them if asked for, and explicit pairs that happen to be there."""
    assert recipe.identities is not None
    assert recipe.items is not None
    if recipe.rotations:
        refuse_turns(data.modality)
    variants = TURNS if recipe.rotations else 1
    batches: Batches = IdentityBatches(
        data.identity,
        identities=recipe.identities,
        items=recipe.items,
        variants=variants,
        group=data.group if recipe.groups else None,
        groups=recipe.groups,
        impostor_of=data.impostor_of if (data.impostor_of != UNKNOWN).any() else None,
        seed=recipe.seed,
    )
    if recipe.unlabelled:
        _refuse_equal_views(data, recipe)
        batches = WithUnlabelled(batches, data.unlabelled, count=recipe.unlabelled, variants=variants, seed=recipe.seed)
    if len(data.value) and (not data.graded or Knows.SCORE in needs_of(recipe.loss)):
        batches = WithPairs(batches, data.a, data.b, data.value, items=len(data))
    return batches


def _refuse_equal_views(data: TrainingSet, recipe: Recipe) -> None:
    """Refuse to learn from two views of an item where nothing makes them differ."""
    if recipe.dropout or (isinstance(data.modality, ImageModality) and Augment.of(recipe) != Augment()):
        return
    some = np.arange(min(2, len(data)))
    one, other = (data.prepared(some, np.random.default_rng(seed)) for seed in (0, 1))
    if all(torch.equal(one[name], other[name]) for name in one):
        raise RecipeError(
            f"Two views of an item would be equal, for nothing changes {data.modality.name}s at random, and so there "
            "is nothing to learn from them. Choose a distortion (of images) or dropout above 0; or give identities or "
            "pairs."
        )


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
        self._identity, self._impostor_of = (_or_none(codes) for codes in (data.identity, data.impostor_of))

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
        if "image" not in batch.inputs:
            return batch.inputs
        images = turned(batch.inputs["image"], torch.from_numpy(batch.plan.variant))
        return {**batch.inputs, "image": self.augment(images, batch.plan.seed)}


def _or_none(codes: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"] | None:
    """The codes, unless not one of them is known."""
    return codes if (codes != UNKNOWN).any() else None


def _turned(codes: Int[np.ndarray, " n"] | None, plan: BatchPlan) -> Int[Tensor, " b"] | None:
    """Identity codes of a plan's rows: each quarter turn is an identity of its own."""
    if codes is None:
        return None
    chosen = codes[plan.item]
    return torch.from_numpy(np.where(chosen == UNKNOWN, UNKNOWN, chosen * TURNS + plan.variant))
