"""How batches are drawn from what a training set knows: one source, and what joins it.

Decides between the kinds of batches; each kind is planned in a file of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from gemel.errors import RecipeError
from gemel.items import UNKNOWN, ImageModality, SeriesModality
from gemel.items.words import plural
from gemel.learn.augment import Augment
from gemel.learn.batches import IdentityBatches, ViewBatches, WithUnlabelled
from gemel.learn.confused_batches import ConfusedBatches
from gemel.learn.losses import Knows
from gemel.learn.mined_batches import MinedBatches
from gemel.learn.pair_batches import PairBatches, TripletBatches, WithPairs
from gemel.learn.plan import Batches
from gemel.learn.sources import needs_of, refuse_turns, refuse_unused, source_of
from gemel.learn.training_set.known import TrainingSet
from gemel.learn.training_set.steps import TURNS
from gemel.learn.waves import Waves
from gemel.recipe import Recipe


def batches_of(data: TrainingSet, recipe: Recipe) -> Batches:
    """How batches are drawn: from identities, explicit pairs or views, whichever the loss learns from first.

    Raises:
        RecipeError: a choice does not fit the data.
        NotEnoughData: there is nothing that the loss could learn from.
    """
    source = source_of(data.sources, recipe.loss)
    refuse_unused(recipe, source, grouped=bool((data.group != UNKNOWN).any()), unlabelled=bool(len(data.unlabelled)))
    if source is Knows.IDENTITY:
        return _of_identities(data, recipe)
    assert recipe.batch_pairs is not None
    if source is Knows.VIEWS:
        _refuse_equal_views(data, recipe)
        return ViewBatches(len(data), pairs=recipe.batch_pairs, seed=recipe.seed)
    if source is Knows.TRIPLETS:
        return TripletBatches(*data.triplets, triplets=recipe.batch_pairs // 2, seed=recipe.seed)
    return _of_pairs(data, recipe, only_same=source is Knows.POSITIVES)


def _of_pairs(data: TrainingSet, recipe: Recipe, *, only_same: bool) -> Batches:
    """Batches of explicit pairs. Where all are same, what is in none of them is different: so none may be left out."""
    assert recipe.batch_pairs is not None
    batches: Batches = PairBatches(
        data.a,
        data.b,
        data.value,
        pairs=recipe.batch_pairs,
        balance=recipe.balance,
        others="different" if only_same else "unknown",
        seed=recipe.seed,
    )
    if recipe.mined:
        batches = MinedBatches(batches, each=recipe.mined)
    return WithPairs(batches, data.a, data.b, data.value, items=len(data)) if only_same else batches


def _of_identities(data: TrainingSet, recipe: Recipe) -> Batches:
    """Batches of identities; unlabelled items join them if asked for, and explicit pairs that happen to be there."""
    assert recipe.identities is not None
    assert recipe.items is not None
    if recipe.rotations:
        refuse_turns(data.modality)
    variants = TURNS if recipe.rotations else 1
    how: dict[str, Any] = {
        "identities": recipe.identities,
        "items": recipe.items,
        "variants": variants,
        "impostor_of": data.impostor_of if (data.impostor_of != UNKNOWN).any() else None,
        "seed": recipe.seed,
    }
    batches: Batches
    if recipe.confused:
        batches = ConfusedBatches(data.identity, share=recipe.confused, **how)
    else:
        group = data.group if recipe.groups else None
        batches = IdentityBatches(data.identity, group=group, groups=recipe.groups, **how)
    if recipe.unlabelled:
        _refuse_equal_views(data, recipe)
        batches = WithUnlabelled(batches, data.unlabelled, count=recipe.unlabelled, variants=variants, seed=recipe.seed)
    if len(data.value) and (not data.graded or Knows.SCORE in needs_of(recipe.loss)):
        batches = WithPairs(batches, data.a, data.b, data.value, items=len(data))
    return batches


def _refuse_equal_views(data: TrainingSet, recipe: Recipe) -> None:
    """Refuse to learn from two views of an item where nothing makes them differ."""
    waves = isinstance(data.modality, SeriesModality) and Waves.of(recipe) != Waves()
    if recipe.dropout or waves or (isinstance(data.modality, ImageModality) and Augment.of(recipe) != Augment()):
        return
    some = np.arange(min(2, len(data)))
    one, other = (data.prepared(some, np.random.default_rng(seed), speed=recipe.speed) for seed in (0, 1))
    if all(torch.equal(one[name], other[name]) for name in one):
        raise RecipeError(
            f"Two views of an item would be equal, for nothing changes {plural(data.modality.name)} at random, and so "
            "there is nothing to learn from them. Choose a distortion (of images, series or sounds) or dropout above "
            "0, or give identities or pairs."
        )
