"""One verb for every source: a folder, a table, pairs, arrays → a Collection. Decodes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gemel.errors import DataError
from gemel.items.arrays import read_arrays, read_numpy
from gemel.items.collection import Collection
from gemel.items.columns import Columns, found
from gemel.items.folder import read_folder
from gemel.items.links import collected, linked, read_links
from gemel.items.modality import Modality
from gemel.items.rows import read_rows
from gemel.items.table import FILES, is_table, open_table
from gemel.items.text import TextModality
from gemel.items.vocabulary import ENDINGS


def read(
    source: Any,
    *,
    labels: Any | None = None,
    pairs: Any | None = None,
    root: str | Path | None = None,
    grouped: bool = False,
    impostors: str = "",
    scores: tuple[float | int, float | int] | None = None,
    modality: Modality | None = None,
    **columns: Any,
) -> Collection:
    """Items and what is known of them; nothing is decoded yet.

    Args:
        source: one of
            a folder, with a folder per identity (below splits, or groups with `grouped`);
            a table: CSV, TSV, Parquet, JSONL or Arrow file, pandas DataFrame, Arrow table, Hugging Face dataset,
            dict of columns; its rows are items, pairs (columns a, b, and same or score) or triplets (anchor,
            positive, negative);
            an array [n, d] of vectors, [n, h, w] or [n, h, w, c] of images, an `.npz` file, a list of paths.
        labels: one identity per item, for arrays and lists.
        pairs: a table or list of pairs, or a table of triplets, that name items of `source` by id or path.
        root: what relative paths in tables and lists are relative to; the table's own folder otherwise.
        grouped: a folder has groups above its identities.
        impostors: ending of folders that hold imitations of the identity before it, such as "_forg".
        scores: lowest and highest possible score of graded pairs.
        modality: how items are decoded; images at 64 × 64, texts, or vectors, when left out.
        columns: the column for a role, when its name is not a common one: item, image or text ("title,body" makes one
            text of two columns, each behind its name), identity, group, split,
            time, id, impostor_of, duplicate_of, a, b, same, score, anchor, positive, negative.

    Raises:
        DataError: there is nothing to read, or not in this form; says what was expected.
        MissingExtra: PyArrow, which tables need, is not installed.
    """
    texts = tuple(word.strip() for word in (columns.get("text") or "").split(",") if word.strip())
    if texts:
        columns, modality = columns | {"text": texts[0]}, modality or TextModality()
    given = Columns.given(**columns)
    base = None if root is None else Path(root)
    if pairs is not None:
        of_pairs = given.only("a", "b", "same", "score", "anchor", "positive", "negative")
        rest: dict[str, Any] = {role: name for role, name in given.used().items() if role not in of_pairs.used()}
        items = read(source, labels=labels, root=root, grouped=grouped, impostors=impostors, modality=modality, **rest)
        return _paired(items, pairs, of_pairs, scores)
    if isinstance(source, str | Path):
        return _path(Path(source), labels, base, grouped, impostors, scores, modality, given, texts)
    if is_table(source):
        return _table(source, base, scores, modality, given, texts)
    if isinstance(source, tuple) and len(source) == 2 and labels is None and hasattr(source[0], "__len__"):
        return read_arrays(source[0], source[1], modality=modality, root=base)
    if hasattr(source, "__len__") and hasattr(source, "__getitem__"):
        return read_arrays(source, labels, modality=modality, root=base)
    raise DataError(f"A {type(source).__name__} cannot be read. Expected a folder, a table, an array or a list.")


def _path(
    path: Path,
    labels: Any | None,
    root: Path | None,
    grouped: bool,
    impostors: str,
    scores: tuple[float | int, float | int] | None,
    modality: Modality | None,
    given: Columns,
    texts: Sequence[str],
) -> Collection:
    if not path.exists():
        raise DataError(f"There is no file or folder {path}; check the path.")
    if path.is_dir():
        return read_folder(path, modality, grouped=grouped, impostors=impostors)
    ending = path.suffix.lower()
    if ending in (".npy", ".npz"):
        return read_numpy(path, labels, modality=modality)
    if ending not in FILES:
        raise DataError(f"{path} {_what_it_is(ending)} Expected a folder, or a table: {', '.join(FILES)} or .npz.")
    return _table(path, root, scores, modality, given, texts)


def _what_it_is(ending: str) -> str:
    if ending in ENDINGS:
        return "is one image, not a collection of them."
    if ending in (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"):
        return "is an archive; unpack it first."
    return "is a file of another kind."


def _table(
    source: Any,
    root: Path | None,
    scores: tuple[float | int, float | int] | None,
    modality: Modality | None,
    given: Columns,
    texts: Sequence[str],
) -> Collection:
    table = open_table(source)
    columns, kind, guesses = found(table.names, given, origin=table.origin)
    base = table.folder if root is None else root
    if kind == "items":
        return read_rows(table, columns, root=base, modality=modality, texts=texts).noted(*guesses)
    links = read_links(table, columns, kind, scores)
    return collected(links, root=base, modality=modality).noted(*guesses)


def _paired(
    items: Collection, pairs: Any, given: Columns, scores: tuple[float | int, float | int] | None
) -> Collection:
    if isinstance(pairs, list):
        wide = len(pairs[0]) if pairs else 0
        if wide not in (2, 3) or any(len(row) != wide for row in pairs):
            raise DataError("Pairs in a list must be (a, b) or (a, b, same), all alike.")
        pairs = dict(zip(("a", "b", "same")[:wide], map(list, zip(*pairs, strict=True)), strict=True))
    table = open_table(pairs)
    columns, kind, guesses = found(table.names, given, origin=table.origin)
    if kind == "items":
        raise DataError(
            f"{table.origin}: no columns of pairs were found among {', '.join(table.names)}. Expected a, b and same "
            "or score, or anchor, positive and negative; other names are given as a='…', b='…', same='…'."
        )
    return linked(items, read_links(table, columns, kind, scores)).noted(*guesses)
