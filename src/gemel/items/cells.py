"""Columns of a table as text, labels, numbers or vectors. Knows PyArrow arrays and lists of objects; no files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import DataError, require
from gemel.items.collection import UNKNOWN, Labels
from gemel.items.sources import Cells, Rows

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

MANY_NAMES = 1_000_000
"""Sets with more names than this stay in Arrow's memory instead of becoming Python strings."""


def arrow(module: str = "pyarrow") -> Any:
    """PyArrow, or a message that says how to install it."""
    return require(module, extra="tables", purpose="read tables")


def column(values: Any) -> Any:
    """Values as an Arrow column where Arrow can hold them, as a list of objects where it cannot."""
    pa = arrow()
    if isinstance(values, pa.ChunkedArray):
        return values
    if isinstance(values, pa.Array):
        return pa.chunked_array([values])
    if isinstance(values, np.ndarray) and values.ndim > 1:
        return list(values)
    try:
        made = pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return list(values)
    return made if isinstance(made, pa.ChunkedArray) else pa.chunked_array([made])


def is_text(column: Any) -> bool:
    """Whether a column holds strings."""
    if isinstance(column, list):
        return False
    types, kind = arrow().types, column.type
    kind = kind.value_type if types.is_dictionary(kind) else kind
    return bool(
        types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind) or types.is_null(kind)
    )


def text(column: Any) -> Any:
    """A column as Arrow strings; whole numbers without a decimal point, missing values as null."""
    pa, pc = arrow(), arrow("pyarrow.compute")
    if isinstance(column, list):
        return pa.chunked_array([pa.array([None if v is None or v != v else str(v) for v in column], pa.string())])
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
        whole = pc.all(pc.equal(pc.floor(column), column)).as_py()
        column = column.cast(pa.int64()) if whole else column
    return column if is_text(column) and not pa.types.is_null(column.type) else column.cast(pa.string())


def labels(column: Any) -> Labels:
    """A column as codes; missing values and empty strings are UNKNOWN."""
    return together([column])[0]


def together(columns: Sequence[Any]) -> list[Labels]:
    """Several columns as codes out of one set of names."""
    pa = arrow()
    chunks = [chunk.cast(pa.large_string()) for c in columns for chunk in text(c).chunks]
    joined = pa.chunked_array(chunks, pa.large_string()).dictionary_encode()
    if not joined.num_chunks:
        return [Labels(np.zeros(0, np.int64), []) for _ in columns]
    names = joined.chunk(0).dictionary
    codes = np.concatenate([_codes(chunk) for chunk in joined.chunks])
    if (empty := names.index("").as_py()) >= 0:
        codes[codes == empty] = UNKNOWN
    shared = names.to_pylist() if len(names) <= MANY_NAMES else Cells(names)
    edges = np.cumsum([len(c) for c in columns])[:-1]
    return [Labels(part, shared) for part in np.split(codes, edges)]


def _codes(chunk: Any) -> Int[np.ndarray, " n"]:
    return chunk.indices.fill_null(UNKNOWN).to_numpy(zero_copy_only=False).astype(np.int64)


def places(wanted: Any, names: Any) -> Int[np.ndarray, " n"]:
    """Where each text stands among the names, the first of equal ones; UNKNOWN where it does not."""
    pa, pc = arrow(), arrow("pyarrow.compute")
    known = pa.chunked_array(text(names).cast(pa.large_string()).chunks, pa.large_string()).combine_chunks()
    found = pc.index_in(text(wanted).cast(pa.large_string()), value_set=known, skip_nulls=True)
    return found.fill_null(UNKNOWN).to_numpy().astype(np.int64)


def numbers(column: Any, *, called: str) -> Float[np.ndarray, " n"]:
    """A column as float64; dates become seconds since 1970, missing values NaN.

    Raises:
        DataError: a value is neither a number nor a date.
    """
    pa = arrow()
    if isinstance(column, list):
        column = pa.chunked_array([pa.array(column)])
    if pa.types.is_temporal(column.type):
        return _seconds(column)
    try:
        return np.asarray(column.cast(pa.float64()).to_numpy(), np.float64)
    except pa.ArrowInvalid:
        pass
    try:
        return _seconds(column.cast(pa.timestamp("us")))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"Column {called!r} must hold numbers or dates: {str(error).splitlines()[0]}") from None


def _seconds(column: Any) -> Float[np.ndarray, " n"]:
    pa = arrow()
    moments = column.cast(pa.timestamp("us"))
    whole = np.asarray(moments.cast(pa.int64()).to_numpy(), np.float64)
    return whole / 1e6


def nested(column: Any) -> bool:
    """Whether a column holds lists of lists."""
    types = arrow().types
    lists = types.is_list, types.is_large_list, types.is_fixed_size_list
    kind = None if isinstance(column, list) else column.type
    return kind is not None and any(is_(kind) and any(also(kind.value_type) for also in lists) for is_ in lists)


def vectors(column: Any) -> tuple[Sequence[Any], int] | None:
    """Rows of a column of lists of numbers, and their usual length; None for any other column."""
    if isinstance(column, list):
        shape = np.shape(column[0]) if column else ()
        return (column, int(shape[0])) if len(shape) == 1 and shape[0] else None
    pa, pc = arrow(), arrow("pyarrow.compute")
    types = pa.types
    if not (types.is_list(column.type) or types.is_large_list(column.type) or types.is_fixed_size_list(column.type)):
        return None
    if nested(column):
        return None
    lengths = pc.list_value_length(column).drop_null()
    if not len(lengths):
        return None
    dim = int(pc.mode(lengths)[0].as_py()["mode"])
    ragged = len(lengths) < len(column) or not pc.all(pc.equal(lengths, dim)).as_py()
    return (Cells(column), dim) if ragged else (Rows(_matrix(column, dim)), dim)


def _matrix(column: Any, dim: int) -> Float[np.ndarray, "n d"]:
    parts = [np.asarray(chunk.flatten().to_numpy(zero_copy_only=False), np.float32) for chunk in column.chunks]
    return np.concatenate(parts).reshape(-1, dim)


def joined(columns: dict[str, Any]) -> Any:
    """Several columns as one text a row, each behind its name: "[title] Lamp [price] 12"; empty cells are left out."""
    pa, pc = arrow(), arrow("pyarrow.compute")
    kind, parts = pa.large_string(), []
    for name, values in columns.items():
        cells = pc.utf8_trim_whitespace(text(values).cast(kind))
        marked = pc.binary_join_element_wise(
            pa.scalar(f"[{name}]", kind), cells, pa.scalar("", kind), pa.scalar(" ", kind)
        )
        parts.append(pc.fill_null(pc.if_else(pc.equal(cells, ""), None, marked), ""))
    whole = pc.utf8_trim_whitespace(pc.binary_join_element_wise(*parts, pa.scalar("", kind)))
    return pc.if_else(pc.equal(whole, ""), None, whole)


def yes_or_no(column: Any, *, called: str) -> Bool[np.ndarray, " n"]:
    """A column that says same (1, true, yes, same …) or different (0, false, no, different …).

    Raises:
        DataError: another value, with the first few of them.
    """
    from gemel.items.vocabulary import FALSE, TRUE

    given = labels(column)
    meaning = np.array([_meaning(str(name).strip().casefold(), TRUE, FALSE) for name in given.names] or [-1])
    value = np.where(given.codes >= 0, meaning[given.codes], -1)
    if (value < 0).any():
        odd = sorted({str(given.value(int(i))) for i in np.flatnonzero(value < 0)[:1000]})
        raise DataError(
            f"Column {called!r} must say same or different with 1 and 0, true and false or yes and no; it also "
            f"holds {', '.join(odd[:5])}. If it grades how similar, name it with score={called!r}."
        )
    return value == 1


def _meaning(word: str, true: frozenset[str], false: frozenset[str]) -> int:
    return 1 if word in true else 0 if word in false else -1
