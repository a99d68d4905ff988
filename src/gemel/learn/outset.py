"""Everything that is decided before the first step: splits, decoded items, the closed recipe, the network.

`outset(data, recipe)` is what `train` starts from and what a dry run prints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import safetensors.torch
import torch

from gemel.errors import NotEnoughData, RecipeError
from gemel.items import UNKNOWN, Collection, ImageModality, Modality, decode
from gemel.learn import encoders, losses
from gemel.learn.augment import Augment
from gemel.learn.encoders import Encoder
from gemel.learn.facts import device_here, facts_of
from gemel.learn.learner import HeldOut, Learner, rehearse
from gemel.learn.losses import Knows
from gemel.learn.parts import parts_of, usable_of
from gemel.learn.training_set import Steps, TrainingSet, batches_of, identities_of, training_set
from gemel.measure import pairs_of
from gemel.recipe import Recipe, choose
from gemel.siamese import Siamese

HELD_OUT_PAIRS = 20_000
"""At most so many pairs are watched during training."""
SHAPE = ("encoder", "width", "depth", "dim", "norm", "distance", "size", "color", "aspect")
"""Choices that decide which weights a network has and what it takes."""
OWN_DEFAULTS = ("temperature", "margin")
"""Choices that each loss has a default of its own for."""
FIT = 10_000
"""At most so many training items does a modality learn its statistics from."""


@dataclass(frozen=True)
class Outset:
    """A training that has not begun.

    Attributes:
        learner: network, loss, batches and held-out pairs.
        recipe: every choice, closed, with a budget in steps.
        modality: how items are prepared, in training as in use.
        training: the decoded training items.
        calibrating: what the decision will be fitted on; None when nothing could be held out.
        device: cpu, cuda or mps.
        origin: where the data came from.
        chosen: the choices that were left open, and what they became.
        notes: what reading and splitting had to say.
        seconds_per_step: measured on this machine; None unless it was asked for or needed.
    """

    learner: Learner
    recipe: Recipe
    modality: Modality
    training: TrainingSet
    calibrating: Collection | None
    device: str
    origin: str
    chosen: dict[str, Any]
    notes: tuple[str, ...]
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
            f"{recipe.loss} loss, batches of {rows}, {recipe.steps} steps on {self.device} in {recipe.precision}",
            f"chosen from the data: {', '.join(f'{name} = {value}' for name, value in self.chosen.items())}",
        ]
        if self.seconds_per_step is not None:
            assert recipe.steps is not None
            minutes = recipe.steps * self.seconds_per_step / 60
            decoded = np.asarray(self.training.raws).nbytes / 2**20
            state = weights * 4 * (4 if recipe.average else 3) / 2**20
            lines.append(
                f"about {minutes:.1f} min ({self.seconds_per_step:.3f} s a step, checks not counted); "
                f"{decoded + state:.0f} MB for items and weights; {2 * state:.0f} MB of checkpoints on disk"
            )
        return "\n".join(lines)


def outset(
    data: Collection,
    recipe: Recipe,
    *,
    start: Siamese | None = None,
    allow_bad: float = 0.01,
    measure: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Outset:
    """Decide everything that comes before the first step.

    Args:
        data: what to learn from.
        recipe: the choices that were made.
        start: a trained twin to go on from: its shape is taken where the recipe leaves it open, and its weights.
        allow_bad: share of items that may be unreadable, 0 to 1.
        measure: time a few steps, although the budget does not need it.
        progress: called with (items decoded, items in all).

    Raises:
        NotEnoughData: nothing can be learned from the data.
        RecipeError: a choice does not fit the data, or the loss needs what the data does not know.
    """
    asked, device = recipe, device_here()
    if device == "cpu" and recipe.precision == "fp16":
        raise RecipeError("precision = 'fp16' needs a GPU; on a CPU use bf16 or fp32.")
    usable, notes = usable_of(data)
    recipe = choose(recipe if start is None else _shaped(recipe, start), facts_of(usable, device))
    usable = usable.with_(modality=_modality(usable.modality, recipe, start))
    decoded = decode(usable, allow_bad=allow_bad, progress=progress)
    usable = usable.take(decoded.good)
    parts = parts_of(usable, recipe, decoded.content)
    train = training_set(parts.train, usable, decoded)
    modality = usable.modality.fit(train.some(FIT))
    train = replace(train, modality=modality)
    torch.manual_seed(recipe.seed)
    encoder = _encoder(recipe, modality, start)
    loss = losses.build(recipe, identities_of(train, recipe))
    _refuse_unknown(loss.needs, train, recipe)
    recipe = recipe.but(**{name: getattr(loss, name) for name in OWN_DEFAULTS if hasattr(loss, name)})
    batches = batches_of(train, recipe)
    steps = Steps(train, batches, Augment.of(recipe), recipe.steps or 1, recipe.seed)
    held_out = None
    if parts.stop is not None:
        held_out = _watched(replace(training_set(parts.stop, usable, decoded), modality=modality), recipe)
    learner = Learner(encoder, loss, recipe, steps, held_out)
    seconds = _seconds(learner, recipe) if measure or recipe.minutes is not None else None
    recipe = _budget(recipe, len(train), batches.rows, seconds)
    learner.recipe, steps.total = recipe, recipe.steps or 1
    calibrating = None if parts.calibrate is None else parts.calibrate.with_(modality=modality)
    said = (*data.notes, *notes, *parts.notes, decoded.summary())
    chosen = {name: value for name, value in recipe.chosen().items() if getattr(asked, name) is None}
    return Outset(learner, recipe, modality, train, calibrating, device, data.origin, chosen, said, seconds)


def _shaped(recipe: Recipe, start: Siamese) -> Recipe:
    """The recipe with the shape of a trained twin, where it leaves that open."""
    open_fields = [name for name in SHAPE if getattr(recipe, name) is None and name in start.recipe]
    return recipe.but(**{name: start.recipe[name] for name in open_fields})


def _encoder(recipe: Recipe, modality: Modality, start: Siamese | None) -> Encoder:
    """The network, with the weights of the twin to start from."""
    if start is None:
        return encoders.build(recipe, modality)
    encoder = encoders.build(recipe, modality, pretrained_config=start.origin.backbone or None)
    try:
        encoder.load_state_dict(safetensors.torch.load(start.weights()))
    except RuntimeError as error:
        shape = {name: start.recipe.get(name) for name in SHAPE}
        raise RecipeError(
            f"The twin to start from has another shape ({shape}) than the recipe asks for; leave these choices open. "
            f"PyTorch says: {error}"
        ) from None
    return encoder


def _modality(modality: Modality, recipe: Recipe, start: Siamese | None) -> Modality:
    """How items are prepared: as the recipe says, or as a pretrained encoder wants them."""
    name = recipe.encoder or ""
    if start is not None and start.origin.backbone:
        return start.modality
    if name.startswith("pretrained:"):
        return encoders.pretrained_modality(name.removeprefix("pretrained:"))
    if not isinstance(modality, ImageModality):
        return modality
    assert recipe.size is not None
    assert recipe.aspect is not None
    channels = 3 if recipe.color else 1
    return ImageModality(height=recipe.size, width=recipe.size, channels=channels, resize=recipe.aspect)


def _refuse_unknown(needs: frozenset[Knows], data: TrainingSet, recipe: Recipe) -> None:
    """Refuse, before training, a loss that needs what the data does not know."""
    if not data.knows & needs:
        raise NotEnoughData(
            f"The {recipe.loss} loss needs {' or '.join(sorted(n.value for n in needs))}; of its items the data knows "
            f"{' and '.join(sorted(k.value for k in data.knows)) or 'nothing'}. Choose another loss, or give more."
        )


def _watched(data: TrainingSet, recipe: Recipe) -> HeldOut | None:
    """The pairs on which training is watched; None where there is nothing to tell apart."""
    if (data.identity != UNKNOWN).any():
        a, b, same = pairs_of(data.identity, limit=HELD_OUT_PAIRS, seed=recipe.seed, impostor_of=data.impostor_of)
    else:
        a, b, same = data.a[:HELD_OUT_PAIRS], data.b[:HELD_OUT_PAIRS], data.value[:HELD_OUT_PAIRS] > 0.5
    if not same.any() or same.all():
        return None
    return HeldOut(data, a, b, same, metric=metric_of(recipe))


def metric_of(recipe: Recipe) -> str:
    """The distance that compares embeddings: the learned one is Manhattan after its own last layer."""
    assert recipe.distance is not None
    return "manhattan" if recipe.distance == "learned" else recipe.distance


def _budget(recipe: Recipe, items: int, rows: int, seconds: float | None) -> Recipe:
    """The budget in steps, whatever it was given in."""
    if recipe.epochs is not None:
        return recipe.but(steps=max(1, round(recipe.epochs * items / rows)), epochs=None)
    if recipe.minutes is not None:
        assert seconds is not None
        return recipe.but(steps=max(1, int(recipe.minutes * 60 / seconds)), minutes=None)
    return recipe


def _seconds(learner: Learner, recipe: Recipe) -> float:
    return rehearse(learner, autocast={"bf16": torch.bfloat16, "fp16": torch.float16}.get(recipe.precision or ""))


def _held(held_out: HeldOut | None) -> str:
    return "none" if held_out is None else str(len(held_out.data))


def _size(items: Sequence[Any] | Collection | None) -> str:
    return "none" if items is None else str(len(items))
