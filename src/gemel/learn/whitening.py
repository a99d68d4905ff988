"""A last layer that begins as the whitening of features within identities: what varies among items that are the same
counts for little from the start (within-class covariance normalisation: Hatch, Kajarekar and Stolcke 2006).

A closed form, so that a few identities suffice; training goes on from there. Knows features and codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from gemel.errors import NotEnoughData, RecipeError
from gemel.learn.encoders import Encoder
from gemel.learn.training_set import TrainingSet
from gemel.measure import pairs_of

if TYPE_CHECKING:
    from jaxtyping import Float

MOST = 100_000
"""At most so many pairs of items that are the same are looked at."""
TOGETHER = 4096
"""Pairs that are looked at at once."""
ITEMS = 10_000
"""At most so many items are looked at to know how features vary in all."""
SHRINK = 0.1
"""Share of the way to every direction varying alike (Ledoit and Wolf 2004): a few items do not show all that varies."""
TINY = 1e-9
"""Variance that there is at least, so that nothing is divided by 0."""


def whiten(encoder: Encoder, data: TrainingSet, *, seed: int) -> None:
    """Begin the last layer of an encoder as a whitening, in place.

    Of as many directions as the embedding has dimensions: those in which all items vary most, measured by how much
    items vary that are the same.

    Raises:
        NotEnoughData: nothing is known to be the same.
        RecipeError: there are fewer features than dimensions.
    """
    features = encoder.backbone.features
    if encoder.dim > features:
        raise RecipeError(
            f"dim = {encoder.dim} is more than the {features} numbers that the encoder statistics has to give; choose "
            f"at most {features}."
        )
    a, b = _same(data, seed)
    if not len(a):
        raise NotEnoughData(
            "The encoder statistics learns from items that are the same, and no two training items are known to be: "
            "give identities with two items, or pairs."
        )
    items, where = np.unique(np.concatenate([a, b]), return_inverse=True)
    known = _features(encoder, data, items)
    everything = _features(encoder, data, np.arange(0, len(data), max(1, -(-len(data) // ITEMS))))
    within = _within(known, where[: len(a)], where[len(a) :])
    within = (1 - SHRINK) * within + (SHRINK * np.trace(within) / features + TINY) * np.eye(features)
    layer = _directions(within, np.cov(everything.T))[: encoder.dim]
    linear = encoder.head.linear
    assert isinstance(linear, nn.Linear)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(layer))
        linear.bias.copy_(torch.from_numpy(-layer @ everything.mean(0)))


def _same(data: TrainingSet, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of items that are the same: by identity, or as they were given."""
    if len(data.value):
        same = data.value > 0.5
        step = max(1, -(-int(same.sum()) // MOST))
        return data.a[same][::step], data.b[same][::step]
    pairs = pairs_of(data.identity, limit=MOST, seed=seed)
    return pairs.a[pairs.same], pairs.b[pairs.same]


def _features(encoder: Encoder, data: TrainingSet, rows: np.ndarray) -> Float[np.ndarray, "n f"]:
    """What comes before the last layer, of whole items."""
    with torch.no_grad():
        parts = [data.whole(some) for some in np.split(rows, range(256, len(rows), 256))]
        found = [part.pooled(encoder.backbone(*(part.inputs[name] for name in encoder.inputs))) for part in parts]
    return torch.cat(found).double().numpy()


def _within(known: Float[np.ndarray, "n f"], a: np.ndarray, b: np.ndarray) -> Float[np.ndarray, "f f"]:
    """How features vary among items that are the same; a part of the pairs at once, for features can be thousands."""
    total = np.zeros((known.shape[1], known.shape[1]))
    for part in np.split(np.arange(len(a)), range(TOGETHER, len(a), TOGETHER)):
        gap = known[a[part]] - known[b[part]]
        total += gap.T @ gap
    return total / (2 * len(a))


def _directions(within: Float[np.ndarray, "f f"], whole: Float[np.ndarray, "f f"]) -> Float[np.ndarray, "f f"]:
    """Rows that make the variance within identities 1, those first along which the whole varies most."""
    white = np.linalg.inv(np.linalg.cholesky(within))
    _, turn = np.linalg.eigh(white @ np.atleast_2d(whole) @ white.T)
    return turn.T[::-1] @ white
