"""One verb for every source: a folder, a table, pairs, arrays → a Collection. Decodes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gemel.errors import DataError, RecipeError
from gemel.items.arrays import read_arrays, read_numpy
from gemel.items.collection import Collection
from gemel.items.columns import Columns, found
from gemel.items.folder import read_folder
from gemel.items.image import ImageModality
from gemel.items.links import collected, linked, read_links
from gemel.items.modality import Modality
from gemel.items.named import read_named
from gemel.items.record_tables import fields_of, read_records
from gemel.items.rows import read_rows
from gemel.items.series_form import Form
from gemel.items.series_tables import archive, archives, in_columns, is_archive
from gemel.items.table import DELIMITED, FILES, is_table, open_table
from gemel.items.text import TextModality
from gemel.items.vocabulary import ENDINGS, KINDS

Scale = tuple[float | int, float | int]
"""Lowest and highest possible score."""


@dataclass(frozen=True)
class _Told:
    """What reading was told beside the source; see `read`."""

    root: Path | None
    grouped: bool
    impostors: str | None
    scores: Scale | None
    modality: Modality | None
    kind: str | None
    form: Form
    columns: Columns
    texts: Sequence[str]
    fields: Mapping[str, str]
    names: str


def read(
    source: Any,
    *,
    labels: Any | None = None,
    pairs: Any | None = None,
    root: str | Path | None = None,
    grouped: bool = False,
    impostors: str | None = None,
    scores: Scale | None = None,
    modality: Modality | None = None,
    kind: str | None = None,
    channels: str = "",
    stamps: str | None = None,
    rate: float | None = None,
    missing: str = "interpolate",
    window: int | None = None,
    hop: int | None = None,
    fields: str = "",
    names: str = "",
    **columns: Any,
) -> Collection:
    """Items and what is known of them; nothing is decoded yet.

    Args:
        source: one of
            a folder, with a folder per identity (below splits, or groups with `grouped`), or with the train and the
            test file of an archive of series;
            a table: CSV, TSV, Parquet, JSONL or Arrow file, pandas DataFrame, Arrow table, Hugging Face dataset,
            dict of columns; its rows are items, pairs (columns a, b, and same or score), triplets (anchor,
            positive, negative), or points of series;
            an array [n, d] of vectors, [n, h, w] or [n, h, w, c] of images, [n, t, c] of series, an `.npz` file, a
            list of paths or of arrays [t, c].
        labels: one identity per item, for arrays and lists.
        pairs: a table or list of pairs, or a table of triplets, that name items of `source` by id or path.
        root: what relative paths in tables and lists are relative to; the table's own folder otherwise.
        grouped: a folder has groups above its identities.
        impostors: ending of folders that hold imitations of the identity before it, such as "_forg"; "" where there
            are none. Looked for by name.
        scores: lowest and highest possible score of graded pairs.
        modality: how items are decoded; found by looking, when left out.
        kind: what items are, where that is not found: image, text, series, audio or vector.
        channels: the columns that make a series, by name or by number from 1, such as "x,y,pressure"; all of them
            otherwise.
        stamps: the column that says when a point of a series was taken; "" where there is none. Looked for by name.
        rate: points in one unit of time, to which series with time stamps are brought; of sounds, samples in a second.
        missing: interpolate missing values of a series, or refuse the item.
        window, hop: cut long series into items of so many points, each so many behind the one before.
        names: how the names of the files in a folder say what is known of them, without their ending, such as
            "{identity}_{group}_{}"; words for roles of columns are kept, others are passed over.
        fields: the columns that make an item together, such as "image,title,price": a record, of which any field may be
            missing. NAME=COLUMN calls a field otherwise; "image=photos/{id}.jpg" makes a path of other columns.
        columns: the column for a role, when its name is not a common one: item, image, series or text ("title,body"
            makes one text of two columns, each behind its name), identity, group, split,
            time, id, impostor_of, duplicate_of, a, b, same, score, anchor, positive, negative.

    Raises:
        DataError: there is nothing to read, or not in this form; says what was expected.
        RecipeError: an argument that does not exist, or cannot be.
        MissingExtra: PyArrow, which tables need, is not installed.
    """
    texts = tuple(word.strip() for word in (columns.get("text") or "").split(",") if word.strip())
    if texts:
        columns, modality = columns | {"text": texts[0]}, modality or TextModality()
    if columns.get("series") is not None:
        kind = kind or "series"
    if kind not in (None, *KINDS):
        raise RecipeError(f"kind = {kind!r} does not exist; choose one of {', '.join(KINDS)}.")
    if modality is None and kind in ("image", "text"):
        modality = ImageModality() if kind == "image" else TextModality()
    chosen = tuple(word.strip() for word in channels.split(",") if word.strip())
    form = Form(channels=chosen, stamps=stamps, rate=rate, missing=missing, window=window, hop=hop)
    given, base = Columns.given(**columns), None if root is None else Path(root)
    record = fields_of(fields) if fields else {}
    told = _Told(base, grouped, impostors, scores, modality, kind, form, given, texts, record, names)
    if pairs is not None:
        of_pairs = given.only("a", "b", "same", "score", "anchor", "positive", "negative")
        rest = given.but(**dict.fromkeys(of_pairs.used()))
        return _paired(_read(source, labels, replace(told, columns=rest)), pairs, of_pairs, scores)
    return _read(source, labels, told)


def _read(source: Any, labels: Any | None, told: _Told) -> Collection:
    if told.fields and not is_table(source):
        raise DataError(f"fields are columns of a table, and {source!r:.80} is none; expected {', '.join(FILES)}.")
    if told.names and (not isinstance(source, str | Path) or Path(source).is_file()):
        raise DataError(f"names are of the files of a folder, and {source!r:.80} is none; a table has columns.")
    if isinstance(source, str | Path):
        return _path(Path(source), labels, told)
    if is_table(source):
        return _table(source, told)
    how: dict[str, Any] = {"modality": told.modality, "kind": told.kind, "form": told.form, "root": told.root}
    if isinstance(source, tuple) and len(source) == 2 and labels is None and hasattr(source[0], "__len__"):
        return read_arrays(source[0], source[1], **how)
    if hasattr(source, "__len__") and hasattr(source, "__getitem__"):
        return read_arrays(source, labels, **how)
    raise DataError(f"A {type(source).__name__} cannot be read. Expected a folder, a table, an array or a list.")


def _path(path: Path, labels: Any | None, told: _Told) -> Collection:
    if not path.exists():
        raise DataError(f"There is no file or folder {path}; check the path.")
    if path.is_dir():
        series = archives(path, told.form) if told.modality is None and told.kind in (None, "series") else None
        if series is not None:
            return series
        if told.names:
            return read_named(path, told.names, told.modality, kind=told.kind, form=told.form)
        how: dict[str, Any] = {"grouped": told.grouped, "impostors": told.impostors}
        return read_folder(path, told.modality, kind=told.kind, form=told.form, **how)
    ending = path.suffix.lower()
    if ending in (".npy", ".npz"):
        return read_numpy(path, labels, modality=told.modality, kind=told.kind, form=told.form)
    if ending == ".ts" or (ending in DELIMITED and not told.columns.used() and is_archive(path)):
        return archive(path, told.form)
    if ending not in FILES:
        raise DataError(f"{path} {_what_it_is(ending)} Expected a folder, or a table: {', '.join(FILES)} or .npz.")
    return _table(path, told)


def _what_it_is(ending: str) -> str:
    if ending in ENDINGS:
        return "is one image, not a collection of them."
    if ending in (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"):
        return "is an archive; unpack it first."
    return "is a file of another kind."


def _table(source: Any, told: _Told) -> Collection:
    table = open_table(source)
    columns, kind, guesses = found(table.names, told.columns, origin=table.origin)
    base = table.folder if told.root is None else told.root
    if told.fields:
        if kind != "items":
            raise DataError(f"{table.origin} holds {kind}; fields are about a table of items, which pairs=… can name.")
        return read_records(table, columns, told.fields, root=base, form=told.form).noted(*guesses)
    if kind == "items":
        said = told.kind == "series" or bool(told.form.channels)
        if columns.item is None and told.modality is None and told.kind in (None, "series"):
            series = in_columns(table, columns, told.form, told=said)
            if series is not None:
                return series.noted(*guesses)
        how: dict[str, Any] = {"modality": told.modality, "kind": told.kind, "form": told.form}
        return read_rows(table, columns, root=base, texts=told.texts, **how).noted(*guesses)
    links = read_links(table, columns, kind, told.scores)
    return collected(links, root=base, modality=told.modality, kind=told.kind, form=told.form).noted(*guesses)


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
