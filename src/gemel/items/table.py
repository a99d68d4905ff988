"""Any table as named columns: files, pandas, Arrow, Hugging Face datasets, dictionaries of lists.

Names are known at once, cells are read for the columns that are asked for. Must not know what columns mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gemel.errors import DataError
from gemel.items.cells import arrow, column
from gemel.items.delimited import Delimited

DELIMITED = (".csv", ".tsv", ".tab", ".txt")
LINES = (".jsonl", ".ndjson")
PARQUET = (".parquet", ".pq")
FEATHER = (".feather", ".arrow", ".ipc")
FILES = (*DELIMITED, *PARQUET, *LINES, *FEATHER)


@dataclass(frozen=True)
class Table:
    """Named columns.

    Attributes:
        names: of the columns, in order.
        pick: names → columns: Arrow chunked arrays, or lists of objects that Arrow cannot hold.
        folder: what relative paths in it are relative to.
        origin: what it is called in messages.
        notes: what reading had to say; grows when columns are picked.
    """

    names: tuple[str, ...]
    pick: Callable[[Sequence[str]], dict[str, Any]]
    folder: Path
    origin: str
    notes: list[str] = field(default_factory=list)


def is_table(source: Any) -> bool:
    """Whether `open_table` takes this value (files are recognised by their ending)."""
    if isinstance(source, str | Path):
        return Path(source).suffix.lower() in FILES
    return isinstance(source, Mapping) or hasattr(source, "column_names") or hasattr(source, "columns")


def open_table(source: Any) -> Table:
    """A table from a file's path, a pandas DataFrame, an Arrow table, a Hugging Face dataset or a dict of columns.

    Raises:
        DataError: no such file, a file of another kind, an empty or damaged one.
        MissingExtra: PyArrow is not installed.
    """
    if isinstance(source, str | Path):
        return _file(Path(source))
    if isinstance(source, Mapping):
        return _dataset_dict(source) if _all_datasets(source) else _columns(dict(source), "columns")
    if hasattr(source, "with_format"):
        return _dataset(source)
    if hasattr(source, "column_names"):
        return _columns(dict(zip(source.column_names, source.columns, strict=True)), "Arrow table")
    frame = {str(name): source[name] for name in source.columns}
    return _columns(frame, "DataFrame")


def _file(path: Path) -> Table:
    if not path.exists():
        raise DataError(f"There is no file {path}; check the path.")
    ending = path.suffix.lower()
    if ending in DELIMITED:
        lines = Delimited.opened(path)
        return Table(lines.names, lines.pick, path.parent, str(path), lines.notes)
    opener = _parquet if ending in PARQUET else _lines if ending in LINES else _feather
    arrow()
    try:
        return opener(path)
    except (arrow().ArrowInvalid, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} cannot be read as a {ending[1:]} table: {reason}") from None


def _parquet(path: Path) -> Table:
    parquet = arrow("pyarrow.parquet")
    names = tuple(parquet.read_schema(path).names)

    def pick(wanted: Sequence[str]) -> dict[str, Any]:
        table = parquet.read_table(path, columns=list(wanted), memory_map=True)
        return {name: table.column(name) for name in wanted}

    return Table(names, pick, path.parent, str(path))


def _lines(path: Path) -> Table:
    return _of_arrow(arrow("pyarrow.json").read_json(path), path)


def _feather(path: Path) -> Table:
    return _of_arrow(arrow("pyarrow.feather").read_table(path, memory_map=True), path)


def _of_arrow(table: Any, path: Path) -> Table:
    return _columns(dict(zip(table.column_names, table.columns, strict=True)), str(path), path.parent)


def _columns(columns: dict[str, Any], origin: str, folder: Path | None = None) -> Table:
    def pick(wanted: Sequence[str]) -> dict[str, Any]:
        return {name: column(columns[name]) for name in wanted}

    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"{origin}: columns of different lengths: {lengths}.")
    return Table(tuple(columns), pick, folder or Path(), origin)


def _dataset(dataset: Any) -> Table:
    """A Hugging Face dataset: its raw Arrow cells, with class labels by their names."""

    def pick(wanted: Sequence[str]) -> dict[str, Any]:
        table = dataset.select_columns(list(wanted)).with_format("arrow")[:]
        return {name: _named(table.column(name), dataset.features[name]) for name in wanted}

    return Table(tuple(dataset.column_names), pick, Path(), "dataset")


def _named(cells: Any, feature: Any) -> Any:
    """Class labels as their names; other features as they are."""
    names = getattr(feature, "names", None)
    if names is None:
        return cells
    pa = arrow()
    codes = arrow("pyarrow.compute").if_else(arrow("pyarrow.compute").less(cells, 0), None, cells)
    return pa.chunked_array([pa.array(names).take(chunk.cast(pa.int64())) for chunk in codes.chunks], pa.string())


def _all_datasets(source: Mapping[Any, Any]) -> bool:
    return bool(source) and all(hasattr(part, "with_format") for part in source.values())


def _dataset_dict(parts: Mapping[str, Any]) -> Table:
    """Several splits of a Hugging Face dataset as one table with a column `split`."""
    tables = {name: _dataset(part) for name, part in parts.items()}
    names = next(iter(tables.values())).names
    pa = arrow()

    def pick(wanted: Sequence[str]) -> dict[str, Any]:
        own = [name for name in wanted if name != "split"]
        picked = {split: table.pick(own or names[:1]) for split, table in tables.items()}
        columns = {name: _joined([cells[name] for cells in picked.values()]) for name in own}
        sizes = {split: len(next(iter(cells.values()))) for split, cells in picked.items()}
        columns["split"] = pa.chunked_array([pa.array([split] * n, pa.string()) for split, n in sizes.items()])
        return columns

    return Table((*(n for n in names if n != "split"), "split"), pick, Path(), "dataset")


def _joined(columns: Sequence[Any]) -> Any:
    return arrow().chunked_array([chunk for cells in columns for chunk in cells.chunks])
