"""Everything that is decided before the first step: splits, decoded items, the closed recipe, the network.

`outset(data, recipe)` is what `train` starts from and what a dry run prints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from gemel.errors import NotEnoughData, RecipeError
from gemel.items import Collection, Modality, decode
from gemel.items.modality import Raw, Raws
from gemel.learn import losses
from gemel.learn.arrange import arranged
from gemel.learn.chunks import refuse_batch_norm
from gemel.learn.encoders import Encoder, Statistics
from gemel.learn.facts import device_here, facts_of
from gemel.learn.held_out import HeldOut, held_out_of, metric_of
from gemel.learn.learner import Learner, rehearse
from gemel.learn.losses import Knows
from gemel.learn.mixture import distortion_of
from gemel.learn.parts import parts_of, shares_identities, usable_of
from gemel.learn.processes import Processes
from gemel.learn.remarks import remarks
from gemel.learn.shape import encoder_of, modality_of, refuse_distortions, refuse_other_kinds, shaped
from gemel.learn.sources import source_of
from gemel.learn.training_set import Steps, TrainingSet, batches_of, identities_of, training_set
from gemel.learn.whitening import whiten
from gemel.recipe import Recipe, choose
from gemel.siamese import Siamese

if TYPE_CHECKING:
    from jaxtyping import Int

OWN_DEFAULTS = ("temperature", "margin")
"""Choices that each loss has a default of its own for."""
FIT = 10_000
"""At most so many training items does a modality learn its statistics from."""


@dataclass(frozen=True)
class Costs:
    """What a run takes.

    Attributes:
        seconds, seconds_per_step: None where no step was timed.
        memory_bytes: of decoded items and weights.
        disk_bytes: of checkpoints.
    """

    seconds: float | None
    seconds_per_step: float | None
    memory_bytes: int
    disk_bytes: int


@dataclass(frozen=True)
class Outset:
    """A training that has not begun.

    Attributes:
        learner: network, loss, batches and held-out pairs.
        recipe: every choice, closed, with a budget in steps.
        modality: how items are prepared, in training as in use.
        learning: the items of the training part, as they were read.
        training: the same, decoded.
        calibrating: what the decision will be fitted on; None when nothing could be held out.
        device: cpu, cuda or mps.
        origin: where the data came from.
        chosen: the choices that were left open, and what they became.
        notes: what reading and splitting had to say.
        fingerprint: equal exactly where the same items have the same roles, and the same twin is started from.
        seen: content of the items that the twin to start from has learned from; empty without one.
        seconds_per_step: measured on this machine; None unless it was asked for or needed.
    """

    learner: Learner
    recipe: Recipe
    modality: Modality
    learning: Collection
    training: TrainingSet
    calibrating: Collection | None
    device: str
    origin: str
    chosen: dict[str, Any]
    notes: tuple[str, ...]
    fingerprint: str
    seen: Int[np.ndarray, " s"]
    seconds_per_step: float | None = None

    def describe(self) -> str:
        """What will be trained, on what, and for how long: a few lines."""
        learner, recipe = self.learner, self.recipe
        weights = sum(p.numel() for p in learner.encoder.parameters())
        rows = learner.steps.batches.rows
        lines = [
            f"{len(self.training)} training items; "
            f"{_held(learner.held_out)} to stop, {_size(self.calibrating)} to calibrate",
            f"{recipe.encoder} encoder, {weights:,} weights, {recipe.dim} dimensions, {recipe.distance} distance",
            f"{recipe.loss} loss, batches of {rows} drawn from {source_of(self.training.sources, recipe.loss).value}, "
            f"{recipe.steps} steps on {self.device} in {recipe.precision}",
        ]
        if self.chosen:
            words = ", ".join(f"{name} = {value}" for name, value in self.chosen.items())
            lines.append(f"chosen from the data: {words}")
        costs = self.costs
        if costs.seconds is not None:
            lines.append(
                f"about {costs.seconds / 60:.1f} min ({costs.seconds_per_step:.3f} s a step, checks not counted); "
                f"{costs.memory_bytes / 2**20:.0f} MB for items and weights; "
                f"{costs.disk_bytes / 2**20:.0f} MB of checkpoints on disk"
            )
        return "\n".join(lines)

    @property
    def costs(self) -> Costs:
        """What the run will take."""
        weights = sum(p.nbytes for p in self.learner.encoder.parameters())
        state = weights * (4 if self.recipe.average else 3)
        step = self.seconds_per_step
        seconds = None if step is None else step * len(self.learner.steps)
        return Costs(seconds, step, _in_memory(self.training.raws) + state, 2 * state)


def outset(
    data: Collection,
    recipe: Recipe,
    *,
    start: Siamese | None = None,
    own: nn.Module | None = None,
    allow_bad: float = 0.01,
    measure: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Outset:
    """Decide everything that comes before the first step.

    Args:
        data: what to learn from.
        recipe: the choices that were made.
        start: a trained twin to go on from: its shape is taken where the recipe leaves it open, and its weights.
        own: the loss where it is an object, a Loss or one of pytorch_metric_learning.
        allow_bad: share of items that may be unreadable, 0 to 1.
        measure: time a few steps, although the budget does not need it.
        progress: called with (items decoded, items in all).

    Raises:
        NotEnoughData: nothing can be learned from the data.
        RecipeError: a choice does not fit the data, or the loss needs what the data does not know.
    """
    device = device_here()
    processes = Processes.launched()
    _refuse_what_cannot_run(recipe, device, processes)
    data, recipe = arranged(data, recipe if start is None else shaped(recipe, data.modality, start))
    shared = shares_identities(data)
    usable, notes = usable_of(data, recipe.protocol or ("closed" if shared else "open"))
    refuse_other_kinds(recipe, usable.modality)
    asked = shaped(recipe if own is None else _with(own, recipe), usable.modality, start)
    recipe = choose(asked, facts_of(usable, device, shared=shared))
    usable = usable.with_(modality=modality_of(usable.modality, recipe, start))
    refuse_distortions(recipe, usable.modality)
    decoded = decode(usable, allow_bad=allow_bad, progress=progress)
    usable = usable.take(decoded.good)
    seen = np.zeros(0, np.int64) if start is None else start.seen.trained
    parts = parts_of(usable, recipe, decoded.content, seen)
    train = training_set(parts.train, usable, decoded)
    modality = usable.modality.fit(train.some(FIT))
    train = replace(train, modality=modality)
    torch.manual_seed(recipe.seed)
    encoder = encoder_of(recipe, modality, start)
    if isinstance(encoder.backbone, Statistics) and start is None:
        whiten(encoder, train, seed=recipe.seed)
    _refuse_what_stands_still(encoder, recipe)
    recipe = recipe.but(dim=encoder.dim)
    _refuse_batch_norm(encoder, recipe, device, processes)
    if asked.loss is None:
        _refuse_to_guess(train, data.origin)
    held_out = None
    if parts.stop is not None:
        watched = replace(training_set(parts.stop, usable, decoded), modality=modality)
        held_out = held_out_of(parts.stop, watched, recipe)
    learner = _learner(encoder, recipe, train, held_out, own, processes)
    timed = (measure or recipe.minutes is not None) and not processes.several
    seconds = rehearse(learner, device, recipe.precision) if timed else None
    learner.recipe = recipe = _budget(learner.recipe, len(train), learner.steps.batches.rows, seconds)
    learner.steps.total = recipe.steps or 1
    calibrating = None if parts.calibrate is None else parts.calibrate.with_(modality=modality)
    said = (*data.notes, *notes, *parts.notes, decoded.summary(), *remarks(asked, recipe, train))
    chosen = {name: value for name, value in recipe.chosen().items() if getattr(asked, name) is None}
    fingerprint = parts.fingerprint + ("" if start is None else f"from {start.embedding_id}\n")
    return Outset(
        learner=learner,
        recipe=recipe,
        modality=modality,
        learning=parts.train.with_(split=None),
        training=train,
        calibrating=calibrating,
        device=device,
        origin=data.origin,
        chosen=chosen,
        notes=said,
        fingerprint=fingerprint,
        seen=seen,
        seconds_per_step=seconds,
    )


def _with(own: nn.Module, recipe: Recipe) -> Recipe:
    """The recipe for a loss that is an object, which may say itself how embeddings are compared."""
    recipe = recipe.but(loss="own")
    if not isinstance(own, losses.Loss):
        return recipe
    if recipe.distance is None:
        return recipe.but(distance=own.distance.name)
    if metric_of(recipe) != own.distance.name:
        raise RecipeError(
            f"The loss compares by {own.distance.name} distance, and the recipe by {recipe.distance}; leave distance "
            "open, or build the loss with that one."
        )
    return recipe


def _learner(
    encoder: Encoder,
    recipe: Recipe,
    train: TrainingSet,
    held_out: HeldOut | None,
    own: nn.Module | None,
    processes: Processes,
) -> Learner:
    """Network, loss and batches together; the loss's own defaults are in its recipe from here on."""
    batches = batches_of(train, recipe)
    loss = losses.build(recipe, identities_of(train, recipe), own)
    recipe = recipe.but(**{name: getattr(loss.core, name) for name in OWN_DEFAULTS if hasattr(loss.core, name)})
    augment, total = distortion_of(train.modality, recipe), recipe.steps or 1
    steps = Steps(train, batches, augment, total, recipe.seed, processes, recipe.speed)
    return Learner(encoder, loss, recipe, steps, held_out)


def _refuse_to_guess(train: TrainingSet, origin: str) -> None:
    """Refuse to learn from views alone where nobody asked for that."""
    if train.sources == (Knows.VIEWS,):
        raise NotEnoughData(
            f"{origin} holds no pair of which anything is known: no identity has two items, and there are no "
            "explicit pairs. Give at least two items for some identities, or pairs: identities are folders, a column "
            "(--identity), or said by the names of files (--names '{identity}_{}'). Or learn without labels, from two "
            "distorted views of each item: loss = simclr."
        )


def _refuse_what_cannot_run(recipe: Recipe, device: str, processes: Processes) -> None:
    """Refuse what this device has not, and what several processes could not do alike."""
    if device == "cpu" and recipe.precision == "fp16":
        raise RecipeError("precision = 'fp16' needs a GPU; on a CPU use bf16 or fp32.")
    if processes.several and recipe.minutes is not None:
        raise RecipeError("minutes = … is measured by each process for itself; with several, give steps or epochs.")
    if processes.several and recipe.tune == "warmup":
        raise RecipeError("tune = 'warmup' thaws weights half-way, which several processes cannot; use full or frozen.")


def _refuse_what_stands_still(encoder: Encoder, recipe: Recipe) -> None:
    """Refuse an encoder of which nothing learns: a frozen one without a layer of its own."""
    if not any(parameter.requires_grad for parameter in encoder.parameters()):
        raise RecipeError(
            f"tune = {recipe.tune!r} leaves nothing to learn, for embeddings are those of the pretrained encoder as "
            f"they are. Choose another dim than its {encoder.dim}, so that a layer follows it, or tune = 'full'."
        )


def _refuse_batch_norm(encoder: Encoder, recipe: Recipe, device: str, processes: Processes) -> None:
    """Refuse a network that learns from whole batches where it only sees a part of each."""
    thaws = recipe.tune == "warmup"
    if recipe.chunk is not None:
        refuse_batch_norm(encoder, f"chunk = {recipe.chunk}", thaws=thaws)
    if processes.several and device == "cpu":  # on GPUs, SyncBatchNorm sees all of it
        refuse_batch_norm(encoder, "Training in several processes on CPUs", thaws=thaws)


def _in_memory(raws: Raws) -> int:
    """Bytes of decoded items that are not mapped from disk."""
    if isinstance(raws, np.memmap):
        return 0
    return raws.nbytes if isinstance(raws, np.ndarray) else sum(map(_bytes, raws))


def _bytes(raw: Raw) -> int:
    return sum(map(_bytes, raw.values())) if isinstance(raw, dict) else np.asarray(raw).nbytes


def _budget(recipe: Recipe, items: int, rows: int, seconds: float | None) -> Recipe:
    """The budget in steps, whatever it was given in."""
    if recipe.epochs is not None:
        return recipe.but(steps=max(1, round(recipe.epochs * items / rows)), epochs=None)
    if recipe.minutes is not None:
        assert seconds is not None
        return recipe.but(steps=max(1, int(recipe.minutes * 60 / seconds)), minutes=None)
    return recipe


def _held(held_out: HeldOut | None) -> str:
    return "none" if held_out is None else str(len(held_out.data))


def _size(items: Sequence[Any] | Collection | None) -> str:
    return "none" if items is None else str(len(items))
