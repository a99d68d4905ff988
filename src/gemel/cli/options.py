"""Options that several commands share, and the flags that a recipe's fields become.

A command takes them as `**more`; `with_options` spells them out in its signature, where Typer finds them.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal, Optional

import typer

from gemel.items.vocabulary import KINDS
from gemel.recipe import CHOICES, described

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of words.")]
Model = Annotated[str, typer.Argument(help="A model folder, as `gemel train --out` wrote it.", metavar="MODEL")]
Data = Annotated[
    str,
    typer.Argument(
        help="A folder with a folder per identity; a table (CSV, TSV, Parquet, JSONL) of items, pairs or triplets; "
        "a file of series, a row each; an .npz file of vectors.",
        metavar="DATA",
    ),
]
GalleryFile = Annotated[
    str,
    typer.Argument(help="A gallery: a file, such as people.db, or postgresql://USER@HOST/DATABASE.", metavar="GALLERY"),
]
Probe = Annotated[str, typer.Argument(help="One file, or one text.", metavar="ITEM")]
Threads = Annotated[Optional[int], typer.Option(min=1, help="Threads of the encoder; all cores when not given.")]
Dim = Annotated[
    Optional[int], typer.Option(min=1, help="Use so many first dimensions, as trained with --prefixes.", metavar="DIM")
]
Refs = Annotated[
    Optional[int],
    typer.Option(min=2, help="Compare items with so many references of one identity, such as 5.", metavar="K"),
]
Branch = Annotated[
    Optional[str], typer.Option(help="Of a model of two branches: all items are of this one.", metavar="FIELD")
]

READING: dict[str, tuple[Any, Any, str]] = {
    "kind": (Optional[Literal[KINDS]], None, f"What items are, where that is not found: {', '.join(KINDS)}."),
    "grouped": (bool, False, "The first level of the folder holds groups: GROUP/IDENTITY/FILE."),
    "impostors": (
        Optional[str],
        None,
        "Ending of folders that hold forgeries of an identity, such as _forg, or '' for none; looked for unless given.",
    ),
    "pairs": (Optional[str], None, "A table of pairs or triplets that name items of DATA by id or path."),
    "root": (Optional[str], None, "Folder that paths in tables are relative to; the table's own unless given."),
    "item": (Optional[str], None, "Column that holds the item: a picture's path, a text, or a vector."),
    "text": (Optional[str], None, "Column that holds the item's text, or several of them, such as title,body."),
    "series": (Optional[str], None, "Column that holds the item's series: a file's path, or a list of numbers."),
    "names": (
        Optional[str],
        None,
        "What names of files say, without their ending, such as {identity}_{group}_{}; other words are passed over.",
    ),
    "fields": (
        Optional[str],
        None,
        "Columns that make an item together, such as image,title,price; photo=images/{id}.jpg makes a path.",
    ),
    "channels": (Optional[str], None, "Columns that make a series, by name or number from 1, such as x,y,pressure."),
    "stamps": (Optional[str], None, "Column that says when a point of a series was taken."),
    "rate": (
        Optional[float],
        None,
        "Points in one unit of time of stamped series; samples in a second of sounds.",
    ),
    "missing": (Optional[Literal["interpolate", "refuse"]], None, "Missing values: interpolate, or refuse the item."),
    "window": (Optional[int], None, "Cut series into items of so many points; a recording becomes their group."),
    "hop": (Optional[int], None, "Points from one window to the next; as many as a window has unless given."),
    "id": (Optional[str], None, "Column that holds the item's id."),
    "identity": (Optional[str], None, "Column that holds the identity."),
    "group": (Optional[str], None, "Column that holds the group."),
    "split": (Optional[str], None, "Column that says train, stop, calibrate or test."),
    "time": (Optional[str], None, "Column that holds when the item was made."),
    "impostor_of": (Optional[str], None, "Column that holds the identity an item pretends to be."),
    "duplicate_of": (Optional[str], None, "Column that holds the id of an item that is the same."),
    "a": (Optional[str], None, "Column of pairs that holds one side: a path or an id."),
    "b": (Optional[str], None, "Column of pairs that holds the other side."),
    "same": (Optional[str], None, "Column of pairs that says whether they are the same."),
    "score": (Optional[str], None, "Column of pairs that says how similar they are."),
    "scores": (Optional[tuple[float, float]], None, "Lowest and highest possible score, such as 0 5."),
    "anchor": (Optional[str], None, "Column of triplets that holds the item that the others are compared with."),
    "positive": (Optional[str], None, "Column of triplets that holds an item that is the same."),
    "negative": (Optional[str], None, "Column of triplets that holds an item that is different."),
    "allow_bad": (float, 0.01, "Share of items that may be unreadable."),
}
"""How DATA is read: name → type, default, help. Passed on to `gemel.read`, `allow_bad` excepted."""
ALSO = {"item": "--image"}
"""A second name that a flag goes by."""
LIMITS: dict[str, dict[str, Any]] = {
    "allow_bad": {"min": 0, "max": 1, "metavar": "<float>"},
    "kind": {"metavar": "<name>"},
    "missing": {"metavar": "<name>"},
}
"""What a flag's number may be."""
RECIPE = "Recipe: where no default is shown, chosen from the data unless given"


def _flag(name: str, kind: Any, default: Any, text: str, **looks: Any) -> inspect.Parameter:
    dashed = name.replace("_", "-")
    names = (
        [f"--{dashed}/--no-{dashed}"] if kind in (bool, Optional[bool]) and default is not False else [f"--{dashed}"]
    )
    if name in ALSO:
        names.append(ALSO[name])
    option = typer.Option(*names, help=text, **looks)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])


def reading_flags() -> list[inspect.Parameter]:
    """A flag for everything that `gemel.read` may need to be told."""
    panel = "How DATA is read"
    return [_flag(name, *spec, rich_help_panel=panel, **LIMITS.get(name, {})) for name, spec in READING.items()]


def recipe_flags(without: tuple[str, ...] = ()) -> list[inspect.Parameter]:
    """A flag for every field of the recipe; not given means: from the recipe file, or chosen from the data."""
    flags = []
    for name, (kind, default, text) in described().items():
        if name in without:
            continue
        allowed = CHOICES.get(name)
        typed: Any = Literal[allowed] if allowed else kind
        metavar = "<name>" if allowed else None  # the names stand in the text, where there is room for them
        shown = _shown(text, default, allowed or ())
        flags.append(_flag(name, Optional[typed], None, shown, metavar=metavar, rich_help_panel=RECIPE))
    return flags


def _shown(text: str, default: Any, allowed: tuple[str, ...]) -> str:
    names = "" if all(name in text for name in allowed) else f": {', '.join(allowed)}"
    plain = {True: "yes", False: "no"}[default] if isinstance(default, bool) else default
    return text + names + ("" if default is None else f" (default: {plain})")


def with_options(*groups: Callable[[], list[inspect.Parameter]]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Spell out the `**more` of a command as the flags of the given groups."""

    def spell(command: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        flags = [flag for group in groups for flag in group()]

        def wrapper(**given: Any) -> Any:
            return command(**given)

        functools.update_wrapper(wrapper, command)
        del wrapper.__wrapped__  # type: ignore[attr-defined]
        parameters = [*(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own), *flags]
        wrapper.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
        return wrapper

    return spell


def reading(more: dict[str, Any]) -> dict[str, Any]:
    """The options that `gemel.read` takes, as far as they were given."""
    return {n: more[n] for n in READING if n != "allow_bad" and more.get(n) not in (None, False)}


def choices(more: dict[str, Any]) -> dict[str, Any]:
    """The fields of the recipe that were given."""
    return {n: more[n] for n in described() if more.get(n) is not None}
