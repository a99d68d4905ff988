"""Which network, and which prepared items it takes: as the recipe says, as a trained twin was, or as was set by hand.

Knows recipes and modalities, no data.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import safetensors.torch

from gemel.errors import RecipeError
from gemel.items import (
    AudioModality,
    ImageModality,
    Modality,
    RecordModality,
    SeriesModality,
    TextModality,
    ink,
    signals,
    sounds,
)
from gemel.learn import encoders
from gemel.learn.encoders import Encoder, lora
from gemel.learn.spectra import Spectra
from gemel.recipe import CHOICES, Recipe, of_field
from gemel.siamese import Siamese

SHAPE = tuple(
    "encoder fusion branches width depth dim norm cell pooling distance size color aspect length vocabulary "
    "prepare".split()
)
"""Choices that decide which weights a network has and what it takes."""
ABOUT = {
    "size": ("image",),
    "color": ("image",),
    "aspect": ("image",),
    "vocabulary": ("text",),
    "prepare": ("series", "image", "audio"),
    "length": ("text", "series", "audio"),
    "fusion": ("record",),
    "branches": ("record",),
    "cell": ("text", "series", "audio"),
    "pooling": ("text", "series", "audio"),
    "snr": ("audio",),
}
"""Choices that are about some kinds of items only."""
STEPS = {
    "series": (*signals.PLAIN, *signals.NUMBERED),
    "image": tuple(ink.STEPS),
    "audio": tuple(sounds.STEPS),
}
"""Kind of items → names of the steps that prepare them."""


def shaped(recipe: Recipe, modality: Modality, start: Siamese | None) -> Recipe:
    """The recipe with the shape of the twin to start from, or of a modality that was set up by hand, where it leaves
    that open."""
    given: dict[str, Any] = {} if start is None else {n: start.recipe[n] for n in SHAPE if n in start.recipe}
    if start is None and isinstance(modality, SeriesModality | AudioModality):
        given = {"prepare": ",".join(modality.steps)} if modality.steps else {}
        given |= {} if modality.length == type(modality)(channels=1).length else {"length": modality.length}
    if start is None and isinstance(modality, ImageModality) and modality != ImageModality():
        given = {"color": modality.channels == 3}
        given |= {"size": modality.height} if modality.height == modality.width else {}
        given |= {"aspect": modality.resize} if modality.resize in CHOICES["aspect"] else {}
        given |= {"prepare": ",".join(modality.steps)} if modality.steps else {}
    return recipe.but(**{name: value for name, value in given.items() if getattr(recipe, name) is None})


def encoder_of(recipe: Recipe, modality: Modality, start: Siamese | None) -> Encoder:
    """The network, with the weights of the twin to start from, and with adapters where the recipe asks for them."""
    encoder = _with_weights(recipe, modality, start)
    return lora.adapted(encoder) if recipe.tune == "lora" else encoder


def _with_weights(recipe: Recipe, modality: Modality, start: Siamese | None) -> Encoder:
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


def modality_of(modality: Modality, recipe: Recipe, start: Siamese | None) -> Modality:
    """How items are prepared: as the recipe says, or as a pretrained encoder wants them."""
    name = recipe.encoder or ""
    if isinstance(modality, RecordModality):
        if start is not None:
            return start.modality
        kinds = {field.name for field in modality.fields.values()}
        parts = {n: _steps_of(recipe, field.name, kinds) for n, field in modality.fields.items()}
        own = {n: modality_of(field, of_field(parts[n], n, field.name), None) for n, field in modality.fields.items()}
        return replace(modality, fields=own)
    if start is not None and isinstance(start.modality, ImageModality | SeriesModality | AudioModality):
        _refuse_other_steps(recipe, start.modality)
    if start is not None and isinstance(start.modality, TextModality):
        return _read_alike(start.modality, recipe, start)
    if start is not None and start.origin.backbone:
        return start.modality
    if start is not None and isinstance(start.modality, SeriesModality | AudioModality):
        return replace(start.modality, length=recipe.length or start.modality.length)
    if isinstance(modality, SeriesModality | AudioModality):
        steps = recipe.preparing() or modality.steps
        if name.startswith("pretrained:") and isinstance(modality, AudioModality):
            return encoders.pretrained_audio(name.removeprefix("pretrained:"), length=recipe.length, steps=steps)
        return replace(modality, length=recipe.length or modality.length, steps=steps)
    if name.startswith("pretrained:"):
        name = name.removeprefix("pretrained:")
        if isinstance(modality, TextModality):
            return encoders.pretrained_text(name, length=recipe.length)
        return replace(encoders.pretrained_modality(name), steps=recipe.preparing())
    if isinstance(modality, TextModality) and not modality.tokenizer:
        length, vocabulary = recipe.length or modality.length, recipe.vocabulary or modality.vocabulary
        return replace(modality, length=length, vocabulary=vocabulary)
    if not isinstance(modality, ImageModality):
        return modality
    assert recipe.size is not None
    assert recipe.aspect is not None
    by_hand = modality if start is None or not isinstance(start.modality, ImageModality) else start.modality
    steps = recipe.preparing() or by_hand.steps
    if by_hand != ImageModality() and not _differs(by_hand, recipe):
        return replace(by_hand, steps=steps)
    return ImageModality(
        steps=steps,
        height=recipe.size,
        width=recipe.size,
        channels=3 if recipe.color else 1,
        resize=recipe.aspect,
    )


def refuse_other_kinds(recipe: Recipe, modality: Modality) -> None:
    """Raises RecipeError for a choice that is about other kinds of items, and about none of the fields of a record."""
    fields = modality.fields.values() if isinstance(modality, RecordModality) else ()
    here = {modality.name, *(field.name for field in fields)}
    for name, kinds in ABOUT.items():
        if getattr(recipe, name) is not None and not here & set(kinds):
            raise RecipeError(
                f"{name} = {getattr(recipe, name)!r} is about {' and '.join(kinds)} items, and these are of modality "
                f"{' and '.join(sorted(here))}; leave it out."
            )


def refuse_distortions(recipe: Recipe, modality: Modality) -> None:
    """Raises RecipeError for distortions of spectra where a pretrained encoder takes something else."""
    if isinstance(modality, AudioModality) and modality.family:
        asked = [name for name in Spectra.fields() if getattr(recipe, name)]
        if asked:
            raise RecipeError(
                f"{asked[0]} = {getattr(recipe, asked[0])!r} changes log-mel spectra, and a pretrained audio encoder "
                "takes its own features; leave it out."
            )


def _steps_of(recipe: Recipe, kind: str, kinds: set[str]) -> Recipe:
    """The recipe without the steps that prepare only fields of other kinds in a record."""
    others = {name for other in kinds - {kind} for name in STEPS.get(other, ())} - set(STEPS.get(kind, ()))
    kept = [step for step in recipe.preparing() if step.partition("=")[0] not in others]
    return recipe.but(prepare=",".join(kept) or None)


def _refuse_other_steps(recipe: Recipe, modality: ImageModality | SeriesModality | AudioModality) -> None:
    """Raises RecipeError where the twin to start from prepares its items otherwise."""
    if recipe.preparing() and recipe.preparing() != modality.steps:
        raise RecipeError(
            f"prepare = {recipe.prepare!r} cannot be: the twin to start from prepares items by "
            f"{','.join(modality.steps) or 'no step'}."
        )


def _read_alike(modality: TextModality, recipe: Recipe, start: Siamese) -> TextModality:
    """As the twin to start from reads texts, but as far as the recipe says."""
    if recipe.vocabulary not in (None, modality.vocabulary, start.recipe.get("vocabulary")):
        raise RecipeError(f"vocabulary = {recipe.vocabulary} cannot be: the twin to start from brings its own.")
    length = recipe.length or modality.length
    if start.origin.backbone:
        encoders.refuse_longer(length, start.origin.backbone)
    return replace(modality, length=length)


def _differs(modality: ImageModality, recipe: Recipe) -> bool:
    """Whether the recipe asks for other images than a modality makes."""
    square = modality.height == modality.width
    return (
        (square and recipe.size != modality.height)
        or recipe.color != (modality.channels == 3)
        or (modality.resize in CHOICES["aspect"] and recipe.aspect != modality.resize)
    )
