"""What the network is asked to do with pairs and triplets: one idea per file, built from a recipe here."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from torch import Tensor

from gemel.errors import RecipeError
from gemel.learn.distances import distance
from gemel.learn.losses.base import Knows, Loss, Term
from gemel.learn.losses.bce import CrossEntropy
from gemel.learn.losses.circle import Circle
from gemel.learn.losses.contrastive import Contrastive
from gemel.learn.losses.infonce import InfoNCE
from gemel.learn.losses.lifted import Lifted
from gemel.learn.losses.multiplenegatives import MultipleNegatives, NPair
from gemel.learn.losses.multisimilarity import MultiSimilarity
from gemel.learn.losses.proxies import ArcFace, CosFace, Softmax
from gemel.learn.losses.proxyanchor import ProxyAnchor
from gemel.learn.losses.sigmoid import Sigmoid
from gemel.learn.losses.supcon import SupCon
from gemel.learn.losses.triplet import Triplet
from gemel.recipe import Recipe

if TYPE_CHECKING:
    from jaxtyping import Int

__all__ = [
    "ArcFace",
    "Circle",
    "Contrastive",
    "CosFace",
    "CrossEntropy",
    "InfoNCE",
    "Knows",
    "Lifted",
    "Loss",
    "MultiSimilarity",
    "MultipleNegatives",
    "NPair",
    "ProxyAnchor",
    "Sigmoid",
    "Softmax",
    "SupCon",
    "Term",
    "Triplet",
    "build",
]

NAMED: dict[str, Callable[..., Loss]] = {
    "supcon": SupCon,
    "infonce": InfoNCE,
    "decoupled": partial(InfoNCE, decoupled=True),
    "multiplenegatives": MultipleNegatives,
    "npair": NPair,
    "contrastive": Contrastive,
    "bce": CrossEntropy,
    "sigmoid": Sigmoid,
    "multisimilarity": MultiSimilarity,
    "circle": Circle,
    "lifted": Lifted,
    "triplet": Triplet,
    "softmax": Softmax,
    "cosface": CosFace,
    "arcface": ArcFace,
    "proxyanchor": ProxyAnchor,
}
"""The losses by the name that a recipe gives them."""


def build(recipe: Recipe, identities: Int[Tensor, " c"] | None = None) -> Loss:
    """The loss that a recipe names, with its distance, temperature, margin and miner.

    What the recipe leaves open is the loss's own default. The learned distance is Manhattan here: its weights
    are the last layer of the encoder.

    Args:
        recipe: names at least a loss and a distance.
        identities: codes of all identities of the training items, for losses with a proxy for each.
    """
    if recipe.loss is None or recipe.distance is None:
        raise RecipeError("A loss is built from a recipe that names its loss and its distance; close it with choose().")
    make = NAMED[recipe.loss]
    taken = inspect.signature(make).parameters
    given: dict[str, Any] = recipe.chosen() | {"balanced": recipe.balance, "identities": identities}
    kernel = distance("manhattan" if recipe.distance == "learned" else recipe.distance)
    return make(kernel, **{name: value for name, value in given.items() if name in taken and name != "distance"})
