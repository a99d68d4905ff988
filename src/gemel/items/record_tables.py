"""A table whose rows are records: several columns make one item together. Reads columns, decodes no item."""

from __future__ import annotations

import os
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import DataError, RecipeError
from gemel.items.cells import arrow, is_text, text
from gemel.items.collection import Collection
from gemel.items.columns import Columns
from gemel.items.files import of_files
from gemel.items.modality import Modality
from gemel.items.record import RecordModality
from gemel.items.rows import known_of, looked_for, sources_of, spread
from gemel.items.series_form import Form
from gemel.items.sources import Cells, Lazy, Paths, Records, are_texts
from gemel.items.table import Table
from gemel.items.text import TextModality
from gemel.items.vector import VectorModality
from gemel.items.vocabulary import ENDINGS, SERIES, SOUNDS, TEXTS

if TYPE_CHECKING:
    from jaxtyping import Float

FILES = (*ENDINGS, *SOUNDS, *SERIES, *TEXTS)


def fields_of(words: str) -> dict[str, str]:
    """What `fields` says: name → column, or a pattern of columns.

    >>> fields_of("image=photos/{id}.jpg, title")
    {'image': 'photos/{id}.jpg', 'title': 'title'}
    """
    made: dict[str, str] = {}
    for word in filter(None, (word.strip() for word in words.split(","))):
        name, _, column = word.partition("=")
        if name.strip() in made:
            raise RecipeError(f"fields = {words!r} names {name.strip()!r} twice.")
        made[name.strip()] = column.strip() or name.strip()
    if len(made) < 2:
        raise RecipeError(f"fields = {words!r} must name two columns or more, such as image,title; for one, use item.")
    return made


def read_records(table: Table, columns: Columns, fields: Mapping[str, str], *, root: Path, form: Form) -> Collection:
    """Records of a table.

    Args:
        table: one record a row.
        columns: the column of each other role.
        fields: name of a field → its column, or a pattern such as `photos/{id}.jpg` that makes a path of columns.
        root: what relative paths are relative to.
        form: how series stand in their files.

    Raises:
        DataError: a column is not there, or the table has no rows.
    """
    named = {name: _columns(column, table) for name, column in fields.items()}
    other = columns.but(item=None).used()
    cells = table.pick(list(dict.fromkeys([*other.values(), *(word for words in named.values() for word in words)])))
    if not len(next(iter(cells.values()))):
        raise DataError(f"{table.origin} has no rows.")
    sources, modalities, notes = dict[str, Sequence[Any]](), dict[str, Modality](), list[str]()
    for name, column in fields.items():
        part = {word: cells[word] for word in named[name]}
        sources[name], modalities[name], said = _field(name, column, part, root, table.origin, form)
        notes += said
    kinds = ", ".join(f"{name} ({_kind(modality)})" for name, modality in modalities.items())
    n = len(next(iter(cells.values())))
    whole = Collection(
        modality=RecordModality(modalities),
        sources=Records(sources),
        rows=np.arange(n),
        origin=table.origin,
        notes=tuple(table.notes),
    )
    part = {role: cells[name] for role, name in other.items()}
    known = known_of(whole, part, columns)
    if not len(known.names):
        known = known.with_(names=[f"{table.origin} row {i}" for i in range(n)])
    return known.noted(f"{table.origin}: records of {kinds}.", *notes)


class Numbers(Lazy):
    """Numbers as vectors of one; None where there is none."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def one(self, i: int) -> list[float] | None:
        return [float(self.values[i])] if np.isfinite(self.values[i]) else None


class Patterned(Lazy):
    """A pattern filled in from columns; None where one of them is empty."""

    def __init__(self, pattern: str, columns: Mapping[str, Any]) -> None:
        self.pattern = pattern
        self.columns = {name: Cells(text(column)) for name, column in columns.items()}

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def one(self, i: int) -> str | None:
        words = {name: column[i] for name, column in self.columns.items()}
        return None if None in words.values() or "" in words.values() else self.pattern.format_map(words)


def _kind(modality: Modality) -> str:
    return "number" if isinstance(modality, VectorModality) and modality.scaled else modality.name


def _columns(column: str, table: Table) -> list[str]:
    """The columns that a field is made of."""
    try:
        inside = [name for _, name, _, _ in string.Formatter().parse(column) if name]
        column.format_map(dict.fromkeys(inside, "text"))
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise RecipeError(
            f"The pattern {column!r} cannot be read: {error}. What stands in braces is the name of a column, whose "
            "cells are texts: photos/{id}.jpg, or photos/{id:0>5}.jpg for 00017."
        ) from None
    names = inside or [column]
    for name in names:
        if name not in table.names:
            raise DataError(f"{table.origin}: there is no column {name!r}; there are {', '.join(table.names)}.")
    return names


def _field(
    name: str, column: str, cells: Mapping[str, Any], root: Path, origin: str, form: Form
) -> tuple[Sequence[Any], Modality, list[str]]:
    """What is decoded of a field, how, and what was guessed."""
    called = f"{origin}, {name}"
    if column not in cells:
        return _files(Paths(root, Patterned(column, cells)), called, form)
    values = cells[column]
    if (found := _numbers(values)) is not None:
        return Numbers(found), VectorModality(1, scaled=True), []
    if not is_text(values):
        return sources_of(values, root, called, None, None, form)
    words = Cells(text(values))
    if _are_files(words, root):
        return _files(Paths(root, words), called, form)
    return words, TextModality(), []


def _files(paths: Paths, called: str, form: Form) -> tuple[Sequence[Any], Modality, list[str]]:
    looked_for(paths, called)
    return of_files(paths, told=None, kind=None, form=form, origin=called)


def _are_files(words: Sequence[str | None], root: Path) -> bool:
    """Whether cells are paths: most end like files, or some exist."""
    some = [word for word in words[:: spread(len(words))] if word and len(os.fsencode(word)) < 256]
    if not some or are_texts(some, root):
        return False
    return 2 * sum(Path(word).suffix.lower() in FILES for word in some) > len(some) or any(
        (root / word).is_file() for word in some
    )


def _numbers(column: Any) -> Float[np.ndarray, " n"] | None:
    """A column of numbers, NaN where there is none; None for any other column."""
    if isinstance(column, list):
        return None
    pa, pc = arrow(), arrow("pyarrow.compute")
    if is_text(column):
        cells = pc.utf8_trim_whitespace(text(column).cast(pa.large_string()))
        column = pc.if_else(pc.equal(cells, ""), None, cells)
    elif pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
        return None
    try:
        values = np.asarray(column.cast(pa.float64()).to_numpy(), np.float64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return values if np.isfinite(values).any() else None
