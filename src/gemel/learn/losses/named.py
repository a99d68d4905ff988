"""The losses by name, and the one that a recipe asks for, with all that it puts around it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from gemel.errors import RecipeError
from gemel.learn.distances import distance
from gemel.learn.losses.arcface import ArcFace
from gemel.learn.losses.base import Loss
from gemel.learn.losses.bce import CrossEntropy
from gemel.learn.losses.circle import Circle
from gemel.learn.losses.clip import Clip
from gemel.learn.losses.contrastive import Contrastive
from gemel.learn.losses.cosent import CoSENT
from gemel.learn.losses.cosface import CosFace
from gemel.learn.losses.infonce import InfoNCE
from gemel.learn.losses.lifted import Lifted
from gemel.learn.losses.matryoshka import Matryoshka
from gemel.learn.losses.memory import Memory
from gemel.learn.losses.multiplenegatives import MultipleNegatives, NPair
from gemel.learn.losses.multisimilarity import MultiSimilarity
from gemel.learn.losses.pearson import Pearson
from gemel.learn.losses.proxyanchor import ProxyAnchor
from gemel.learn.losses.pytorchmetriclearning import PytorchMetricLearning
from gemel.learn.losses.regression import Regression
from gemel.learn.losses.sigmoid import Sigmoid
from gemel.learn.losses.simclr import SimCLR
from gemel.learn.losses.softmax import Softmax
from gemel.learn.losses.supcon import SupCon
from gemel.learn.losses.triplet import Triplet
from gemel.learn.losses.vicreg import VICReg
from gemel.learn.losses.weightedsum import WeightedSum
from gemel.recipe import Recipe

if TYPE_CHECKING:
    from jaxtyping import Int

NAMED: dict[str, Callable[..., Loss]] = {
    "supcon": SupCon,
    "infonce": InfoNCE,
    "decoupled": partial(InfoNCE, decoupled=True),
    "multiplenegatives": MultipleNegatives,
    "npair": NPair,
    "contrastive": Contrastive,
    "doublemargin": partial(Contrastive, inner=0.25),
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
    "regression": Regression,
    "cosent": CoSENT,
    "pearson": Pearson,
    "simclr": SimCLR,
    "vicreg": VICReg,
    "clip": Clip,
}
"""The losses by the name that a recipe gives them."""


def build(recipe: Recipe, identities: Int[Tensor, " c"] | None = None, own: nn.Module | None = None) -> Loss:
    """The loss that a recipe names, with its distance, temperature, margin and miner, and what is put around it.

    What the recipe leaves open is the loss's own default. The learned distance is Manhattan here: its weights
    are the last layer of the encoder. Around the loss a recipe may put

    - `prefixes`, such as "64,128": it is asked of so many first dimensions too;
    - `memory`: so many embeddings of earlier batches are further columns;
    - `plus`, such as "vicreg:0.1,bce:1": further losses with their weights, each with its own temperature and margin,
      on the same prefixes and without a memory.

    Args:
        recipe: names at least a loss, a distance and a dimension.
        identities: codes of all identities of the training items, for losses with a proxy for each.
        own: where the recipe says so, a Loss, or an object of pytorch_metric_learning.losses.
    """
    if recipe.loss is None or recipe.distance is None:
        raise RecipeError("A loss is built from a recipe that names its loss and its distance; close it with choose().")
    chosen = recipe.chosen()
    kernel = distance("manhattan" if recipe.distance == "learned" else recipe.distance)
    given = chosen | {"distance": kernel, "balanced": recipe.balance, "identities": identities}
    if own is None:
        first = _named(recipe.loss, given)
    else:
        first = own if isinstance(own, Loss) else PytorchMetricLearning(kernel, own)
    loss = _nested(first, chosen)
    if chosen.get("memory"):
        loss = Memory(loss, size=chosen["memory"], dim=chosen["dim"])
    if not chosen.get("plus"):
        return loss
    weights = weights_of(chosen["plus"])
    plain = {name: value for name, value in given.items() if name not in ("temperature", "margin")}
    others = [_nested(_named(name, plain), chosen) for name in weights]
    return WeightedSum([loss, *others], [1.0, *weights.values()])


def _named(name: str, given: dict[str, Any]) -> Loss:
    """The loss of that name, with what it takes of what is given."""
    if name == "own":
        raise RecipeError("loss = 'own' stands for an object: hand it to gemel.train(…, loss=OBJECT), also to resume.")
    if name not in NAMED:
        raise RecipeError(f"There is no loss {name!r}; choose one of {', '.join(NAMED)}.")
    make = NAMED[name]
    taken = inspect.signature(make).parameters
    return make(**{key: value for key, value in given.items() if key in taken})


def _nested(loss: Loss, chosen: dict[str, Any]) -> Loss:
    """The loss on prefixes and on the whole, where prefixes are chosen."""
    if not chosen.get("prefixes"):
        return loss
    try:
        prefixes = {int(word) for word in chosen["prefixes"].split(",")}
    except ValueError:
        raise RecipeError(f"prefixes = {chosen['prefixes']!r} must be dimensions, like '64,128'.") from None
    return Matryoshka(loss, prefixes=sorted(prefixes | {chosen["dim"]}))


def weights_of(plus: str | None) -> dict[str, float]:
    """The weight of each further loss."""
    if not plus:
        return {}
    try:
        pairs = [word.split(":") for word in plus.split(",")]
        weights = {name.strip(): float(weight) for name, weight in pairs}
    except ValueError:
        raise RecipeError(f"plus = {plus!r} must be losses with weights, like 'vicreg:0.1,bce:1'.") from None
    for name in weights.keys() - NAMED.keys():
        raise RecipeError(f"plus = {plus!r}: there is no loss {name!r}; choose from {', '.join(NAMED)}.")
    return weights
