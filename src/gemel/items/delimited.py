"""CSV and TSV files, opened by their header and read column by column as text.

Everything stays text, so that an identity "001" does not become 1. Rows of the wrong length are skipped and
counted; cells that are not UTF-8 are read as Windows-1252 and counted.
"""

from __future__ import annotations

import codecs
import csv
import mmap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gemel.errors import DataError
from gemel.items.cells import arrow
from gemel.items.words import first, many

DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Delimited:
    """A CSV or TSV file.

    Attributes:
        path: where it is.
        names: its columns, in order; a repeated name gets a number.
        delimiter: what separates its cells.
        encoding: utf-8, or utf-16 when the file begins with that mark.
    """

    path: Path
    names: tuple[str, ...]
    delimiter: str
    encoding: str = "utf-8"
    notes: list[str] = field(default_factory=list)

    @classmethod
    def opened(cls, path: Path) -> Delimited:
        """Look at the first line. Raises DataError for an empty file."""
        with path.open("rb") as file:
            start = file.read(1 << 16)
        if not start.strip():
            raise DataError(f"{path} is empty; expected a table with a header line.")
        encoding = "utf-16" if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8"
        line = _decoded(start, encoding).lstrip("\ufeff").splitlines()[0]
        tabbed = path.suffix.lower() in (".tsv", ".tab")
        delimiter = "\t" if tabbed else max(DELIMITERS, key=line.count)
        names = next(csv.reader([line], delimiter=delimiter))
        return cls(path, _unique(name.strip() for name in names), delimiter, encoding)

    def pick(self, names: Sequence[str]) -> dict[str, Any]:
        """Some columns as Arrow strings; empty cells are null. Notes say what was skipped or repaired."""
        skipped: list[int] = []
        try:
            table = self._cells(names, skipped)
        except arrow().ArrowInvalid as error:
            if "Empty CSV" in str(error):
                raise DataError(f"{self.path} has a header line and no rows.") from None
            raise DataError(f"{self.path} cannot be read as a table: {str(error).splitlines()[0]}") from None
        if skipped:
            self.notes.append(
                f"{self.path.name}: {many(len(skipped), 'row')} skipped, with {sorted(set(skipped))[:5]} cells where "
                f"the header has {len(self.names)}."
            )
        return {name: self._text(table.column(name), name) for name in names}

    def _cells(self, names: Sequence[str], skipped: list[int]) -> Any:
        """The columns as bytes; the lengths of rows that do not fit are added to `skipped`."""
        binary, read = arrow().binary(), arrow("pyarrow.csv")

        def skip(row: Any) -> str:
            skipped.append(row.actual_columns)
            return "skip"

        return read.read_csv(
            self.path,
            read.ReadOptions(column_names=self.names, skip_rows=1, block_size=1 << 24, encoding=self.encoding),
            read.ParseOptions(delimiter=self.delimiter, newlines_in_values=self._quoted(), invalid_row_handler=skip),
            read.ConvertOptions(
                include_columns=list(names),
                column_types=dict.fromkeys(names, binary),
                strings_can_be_null=True,
                null_values=[""],
            ),
        )

    def _quoted(self) -> bool:
        """Whether there is any quote, so that a cell may run over several lines."""
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
            return whole.find(b'"') >= 0

    def _text(self, column: Any, name: str) -> Any:
        pa = arrow()
        try:
            return column.cast(pa.string())
        except pa.ArrowInvalid:
            cells = column.to_pylist()
        repaired, rows = [], []
        for row, cell in enumerate(cells):
            try:
                repaired.append(None if cell is None else cell.decode("utf-8"))
            except UnicodeDecodeError:
                repaired.append(cell.decode("cp1252", "replace"))
                rows.append(str(row + 1))
        self.notes.append(
            f"{self.path.name}: {many(len(rows), 'cell')} of column {name!r}, not UTF-8, read as "
            f"Windows-1252 (rows {first(rows)})."
        )
        return pa.chunked_array([pa.array(repaired, pa.string())])


def _decoded(start: bytes, encoding: str) -> str:
    try:
        return start.decode(encoding, "strict" if encoding == "utf-16" else "ignore")
    except UnicodeDecodeError:
        return start[: len(start) // 2 * 2 - 2].decode(encoding, "ignore")


def _unique(names: Any) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return tuple(out)
