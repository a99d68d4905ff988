"""gemel compare: which loss and which distance suit the data."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from gemel.cli.options import AsJson, Data, choices, reading, reading_flags, recipe_flags, with_options
from gemel.cli.output import answer, note
from gemel.errors import require
from gemel.recipe import Recipe


@with_options(reading_flags, partial(recipe_flags, ("loss", "distance")))
def compare(
    data: Data,
    loss: Annotated[str, typer.Option(help="Losses to compare, such as contrastive,triplet,supcon.")] = "",
    distance: Annotated[str, typer.Option(help="Distances to compare.")] = "cosine,euclidean,manhattan,learned",
    recipe: Annotated[
        Optional[Path], typer.Option(dir_okay=False, help="A TOML file of recipe fields; flags win over it.")
    ] = None,
    as_json: AsJson = False,
    **more: Any,
) -> None:
    """Train several losses and distances for the same budget, and print one table with a winner.

    gemel compare faces/ --loss contrastive,triplet,supcon

    gemel compare faces/ --loss supcon --distance cosine,euclidean --steps 400
    """
    plan = (Recipe() if recipe is None else Recipe.read(recipe)).but(**choices(more))
    for name in ("torch", "lightning"):
        require(name, extra="train", purpose="train twins to compare them")
    from gemel.items import read
    from gemel.learn.compare import compare as compared

    found = compared(
        read(data, **reading(more)),
        plan,
        losses=_words(loss),
        distances=_words(distance),
        allow_bad=more["allow_bad"],
        say=note,
    )
    answer(found.table(), found.json(), as_json=as_json)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
