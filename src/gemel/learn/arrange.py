"""Whether records are fused into one embedding each, or their fields compared with each other: as told, or as fits."""

from __future__ import annotations

import numpy as np

from gemel.errors import NotEnoughData, RecipeError
from gemel.items import Collection, RecordModality
from gemel.items.branched import branched
from gemel.recipe import Recipe


def arranged(data: Collection, recipe: Recipe) -> tuple[Collection, Recipe]:
    """The items that are learned from, with a note on how records are taken, and the recipe that says so.

    Fused where something is known of what makes two records the same; otherwise, of two fields, in two branches: then
    the fields of one record are the same.

    Raises:
        RecipeError: branches that are not two fields of the records.
        NotEnoughData: nothing is known of records of more than two fields.
    """
    if recipe.branches:
        names = [word.strip() for word in recipe.branches.split(",")]
        if len(names) != 2 or names[0] == names[1]:
            raise RecipeError(f"branches = {recipe.branches!r} must name two fields, such as image,title.")
        if isinstance(data.modality, RecordModality) and data.modality.single:
            return data, recipe
        return _in_branches(data, recipe, names, "as branches says")
    if not isinstance(data.modality, RecordModality) or data.modality.single:
        return data, recipe
    fields = list(data.modality.fields)
    if _is_known(data):
        said = f"Fused: {' and '.join(fields)} make one embedding, for it is known which records are the same."
        return data.noted(said), recipe
    if len(fields) == 2:
        return _in_branches(data, recipe, fields, "for no two records are known to be the same")
    raise NotEnoughData(
        f"{data.origin} says of no two records that they are the same. Name the column of identities (--identity), or "
        f"two fields to learn as the same where they are of one record: --branches {fields[0]},{fields[1]}."
    )


def _in_branches(data: Collection, recipe: Recipe, names: list[str], why: str) -> tuple[Collection, Recipe]:
    said = f"Two branches, {why}: {names[0]} and {names[1]} of one record are learned as the same."
    return branched(data, *names).noted(said), recipe.but(branches=",".join(names))


def _is_known(data: Collection) -> bool:
    """Whether anything says that two records are the same."""
    if data.pairs is not None or data.triplets is not None:
        return True
    return data.identity is not None and bool((np.bincount(data.identity.codes[data.identity.codes >= 0]) > 1).any())
