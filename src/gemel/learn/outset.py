"""Everything that is decided before the first step: splits, decoded items, the closed recipe, the network.

`outset(data, recipe)` is what `train` starts from and what a dry run prints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.torch
import torch

from gemel.errors import NotEnoughData, RecipeError
from gemel.items import Collection, ImageModality, Modality, decode, split
from gemel.items.probe import probe
from gemel.learn import encoders, losses
from gemel.learn.augment import Augment
from gemel.learn.batches import UNKNOWN
from gemel.learn.encoders import Encoder
from gemel.learn.learner import HeldOut, Learner, rehearse
from gemel.learn.losses import Knows
from gemel.learn.training_set import Steps, TrainingSet, batches_of, training_set
from gemel.measure import pairs_of
from gemel.recipe import Facts, Recipe, choose
from gemel.siamese import Siamese

if TYPE_CHECKING:
    from jaxtyping import Int

HELD_OUT_PAIRS = 20_000
"""At most so many pairs are watched during training."""
FEWEST_HELD_OUT = 5
"""Identities that stopping and calibrating each need."""
SAMPLE = 64
"""Images looked at to choose size and colour."""
SHAPE = ("encoder", "width", "depth", "dim", "norm", "distance", "size", "color", "aspect")
"""Choices that decide which weights a network has and what it takes."""
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
    device = _device()
    if device == "cpu" and recipe.precision == "fp16":
        raise RecipeError("precision = 'fp16' needs a GPU; on a CPU use bf16 or fp32.")
    usable, notes = _usable(data)
    recipe = choose(recipe if start is None else _shaped(recipe, start), _facts(usable, device))
    usable = usable.with_(modality=_modality(usable.modality, recipe, start))
    decoded = decode(usable, allow_bad=allow_bad, progress=progress)
    usable = usable.take(decoded.good)
    parts = _parts(usable, recipe, decoded.content)
    train = training_set(parts.train, usable, decoded)
    modality = usable.modality.fit(train.some(FIT))
    train = replace(train, modality=modality)
    torch.manual_seed(recipe.seed)
    encoder, loss = _encoder(recipe, modality, start), losses.build(recipe)
    _refuse_unknown(loss.needs, train, recipe)
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
    return Outset(learner, recipe, modality, train, calibrating, device, data.origin, said, seconds)


def _usable(data: Collection) -> tuple[Collection, tuple[str, ...]]:
    """Everything but what the data gives to its test split, and what there is to say of given splits."""
    if data.split is None:
        return data, ()
    given = split(data)
    if "train" not in given:
        raise NotEnoughData(f"{data.origin} brings the splits {', '.join(given)}, and none of them is train.")
    codes = [code for code, name in enumerate(data.split.names) if name in ("train", "stop", "calibrate")]
    return data.take(np.isin(data.split.codes, codes)), given.notes


@dataclass(frozen=True)
class _Parts:
    train: Collection
    stop: Collection | None
    calibrate: Collection | None
    notes: tuple[str, ...] = ()


def _parts(data: Collection, recipe: Recipe, content: Int[np.ndarray, " n"]) -> _Parts:
    """Training, stopping and calibrating items: as given, or held out; exact duplicates stay together."""
    given: dict[str, Collection] = {"train": data} if data.split is None else dict(split(data))
    missing = [name for name in ("stop", "calibrate") if name not in given]
    count = _identities(given["train"])
    share = max(recipe.holdout / 2, FEWEST_HELD_OUT / max(1, count))
    notes: tuple[str, ...] = ()
    if missing and recipe.holdout and recipe.protocol == "open" and share * len(missing) > 0.5:
        notes = (
            f"{count} identities with two or more items are too few to hold {FEWEST_HELD_OUT} out for each of "
            f"{' and '.join(missing)}: nothing is held out, and the twin comes without a decision. "
            "Calibrate it on other data: gemel calibrate MODEL DATA.",
        )
    elif missing and recipe.holdout:
        shares = {"train": 1 - share * len(missing)} | dict.fromkeys(missing, share)
        made = split(data, protocol=recipe.protocol, shares=shares, seed=recipe.seed, content=content)
        given, notes = dict(made), made.notes
    return _Parts(given["train"], given.get("stop"), given.get("calibrate"), notes)


def _identities(data: Collection) -> int:
    """Identities with at least two items; for pair data, items are counted in pairs."""
    if data.identity is None:
        return 0 if data.pairs is None else len(data.pairs)
    codes = data.identity.codes
    return int((np.bincount(codes[codes != UNKNOWN]) >= 2).sum())


def _facts(train: Collection, device: str) -> Facts:
    codes = np.zeros(0, int) if train.identity is None else train.identity.codes
    counts = np.bincount(codes[codes != UNKNOWN]) if len(codes) else np.zeros(0, int)
    several = counts[counts >= 2]
    explicit = train.pairs if train.pairs is not None else train.triplets
    side, color = _look(train)
    return Facts(
        modality=train.modality.name,
        items=len(train),
        identities=len(several),
        most_items=int(np.median(several)) if len(several) else 2,
        singletons=int((counts == 1).sum()),
        pairs=0 if explicit is None else len(explicit),
        graded=train.pairs is not None and train.pairs.score is not None,
        side=side,
        color=color,
        device=device,
        fast_bf16=_fast_bf16(device),
    )


def _look(train: Collection) -> tuple[int, bool]:
    """Median longer side of some images, and whether any has colour."""
    if train.modality.name != "image" or not len(train):
        return 0, False
    some = np.linspace(0, len(train) - 1, min(SAMPLE, len(train))).astype(int)
    seen = [found for i in some if (found := probe(train.source(int(i)))) is not None]
    if not seen:
        return 0, False
    return int(np.median([max(p.height, p.width) for p in seen])), any(p.color for p in seen)


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


def _device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _fast_bf16(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.is_bf16_supported()
    cpu: Any = torch.cpu
    return device == "cpu" and (cpu._is_avx512_bf16_supported() or cpu._is_amx_tile_supported())


def _held(held_out: HeldOut | None) -> str:
    return "none" if held_out is None else str(len(held_out.data))


def _size(items: Sequence[Any] | Collection | None) -> str:
    return "none" if items is None else str(len(items))
