"""The shared subnetwork, composed from a chosen recipe and a modality. One file per kind of backbone.

Knows the names that a recipe may use and which modality each fits; the networks are in the files beside.
"""

from __future__ import annotations

from typing import Any

from gemel.errors import RecipeError
from gemel.items.image import ImageModality
from gemel.items.modality import Modality
from gemel.learn.encoders.conv import conv
from gemel.learn.encoders.dense import dense
from gemel.learn.encoders.encoder import Backbone, Encoder, Head
from gemel.learn.encoders.residual import residual
from gemel.recipe import Recipe

__all__ = ["Backbone", "Encoder", "Head", "build", "pretrained_modality"]

FITS = {"conv": "image", "residual": "image", "dense": "vector", "pretrained": "image"}
"""Encoder → the modality it takes."""


def build(recipe: Recipe, modality: Modality, *, pretrained_config: dict[str, Any] | None = None) -> Encoder:
    """The encoder that a recipe describes, for items of a modality; weights are drawn from PyTorch's global seed.

    Args:
        recipe: a chosen one: encoder, width, depth, dim, norm and distance are not None.
        modality: the fitted modality; it knows the shape of a prepared item.
        pretrained_config: `config_json` of a pretrained backbone, to build it again without its
            folder and with random weights, which the caller then replaces.

    Raises:
        RecipeError: the encoder does not exist, or does not fit the modality or another choice.
    """
    backbone = _backbone(recipe, modality, pretrained_config)
    dim = _given(recipe, "dim")
    head = Head(backbone.features, dim, dropout=recipe.dropout, weighted=recipe.distance == "learned")
    return Encoder(backbone, head)


def _backbone(recipe: Recipe, modality: Any, pretrained_config: dict[str, Any] | None) -> Backbone:
    kind = _kind(recipe, modality)
    if kind == "pretrained":
        return _pretrained(recipe, modality, pretrained_config)
    size = {name: _given(recipe, name) for name in ("width", "depth", "norm")}
    if kind == "dense":
        return dense(modality.dim, **size)
    network = conv if kind == "conv" else residual
    return network(modality.channels, size=(modality.height, modality.width), **size)


def _pretrained(recipe: Recipe, modality: Any, pretrained_config: dict[str, Any] | None) -> Backbone:
    from gemel.learn.encoders import pretrained  # transformers takes seconds to import

    shape: dict[str, Any] = {"channels": modality.channels, "size": (modality.height, modality.width)}
    if pretrained_config is not None:
        return pretrained.rebuilt(pretrained_config, **shape, tune=recipe.tune)
    return pretrained.pretrained(_name(recipe), **shape, tune=recipe.tune)


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
            f"There is no encoder {recipe.encoder!r}; choose conv, residual, dense, or pretrained:NAME_OR_FOLDER."
        )
    if FITS[kind] != modality.name:
        fitting = ", ".join(name for name, takes in FITS.items() if takes == modality.name) or "none yet"
        raise RecipeError(
            f"The encoder {kind} takes items of modality {FITS[kind]}, and these are of modality {modality.name}; "
            f"encoders for them: {fitting}."
        )
    if kind != "pretrained" and recipe.tune != "full":
        raise RecipeError(
            f"tune = {recipe.tune!r} needs a pretrained encoder, and {kind} starts from random weights; "
            "choose tune = 'full' or encoder = 'pretrained:NAME_OR_FOLDER'."
        )
    return kind


def _given(recipe: Recipe, name: str) -> Any:
    value = getattr(recipe, name)
    if value is None:
        raise RecipeError(f"The recipe leaves {name} open, and an encoder needs it; close it with gemel.recipe.choose.")
    return value
