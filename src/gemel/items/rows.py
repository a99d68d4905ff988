"""A table with one item a row → Collection. Reads columns, decodes no item."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gemel.errors import DataError
from gemel.items.cells import arrow, is_text, joined, labels, nested, numbers, places, text, together, vectors
from gemel.items.collection import UNKNOWN, Collection, Labels
from gemel.items.columns import Columns
from gemel.items.components import components
from gemel.items.files import of_files
from gemel.items.image import ImageModality
from gemel.items.modality import Modality
from gemel.items.series import SeriesModality
from gemel.items.series_form import Form
from gemel.items.sources import Blobs, Cells, Paths, are_texts
from gemel.items.table import Table
from gemel.items.text import TextModality
from gemel.items.vector import VectorModality
from gemel.items.vocabulary import SPLITS
from gemel.items.words import many

SAMPLE = 20
"""Paths that are looked for when a table is opened, so that a wrong root is noticed at once."""


def read_rows(
    table: Table,
    columns: Columns,
    *,
    root: Path,
    modality: Modality | None,
    kind: str | None = None,
    form: Form = Form(),  # noqa: B008
    texts: Sequence[str] = (),
) -> Collection:
    """Items of a table.

    Args:
        table: one item a row.
        texts: the columns that make one text together, if there are several.
        columns: the column of each role; `item` must be there.
        root: what relative paths are relative to.
        modality: how items are decoded; None: by the kind of the cells.
        kind: what items are, where that was said.
        form: how series stand in their cells or files.

    Raises:
        DataError: no column of items, no rows, or none of the paths exists.
    """
    if columns.item is None:
        raise DataError(
            f"{table.origin}: no column of items was found among {', '.join(table.names)}. Name it: image='…', "
            "text='…' or series='…'; or say that the columns themselves are series, a row each: kind='series', or a "
            "row per point: kind='series' and id='…', the column that says which series it belongs to; or make records "
            "of several columns: fields='photo=photos/{id}.jpg,title'."
        )
    cells = table.pick(list(dict.fromkeys([*columns.used().values(), *texts])))
    part = {role: cells[name] for role, name in columns.used().items()}
    if len(texts) > 1:
        part["item"] = joined({name: cells[name] for name in texts})
    n = len(part["item"])
    if not n:
        raise DataError(f"{table.origin} has no rows.")
    sources, found, notes = sources_of(part["item"], root, table.origin, modality, kind, form)
    items = Collection(
        modality=modality or found, sources=sources, rows=np.arange(n), origin=table.origin, notes=tuple(table.notes)
    )
    whole = known_of(items, part, columns).noted(*notes)
    return form.windowed(whole) if isinstance(whole.modality, SeriesModality) else whole


def known_of(items: Collection, part: dict[str, Any], columns: Columns) -> Collection:
    """Items with what the columns of a table say of them.

    Args:
        part: role → its column.
        columns: role → the name of its column, for messages.
    """
    identity, impostor_of, notes = _identities(part, columns)
    split, odd = splits(part.get("split"))
    return items.with_(
        identity=identity,
        group=labels(part["group"]) if "group" in part else None,
        split=split,
        impostor_of=impostor_of,
        time=numbers(part["time"], called=str(columns.time)) if "time" in part else None,
        names=_names(part),
    ).noted(*notes, *odd)


def sources_of(
    column: Any, root: Path, origin: str, told: Modality | None, kind: str | None, form: Form
) -> tuple[Sequence[Any], Modality, list[str]]:
    """What is decoded, and how, by the kind of the cells, or as told; and what was guessed."""
    if is_text(column):
        cells = Cells(text(column))
        texts = kind is None and told is None and are_texts(cells[:: spread(len(cells))], root)
        if texts or isinstance(told, TextModality):
            return cells, TextModality(), []
        paths = Paths(root, Cells(column))
        looked_for(paths, origin)
        return of_files(paths, told=told, kind=kind, form=form, origin=origin)
    listed = vectors(column)
    sources = listed[0] if listed is not None else column if isinstance(column, list) else Blobs(column, root)
    if told is None and (kind == "series" or (kind is None and _are_series(sources, nested=nested(column)))):
        return sources, *form.modality(sources, origin)
    return sources, ImageModality() if listed is None else VectorModality(listed[1]), []


def _are_series(cells: Sequence[Any], *, nested: bool) -> bool:
    """Whether lists of numbers are series: they hold lists themselves, or have many lengths."""
    lengths = [len(cell) for cell in cells[:: spread(len(cells))] if isinstance(cell, list)]
    return nested or (len(lengths) > 1 and 2 * max(map(lengths.count, lengths)) <= len(lengths))


def spread(size: int) -> int:
    """The step that takes about SAMPLE of so many things."""
    return max(1, size // SAMPLE)


def looked_for(paths: Paths, origin: str, *, hint: str = "") -> None:
    """Raises DataError when none of a sample of the paths exists."""
    sample = [path for path in paths[:: spread(len(paths))] if path]
    if not any(Path(path).exists() for path in sample):
        example = f"; the first is {sample[0]}" if sample else ""
        raise DataError(
            f"{origin}: none of {len(sample)} paths looked for exists{example}. Relative paths are relative to "
            f"{paths.root or 'the current folder'}; another one is given with root=.{hint}"
        )


def _names(part: dict[str, Any]) -> Sequence[str]:
    if "id" in part:
        return Cells(text(part["id"]))
    return Cells(part["item"]) if "item" in part and is_text(part["item"]) else ()


def _identities(part: dict[str, Any], columns: Columns) -> tuple[Labels | None, Labels | None, list[str]]:
    """Identity and claimed identity in the same codes, and what there is to say."""
    if "duplicate_of" in part:
        identity, notes = _pointed(part)
        return identity, None, notes
    if "impostor_of" not in part:
        return (labels(part["identity"]) if "identity" in part else None), None, []
    if "identity" not in part:
        both = labels(part["impostor_of"])
        return Labels(np.full_like(both.codes, UNKNOWN), both.names), both, []
    identity, claimed = together([part["identity"], part["impostor_of"]])
    fake = claimed.codes >= 0
    both_known = int((fake & (identity.codes >= 0)).sum())
    notes = []
    if both_known:
        notes.append(
            f"{many(both_known, 'item')} with both {columns.impostor_of!r} and {columns.identity!r}: taken as "
            "impostors, which have no identity of their own."
        )
    return Labels(np.where(fake, UNKNOWN, identity.codes), identity.names), claimed, notes


def _pointed(part: dict[str, Any]) -> tuple[Labels, list[str]]:
    """Identities from a column that points at the id of an item that is the same, over any chain.

    An identity is called after its first item. Items that point at the same missing id are the same too.
    """
    if "id" not in part and not ("item" in part and is_text(part["item"])):
        raise DataError("A column that points at duplicates needs a column of ids to point at; name it: id='…'.")
    ids = text(part["id"] if "id" in part else part["item"])
    target = places(part["duplicate_of"], ids)
    named = labels(part["duplicate_of"])
    n = len(target)
    missing = (target == UNKNOWN) & (named.codes >= 0)
    end = np.where(missing, n + named.codes, target)
    items = np.flatnonzero(end >= 0)
    component = components(n + len(named.names), items, end[items])[:n]
    _, first, codes = np.unique(component, return_index=True, return_inverse=True)
    names = ids.take(arrow().array(first)).to_pylist()
    notes = []
    if missing.any():
        lost = str(named.value(int(np.flatnonzero(missing)[0])))
        notes.append(
            f"{many(int(missing.sum()), 'item')} pointing at an id that is not in the table, such as {lost!r}."
        )
    return Labels(codes.astype(np.int64), [str(name) for name in names]), notes


def splits(column: Any | None) -> tuple[Labels | None, list[str]]:
    """The split of every row under the names used here; other names are kept, and said."""
    if column is None:
        return None, []
    given = labels(column)
    names = [SPLITS.get(str(name).strip().casefold(), str(name)) for name in given.names]
    known = list(dict.fromkeys(names))
    table = np.array([known.index(name) for name in names] or [0])
    odd = [name for name in known if name not in SPLITS.values()]
    notes = [f"Splits of other names than train, stop, calibrate and test: {', '.join(odd[:5])}."] if odd else []
    return Labels(np.where(given.codes >= 0, table[given.codes], UNKNOWN), known), notes
