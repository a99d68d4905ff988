"""What batches are drawn from: identities, explicit pairs, or views. What a recipe asks for in vain is refused here.

Knows recipes, and of the data only what kinds of things it knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gemel.errors import NotEnoughData, RecipeError
from gemel.items import ImageModality, Modality
from gemel.items.words import plural
from gemel.learn.losses import NAMED, Knows, PytorchMetricLearning, weights_of
from gemel.recipe import Recipe


def needs_of(loss: str | None) -> frozenset[Knows]:
    """What a loss can learn from, by its name; anything where the recipe leaves it open."""
    if loss is None:
        return frozenset(Knows)
    if loss == "own":
        return PytorchMetricLearning.needs
    make: Any = NAMED[loss]
    needs: frozenset[Knows] = getattr(make, "func", make).needs
    return needs


def source_of(sources: Sequence[Knows], loss: str | None) -> Knows:
    """What to draw from: the first source that the loss can learn from.

    Views are taken where nothing else is known, or where the loss looks at nothing else.

    Args:
        sources: what batches could be drawn from, the best first; views are always among them.
        loss: by name.

    Raises:
        RecipeError: the loss learns from none of what the data knows.
        NotEnoughData: the data knows nothing.
    """
    needs = needs_of(loss)
    known: list[Knows] = [source for source in sources if source is not Knows.VIEWS]
    for source in known:
        if source in needs:
            return source
    if needs <= {Knows.VIEWS} or (not known and Knows.VIEWS in needs):
        return Knows.VIEWS
    fitting = ", ".join(name for name in NAMED if needs_of(name) & set(known or [Knows.VIEWS]))
    if not known:
        raise NotEnoughData(
            "The training items hold no pair of which anything is known: no identity has two items, and there are no "
            "explicit pairs. Give at least two items for some identities, or pairs; or choose a loss that learns from "
            f"two views of each item: {fitting}."
        )
    raise RecipeError(
        f"The {loss} loss learns from {_either(needs)}, and the data knows {_either(known)}. "
        f"Choose a loss that learns from that: {fitting}."
    )


def refuse_unused(recipe: Recipe, source: Knows, *, grouped: bool, unlabelled: bool) -> None:
    """Refuse choices that would change nothing with this data.

    Args:
        source: what batches are drawn from.
        grouped: whether items have groups.
        unlabelled: whether there are items without an identity.

    Raises:
        RecipeError: with what to do.
    """
    for name in ("groups", "confused", "rotations", "unlabelled"):
        if getattr(recipe, name) and source is not Knows.IDENTITY:
            raise RecipeError(
                f"{name} = {getattr(recipe, name)} is about batches of identities, and here they are drawn from "
                f"{source.value}; leave it out, or give identities with two items or more."
            )
    if recipe.mined and source is not Knows.POSITIVES:
        raise RecipeError(
            f"mined = {recipe.mined} finds hard negatives where all pairs are the same, and here batches are drawn "
            f"from {source.value}; leave it out{', or choose confused' if source is Knows.IDENTITY else ''}."
        )
    if recipe.skip and not recipe.mined:
        raise RecipeError(f"skip = {recipe.skip} is about negatives that are mined; leave it out, or choose mined.")
    if recipe.groups and recipe.confused:
        raise RecipeError(
            f"groups = {recipe.groups} and confused = {recipe.confused} both say which identities meet in a batch; "
            "choose one of them."
        )
    if recipe.groups and not grouped:
        raise RecipeError(
            f"groups = {recipe.groups}, but the data has no groups. Read it with a column of groups, or as folders "
            "GROUP/IDENTITY/FILE (grouped); or leave groups out."
        )
    if recipe.unlabelled and not unlabelled:
        raise RecipeError(
            f"unlabelled = {recipe.unlabelled}, but every training item has an identity; leave it out, or add items "
            "without one."
        )
    _refuse_idle_losses(recipe, source)
    if recipe.memory and source in (Knows.PAIRS, Knows.SCORE, Knows.TRIPLETS):
        raise RecipeError(
            f"memory = {recipe.memory} compares a batch with items of earlier ones, and {source.value} say nothing of "
            "these; leave it out."
        )
    if recipe.unlabelled and Knows.VIEWS not in needs_of(recipe.loss):
        fitting = ", ".join(name for name in NAMED if needs_of(name) >= {Knows.IDENTITY, Knows.VIEWS})
        raise RecipeError(
            f"unlabelled = {recipe.unlabelled}, but the {recipe.loss} loss learns nothing from two views of an item; "
            f"leave it out, or choose a loss that does: {fitting}."
        )


def _refuse_idle_losses(recipe: Recipe, source: Knows) -> None:
    """Refuse a further loss that would find nothing in the batches that the first one is given."""
    there = {source, Knows.VIEWS} if recipe.unlabelled else {source}
    for name in weights_of(recipe.plus):
        if not needs_of(name) & there:
            hint = "; unlabelled items come in two views" if Knows.VIEWS in needs_of(name) else ""
            raise RecipeError(
                f"plus = {recipe.plus!r}: the {name} loss learns from {_either(needs_of(name))}, and batches are drawn "
                f"from {source.value}{hint}. Leave it out, or make it the first loss."
            )


def refuse_turns(modality: Modality) -> None:
    """Refuse quarter turns of what cannot be turned.

    Raises:
        RecipeError: no images, or images that are not square.
    """
    if not isinstance(modality, ImageModality):
        raise RecipeError(f"rotations = True turns images, and these items are no images but {plural(modality.name)}.")
    if modality.height != modality.width:
        raise RecipeError(
            f"rotations = True needs square images: {modality.height} × {modality.width} pixels have another shape "
            "after a quarter turn. Leave it out, or choose an encoder that takes square images."
        )


def _either(kinds: Sequence[Knows] | frozenset[Knows]) -> str:
    *most, last = sorted(kind.value for kind in kinds)
    return f"{', '.join(most)} or {last}" if most else last
