"""The shared subnetwork, composed from a chosen recipe and a modality. One file per kind of backbone.

Knows the names that a recipe may use and which modality each fits; the networks are in the files beside.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gemel.errors import RecipeError
from gemel.items.audio import AudioModality
from gemel.items.image import ImageModality
from gemel.items.modality import Modality
from gemel.items.signals import prepared
from gemel.items.sounds import HOP
from gemel.items.text import TextModality
from gemel.learn.encoders.conv import conv
from gemel.learn.encoders.delay import Delay
from gemel.learn.encoders.dense import dense
from gemel.learn.encoders.encoder import Backbone, Encoder, Head
from gemel.learn.encoders.frames import Frames
from gemel.learn.encoders.fusion import Branch, Branches, Fusion
from gemel.learn.encoders.mel import Mel
from gemel.learn.encoders.recurrent import Recurrent, RecurrentSeries
from gemel.learn.encoders.residual import residual
from gemel.learn.encoders.statistics import Statistics
from gemel.learn.encoders.wave import Wave
from gemel.recipe import Recipe, of_field

__all__ = [
    "Backbone",
    "Branch",
    "Branches",
    "Encoder",
    "Frames",
    "Head",
    "Statistics",
    "build",
    "pretrained_audio",
    "pretrained_modality",
    "pretrained_text",
    "refuse_longer",
]

FITS = {
    "conv": ("image", "audio"),
    "residual": ("image", "series", "audio"),
    "delay": ("series", "audio"),
    "frames": ("series",),
    "statistics": ("series", "audio"),
    "dense": ("vector",),
    "recurrent": ("text", "series", "audio"),
    "transformer": ("text",),
    "pretrained": ("image", "text", "audio"),
}
"""Encoder → the modalities it takes."""


def build(recipe: Recipe, modality: Modality, *, pretrained_config: dict[str, Any] | None = None) -> Encoder:
    """The encoder that a recipe describes, ready to learn; weights are drawn from PyTorch's global seed.

    Args:
        recipe: a chosen one: encoder, width, depth, dim, norm and distance are not None.
        modality: the fitted modality; it knows the shape of a prepared item.
        pretrained_config: `config_json` of a pretrained backbone (of records: of each, by field), to build it again
            without its folder and with random weights, which the caller then replaces.

    Raises:
        RecipeError: the encoder does not exist, or does not fit the modality or another choice.
    """
    backbone = _backbone(recipe, modality, pretrained_config)
    own = modality.name == "text" and str(recipe.encoder).startswith("pretrained:")
    plain = backbone.plain or (own and recipe.dim in (None, backbone.features))
    if isinstance(backbone, Frames):
        _refuse_parts(recipe, backbone)
    bare = isinstance(backbone, Statistics) and recipe.dim is None
    dim = backbone.features if plain or bare else _given(recipe, "dim")
    weighted = recipe.distance == "learned" and backbone.unit  # frames have weights: of channels, alike at every point
    head = Head(backbone.features, dim, dropout=recipe.dropout, unit=backbone.unit, weighted=weighted, plain=plain)
    return Encoder(backbone, head).train()  # what comes trained comes in evaluation mode, without dropout


def _refuse_parts(recipe: Recipe, frames: Frames) -> None:
    """Raises RecipeError for fewer dimensions than frames have, of which the first are the first points."""
    if recipe.dim not in (None, frames.features):
        raise RecipeError(
            f"dim = {recipe.dim} cannot be: the embedding of frames is its points, two numbers for each channel of "
            f"each, {frames.features} in all. Leave dim open, or choose fewer points: prepare = …,resample=NUMBER."
        )
    if recipe.prefixes:
        raise RecipeError(
            f"prefixes = {recipe.prefixes!r} cannot be: the first numbers of frames are the first points of a series, "
            "and say nothing of the others. Leave prefixes out, or choose another encoder."
        )


def _backbone(recipe: Recipe, modality: Any, pretrained_config: dict[str, Any] | None) -> Backbone:
    if modality.name == "record":
        return _of_fields(recipe, modality, pretrained_config or {})
    kind = _kind(recipe, modality)
    if modality.name == "text":
        return _of_texts(recipe, kind, modality, pretrained_config)
    if kind == "pretrained":
        return _pretrained(recipe, modality, pretrained_config)
    if modality.name in ("series", "audio"):
        return _of_series(recipe, kind, modality)
    size = {name: _given(recipe, name) for name in ("width", "depth", "norm")}
    if kind == "dense":
        return dense(modality.dim, **size)
    network = conv if kind == "conv" else residual
    return network(modality.channels, size=(modality.height, modality.width), **size)


def _of_fields(recipe: Recipe, modality: Any, pretrained_configs: dict[str, Any]) -> Backbone:
    backbones = {
        name: _backbone(of_field(recipe, name, field.name), field, pretrained_configs.get(name))
        for name, field in modality.fields.items()
    }
    if "pretrained:" not in str(recipe.encoder):
        _refuse_tuning(recipe)
    dim = _given(recipe, "dim")
    if modality.single:
        return Branches(backbones, dim=dim)
    return Fusion(backbones, width=dim, how=_given(recipe, "fusion"))


def _of_series(recipe: Recipe, kind: str, modality: Any) -> Backbone:
    if kind == "frames":
        return Frames(modality.width, _points(modality))
    if kind == "statistics":
        return Statistics(modality.width)
    how: dict[str, Any] = {name: _given(recipe, name) for name in ("width", "depth", "pooling")}
    if kind == "conv":
        return Mel(modality.channels, modality.mels, norm=_given(recipe, "norm"), **how)
    if kind == "recurrent":
        return RecurrentSeries(modality.width, cell=_given(recipe, "cell"), **how)
    return (Delay if kind == "delay" else Wave)(modality.width, norm=_given(recipe, "norm"), **how)


def _points(modality: Any) -> int:
    """How many points every prepared series has. Raises RecipeError where that differs."""
    counts = {len(prepared(np.zeros((t, modality.channels)), modality.steps)) for t in (16, 31)}
    if len(counts) > 1:
        raise RecipeError(
            "The encoder frames takes the points of a series as they are, and needs as many of each: say how many, as "
            "the last step of prepare, such as resample=96."
        )
    return counts.pop()


def _of_texts(recipe: Recipe, kind: str, modality: Any, pretrained_config: dict[str, Any] | None) -> Backbone:
    pooling = _given(recipe, "pooling")
    if kind == "recurrent":
        size = {name: _given(recipe, name) for name in ("width", "depth", "cell")}
        return Recurrent(modality.pieces, pooling=pooling, dropout=recipe.dropout, **size)
    from gemel.learn.encoders import language  # transformers takes seconds to import

    if kind == "transformer":
        size = {name: _given(recipe, name) for name in ("width", "depth")}
        return language.transformer(modality.pieces, length=modality.length, pooling=pooling, **size)
    if pretrained_config is not None:
        return language.rebuilt(pretrained_config, pooling=pooling, tune=recipe.tune)
    return language.pretrained(_name(recipe), pooling=pooling, tune=recipe.tune)


def _pretrained(recipe: Recipe, modality: Any, pretrained_config: dict[str, Any] | None) -> Backbone:
    if modality.name == "audio":
        from gemel.learn.encoders import speech  # transformers takes seconds to import

        size = {"length": modality.length * round(HOP * modality.rate), "mels": modality.mels}
        if pretrained_config is not None:
            return speech.rebuilt(pretrained_config, **size, tune=recipe.tune)
        return speech.pretrained(_name(recipe), **size, tune=recipe.tune)
    from gemel.learn.encoders import pretrained  # transformers takes seconds to import

    shape: dict[str, Any] = {"channels": modality.channels, "size": (modality.height, modality.width)}
    if pretrained_config is not None:
        return pretrained.rebuilt(pretrained_config, **shape, tune=recipe.tune)
    return pretrained.pretrained(_name(recipe), **shape, tune=recipe.tune)


def pretrained_text(name: str, *, length: int | None = None) -> TextModality:
    """How a pretrained encoder of Hugging Face wants its texts; see `language.pretrained_text`."""
    from gemel.learn.encoders import language  # transformers takes seconds to import

    return language.pretrained_text(name, length=length)


def pretrained_audio(name: str, *, length: int | None = None, steps: tuple[str, ...] = ()) -> AudioModality:
    """How a pretrained encoder of Hugging Face wants its sounds; see `speech.pretrained_audio`."""
    from gemel.learn.encoders import speech  # transformers takes seconds to import

    return speech.pretrained_audio(name, length=length, steps=steps)


def refuse_longer(length: int, config: dict[str, Any]) -> None:
    """Refuse more pieces than a pretrained encoder reads; see `language.refuse_longer`."""
    from gemel.learn.encoders import language  # transformers takes seconds to import

    language.refuse_longer(length, config)


def pretrained_modality(name: str) -> ImageModality:
    """How a pretrained encoder of Hugging Face wants its images; see `processors.pretrained_modality`."""
    from gemel.learn.encoders import processors  # transformers takes seconds to import

    return processors.pretrained_modality(name)


def _name(recipe: Recipe) -> str:
    name = str(recipe.encoder).partition(":")[2]
    if not name:
        raise RecipeError("encoder = 'pretrained:' lacks a name: give pretrained:NAME_OR_FOLDER.")
    return name


def _kind(recipe: Recipe, modality: Modality) -> str:
    """The part of the encoder's name that chooses the file; checked against the modality and the tuning."""
    kind = str(_given(recipe, "encoder")).partition(":")[0]
    if kind not in FITS:
        raise RecipeError(
            f"There is no encoder {recipe.encoder!r}; choose {', '.join(FITS)} (as pretrained:NAME_OR_FOLDER)."
        )
    if modality.name not in FITS[kind]:
        fitting = ", ".join(name for name, takes in FITS.items() if modality.name in takes) or "none yet"
        raise RecipeError(
            f"The encoder {kind} takes items of modality {' or '.join(FITS[kind])}, and these are of modality "
            f"{modality.name}; encoders for them: {fitting}."
        )
    if kind != "pretrained":
        _refuse_tuning(recipe)
    return kind


def _refuse_tuning(recipe: Recipe) -> None:
    if recipe.tune != "full":
        raise RecipeError(
            f"tune = {recipe.tune!r} needs a pretrained encoder, and {recipe.encoder} starts from random weights; "
            "choose tune = 'full' or encoder = 'pretrained:NAME_OR_FOLDER'."
        )


def _given(recipe: Recipe, name: str) -> Any:
    value = getattr(recipe, name)
    if value is None:
        raise RecipeError(f"The recipe leaves {name} open, and an encoder needs it; close it with gemel.recipe.choose.")
    return value
