"""One series in one file: a table of numbers in text, or a NumPy array → its values and the names of its columns.

Header lines and what separates the cells are found by looking. Knows no modality.
"""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import UnreadableItem
from gemel.items.words import first

if TYPE_CHECKING:
    from jaxtyping import Float

EMPTY = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "?"})
"""Cells that stand for a missing value, in lower case."""

LOOKED_AT = 30
"""Lines in which the table must begin."""


@dataclass(frozen=True)
class Sheet:
    """A table of numbers.

    Attributes:
        values: float64 [rows, columns], so that time stamps stay exact; NaN where a value is missing.
        names: of the columns; "1", "2", … where the file has none.
    """

    values: Float[np.ndarray, "t k"]
    names: tuple[str, ...]


def sheet(source: str | Path | bytes, called: str) -> Sheet:
    """The table in a file, or in the bytes of one.

    Args:
        source: text of any common form (CSV, TSV, columns between spaces; decimal commas between semicolons), or a
            `.npy` file of [time] or [time, channels].
        called: what it is called in messages.

    Raises:
        UnreadableItem: there is no such file, or no table of numbers in it.
    """
    if not isinstance(source, bytes):
        try:
            source = Path(source).read_bytes()
        except OSError as error:
            raise UnreadableItem(called, error.strerror or "cannot be read") from None
    if source[:6] == b"\x93NUMPY":
        try:
            _refuse_more_than_there_is(source)
            return of_array(np.load(io.BytesIO(source), allow_pickle=False), called)
        except UnreadableItem:
            raise
        except Exception:  # NumPy reads the header as Python, of which anything may come
            raise UnreadableItem(called, "is a damaged NumPy file") from None
    if b"\0" in source[:1024]:
        raise UnreadableItem(called, "holds no text and no NumPy array; expected a table of numbers")
    return _written(source.decode("utf-8-sig", "replace"), called)


def _refuse_more_than_there_is(npy: bytes) -> None:
    """Raises ValueError where a header claims more numbers than follow, which NumPy would make room for."""
    file = io.BytesIO(npy)
    version = np.lib.format.read_magic(file)
    head = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = head(file)
    if math.prod(shape) * dtype.itemsize > len(npy):
        raise ValueError(f"a header of shape {shape}")


def of_array(values: Any, called: str) -> Sheet:
    """An array or list [time] or [time, channels]. Raises UnreadableItem for another shape or other values."""
    try:
        array = np.array(values, np.float64)
    except (ValueError, TypeError):
        raise UnreadableItem(called, "is not an array of numbers") from None
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or not array.size:
        raise UnreadableItem(called, f"has shape {list(array.shape)} where [time, channels] is expected")
    if np.isinf(array).any():
        raise UnreadableItem(called, "holds an infinity")
    return Sheet(array, _numbered(array.shape[1]))


def _numbered(columns: int) -> tuple[str, ...]:
    return tuple(str(i + 1) for i in range(columns))


def _written(text: str, called: str) -> Sheet:
    """A table in text. A single row is one channel, for a series goes down its columns."""
    lines = [line.strip("\r ") for line in text.splitlines() if line.strip()]
    if not lines:
        raise UnreadableItem(called, "is empty")
    (mark, _), *_ = Counter(map(_separator, lines[:LOOKED_AT])).most_common()
    commas = mark == ";" and not any("." in line for line in lines[-20:])
    rows = [_cells(line.replace(",", ".") if commas else line, mark) for line in lines[:LOOKED_AT]]
    begin = _begin(rows)
    if begin is None:
        raise UnreadableItem(called, f"holds no table of numbers, but {lines[0][:20]!r}")
    width = len(rows[begin])
    named = begin > 0 and len(rows[begin - 1]) == width
    body = [line.replace(",", ".") for line in lines[begin:]] if commas else lines[begin:]
    values = _values(body, mark, width, called)
    if len(values) == 1 and width > 1:
        return of_array(values.T, called)
    found = of_array(values, called)
    return Sheet(found.values, tuple(cell.strip().strip("\"'") for cell in rows[begin - 1])) if named else found


def _separator(line: str) -> str | None:
    """Semicolon, tab or comma; None: spaces."""
    return next((mark for mark in ";\t," if mark in line), None)


def _cells(line: str, mark: str | None) -> list[str]:
    return line.split(mark)


def _begin(rows: Sequence[list[str]]) -> int | None:
    """The first row of numbers whose next row is as long; a count before the table, as some recorders write, is not
    as long."""
    for place, row in enumerate(rows):
        beside = rows[place + 1] if place + 1 < len(rows) else rows[place - 1]  # the last one has a header before it
        if len(row) == len(beside) and any(map(_is_number, row)) and all(map(_may_be, row)):
            return place
    return None


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def _may_be(cell: str) -> bool:
    return cell.strip().casefold() in EMPTY or _is_number(cell)


def _values(lines: list[str], mark: str | None, width: int, called: str) -> Float[np.ndarray, "t k"]:
    try:
        return np.loadtxt(lines, np.float64, delimiter=mark, comments=None, ndmin=2)
    except ValueError:
        pass  # a missing value, or a row of another length
    rows = [_cells(line, mark) for line in lines]
    for place, row in enumerate(rows):
        if len(row) != width:
            raise UnreadableItem(called, f"has {len(row)} cells in row {place + 1} where {width} are expected")
        if odd := [cell for cell in row if not _may_be(cell)]:
            raise UnreadableItem(called, f"holds {first(odd, 1)!r} in row {place + 1} where numbers are expected")
    return np.array([[float(cell) if _is_number(cell) else np.nan for cell in row] for row in rows])
