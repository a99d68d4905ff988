"""What the network is asked to do with pairs and triplets: one idea per file, built from a recipe here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gemel.errors import RecipeError
from gemel.learn.distances import Distance, distance
from gemel.learn.losses.base import Knows, Loss, Term
from gemel.learn.losses.bce import CrossEntropy
from gemel.learn.losses.contrastive import Contrastive
from gemel.learn.losses.infonce import InfoNCE
from gemel.learn.losses.supcon import SupCon
from gemel.learn.losses.triplet import Triplet
from gemel.recipe import Recipe

__all__ = ["Contrastive", "CrossEntropy", "InfoNCE", "Knows", "Loss", "SupCon", "Term", "Triplet", "build"]


def build(recipe: Recipe) -> Loss:
    """The loss that a recipe names, with its distance, temperature, margin and miner.

    What the recipe leaves open is the loss's own default. The learned distance is Manhattan here: its weights
    are the last layer of the encoder.
    """
    if recipe.loss is None or recipe.distance is None:
        raise RecipeError("A loss is built from a recipe that names its loss and its distance; close it with choose().")
    kernel = distance("manhattan" if recipe.distance == "learned" else recipe.distance)
    return _BUILDERS[recipe.loss](kernel, recipe)


def _given(**choices: float | None) -> dict[str, Any]:
    return {name: value for name, value in choices.items() if value is not None}


_BUILDERS: dict[str, Callable[[Distance, Recipe], Loss]] = {
    "supcon": lambda kernel, recipe: SupCon(kernel, **_given(temperature=recipe.temperature)),
    "infonce": lambda kernel, recipe: InfoNCE(kernel, **_given(temperature=recipe.temperature)),
    "contrastive": lambda kernel, recipe: Contrastive(kernel, balanced=recipe.balance, **_given(margin=recipe.margin)),
    "triplet": lambda kernel, recipe: Triplet(
        kernel, miner=recipe.miner, soft=recipe.soft, **_given(margin=recipe.margin)
    ),
    "bce": lambda kernel, recipe: CrossEntropy(kernel, balanced=recipe.balance),
}
