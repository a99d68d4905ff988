"""Many series in one table: a row per series, a row per point, or a file of the UCR and UEA archives → a Collection.

Reads columns and says what was guessed; decodes no item.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import DataError
from gemel.items.cells import labels, numbers
from gemel.items.collection import Collection, Labels
from gemel.items.columns import Columns
from gemel.items.rows import known_of
from gemel.items.series_files import sheet
from gemel.items.series_form import STAMPS, Form
from gemel.items.sources import Lazy
from gemel.items.table import Table
from gemel.items.vocabulary import SPLITS
from gemel.items.words import many

if TYPE_CHECKING:
    from jaxtyping import Float, Int

LONG = 8
"""Rows that a series has at least, in the mean, where a table is taken for one row per point."""
WIDE = 8
"""Columns of numbers that a table has at least where it is taken for one row per series."""


class Stripped(Lazy):
    """The rows of a matrix without the missing values at their ends: series of one channel, filled up to one length."""

    def __init__(self, matrix: Float[np.ndarray, "n t"]) -> None:
        self.matrix = matrix

    def __len__(self) -> int:
        return len(self.matrix)

    def one(self, i: int) -> Float[np.ndarray, "t 1"]:
        row = self.matrix[i]
        there = np.flatnonzero(~np.isnan(row))
        return row[: there[-1] + 1 if len(there) else 0, None]


class Stretches(Lazy):
    """Series that stand below each other in one array."""

    def __init__(self, values: Float[np.ndarray, "m c"], starts: Int[np.ndarray, " n"]) -> None:
        self.values, self.starts = values, starts

    def __len__(self) -> int:
        return len(self.starts)

    def one(self, i: int) -> Float[np.ndarray, "t c"]:
        stop = self.starts[i + 1] if i + 1 < len(self.starts) else len(self.values)
        return self.values[self.starts[i] : stop]


def in_columns(table: Table, columns: Columns, form: Form, *, told: bool) -> Collection | None:
    """A table without a column of items, as a row per point where ids repeat, or as a row per series.

    Args:
        told: whether it was said that it holds series; otherwise None is returned where it does not look like them.

    Raises:
        DataError: it was said, and there are no columns of numbers.
    """
    used = set(columns.used().values())
    rest = [name for name in table.names if name not in used]
    cells = table.pick([*used, *rest])
    points = {name: values for name in form.channels or rest if (values := _numbers(cells, name, table)) is not None}
    key = columns.id or columns.group
    if key is not None and points and (told or len(points) == len(rest)):
        which = labels(cells[key])
        if len(which) >= (2 if told else LONG) * len(which.names):
            return _long(table, columns, cells, points, which, form)
    if not told and (len(points) < max(WIDE, len(rest)) or key is not None):
        return None
    if not points:
        raise DataError(f"{table.origin}: no column of numbers was found for series among {', '.join(table.names)}.")
    matrix = np.stack(list(points.values()), 1)
    note = f"{table.origin}: read as one series in a row, of {many(len(points), 'column')} {_ends(list(points))}."
    part = {role: cells[name] for role, name in columns.used().items()}
    form = form.but(channels=(), stamps="")
    return _collected(Stripped(matrix), part, columns, form, table.origin, [*table.notes, note])


def _long(
    table: Table, columns: Columns, cells: dict[str, Any], points: dict[str, Any], which: Labels, form: Form
) -> Collection:
    """One row per point."""
    stamps = form.stamps if form.stamps is not None else columns.time or _time(cells)
    time = None if not stamps else numbers(cells[stamps], called=stamps) if stamps in cells else None
    if stamps and time is None:
        raise DataError(f"{table.origin}: there is no column {stamps!r} of time stamps.")
    channels = {name: values for name, values in points.items() if name != stamps}
    known = np.flatnonzero(which.codes >= 0)
    order = known[np.lexsort((np.arange(len(known)) if time is None else time[known], which.codes[known]))]
    stack = [*channels.values(), *([] if time is None else [time])]
    values, codes = np.stack(stack, 1)[order], which.codes[order]
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    first = order[starts]
    notes = [
        f"{table.origin}: read as one point in a row: {many(len(starts), 'series')} of {', '.join(channels)}, in the "
        f"order of {repr(stamps) if stamps else 'the rows'}."
    ]
    if len(known) < len(which):
        notes.append(f"{table.origin}: {many(len(which) - len(known), 'row')} without an id left out.")
    part = {role: cells[name].take(first) for role, name in columns.used().items() if name != stamps}
    numbered = tuple(str(i + 1) for i in range(len(stack)))  # what columns of arrays are called
    form = form.but(channels=numbered[: len(channels)], stamps=numbered[-1] if stamps else "")
    return _collected(Stretches(values, starts), part, columns, form, table.origin, [*table.notes, *notes], stamps)


def archive(path: Path, form: Form) -> Collection:
    """A file of the UCR archive (a row per series without a header, its class first), or `.ts` of the UEA archive.

    Beside NAME_TRAIN stands NAME_TEST: reading one of them reads that one alone; reading their folder reads both.
    """
    series, names = _ts(path) if path.suffix.lower() == ".ts" else _rows(path)
    return _of_archive(series, names, [None] * len(names), form, str(path))


def archives(folder: Path, form: Form) -> Collection | None:
    """The train and the test file of an archive in a folder; None where it holds no such files."""
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in (".tsv", ".ts", ".txt", ".csv"))
    split = {file: SPLITS.get(file.stem.rpartition("_")[2].casefold()) for file in files}
    if len(files) < 2 or None in split.values() or len({file.suffix for file in files}) > 1:
        return None
    series, names, splits = list[Any](), list[str](), list[str | None]()
    for file in files:
        found = _ts(file) if file.suffix.lower() == ".ts" else _rows(file)
        series, names, splits = [*series, *found[0]], [*names, *found[1]], [*splits, *[split[file]] * len(found[1])]
    return _of_archive(series, names, splits, form, str(folder))


def is_archive(path: Path) -> bool:
    """Whether a file is one of an archive: `.ts`, or many numbers in its very first row."""
    if path.suffix.lower() == ".ts":
        return True
    with path.open("rb") as file:
        line = file.readline(1 << 20).decode("utf-8", "replace")
    try:
        found = sheet(line.encode(), str(path))
    except DataError:
        return False
    return found.values.size > WIDE


def _rows(path: Path) -> tuple[list[Any], list[str]]:
    found = sheet(path, str(path)).values
    if found.shape[1] < 3:
        raise DataError(f"{path}: expected several rows, each a class and then a series of at least two points.")
    classes = found[:, 0]
    if (classes != classes.round()).any():  # no classes, but values
        return list(Stripped(found)), [""] * len(found)
    return list(Stripped(found[:, 1:])), [f"{label:g}" for label in classes]


def _ts(path: Path) -> tuple[list[Any], list[str]]:
    """`.ts`: lines of "@" say what it is; then channels between ":", values between ",", and the class last."""
    lines = [line.strip() for line in path.read_text("utf-8", "replace").splitlines()]
    labelled = not any(line.casefold().replace(" ", "") == "@classlabelfalse" for line in lines)
    begin = next((i for i, line in enumerate(lines) if line.casefold() == "@data"), None)
    if begin is None:
        raise DataError(f"{path}: expected a line @data before the series, as files of the UEA archive have it.")
    series, names = [], []
    for row, line in enumerate(line for line in lines[begin + 1 :] if line):
        parts = line.split(":")
        channels = [_channel(part, path, row) for part in (parts[:-1] if labelled else parts)]
        if len({len(channel) for channel in channels}) != 1:
            raise DataError(f"{path}: the channels of series {row + 1} have different lengths.")
        series.append(np.stack(channels, 1))
        names.append(parts[-1].strip() if labelled else "")
    return series, names


def _channel(text: str, path: Path, row: int) -> Float[np.ndarray, " t"]:
    try:
        return np.array([np.nan if cell.strip() in ("?", "NaN", "") else float(cell) for cell in text.split(",")])
    except ValueError:
        raise DataError(f"{path}: series {row + 1} holds what is no number: {text[:60]!r}.") from None


def _of_archive(
    series: Sequence[Any], names: list[str], splits: list[str | None], form: Form, origin: str
) -> Collection:
    modality, notes = form.modality(series, origin)
    identity = Labels.of([name or None for name in names])
    whole = Collection(
        modality,
        series,
        np.arange(len(series)),
        identity=identity if any(names) else None,
        split=Labels.of(splits) if any(splits) else None,
        origin=origin,
        notes=(f"{origin}: read as series, {_classes(identity)}.", *notes),
    )
    return form.windowed(whole)


def _classes(identity: Labels) -> str:
    return f"the class first: {many(len(identity.names), 'class')}" if identity.names else "without classes"


def _collected(
    sources: Sequence[Any],
    part: dict[str, Any],
    columns: Columns,
    form: Form,
    origin: str,
    notes: Sequence[str],
    stamps: str = "",
) -> Collection:
    modality, said = form.modality(sources, origin, stamps)
    whole = Collection(modality, sources, np.arange(len(sources)), origin=origin, notes=(*notes, *said))
    return form.windowed(known_of(whole, part, columns))


def _numbers(cells: dict[str, Any], name: str, table: Table) -> Float[np.ndarray, " n"] | None:
    """A column as numbers, NaN where it is empty; None where it holds anything else."""
    if name not in cells:
        raise DataError(f"{table.origin}: there is no column {name!r}; there are {', '.join(table.names)}.")
    try:
        return numbers(cells[name], called=name)
    except DataError:
        return None


def _time(cells: dict[str, Any]) -> str:
    return next((name for name in cells if name.casefold() in STAMPS), "")


def _ends(names: list[str]) -> str:
    return f"{names[0]} to {names[-1]}"
