"""Tables of pairs and of triplets → what is known of them, by position among the items.

Items are named by id or path in another table, or are the cells themselves. Decodes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import DataError, NotEnoughData
from gemel.items.cells import arrow, is_text, numbers, places, together, yes_or_no
from gemel.items.collection import UNKNOWN, Collection, Labels, Pairs, Triplets
from gemel.items.columns import Columns, Kind
from gemel.items.files import of_files
from gemel.items.image import ImageModality
from gemel.items.modality import Modality
from gemel.items.rows import looked_for, splits, spread
from gemel.items.series_form import Form
from gemel.items.sources import Paths, are_texts
from gemel.items.table import Table
from gemel.items.text import TextModality
from gemel.items.words import first, many

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

ENDS = {"pairs": ("a", "b"), "triplets": ("anchor", "positive", "negative")}


@dataclass(frozen=True)
class Links:
    """A table of pairs or triplets, before its ends are looked up.

    Attributes:
        ends: the columns of the items: two for pairs, three for triplets.
        same, score: what is known of pairs.
        split: the split each row was given to; None when none was.
    """

    ends: tuple[Any, ...]
    same: Bool[np.ndarray, " m"] | None
    score: Float[np.ndarray, " m"] | None
    split: Labels | None
    notes: tuple[str, ...]
    origin: str


def read_links(table: Table, columns: Columns, kind: Kind, scores: tuple[float | int, float | int] | None) -> Links:
    """The rows of a table of pairs or triplets.

    Args:
        scores: the lowest and highest score possible; scores are rescaled to [0, 1] by it.

    Raises:
        DataError: no rows, or labels or scores that are none.
    """
    used = columns.used()
    cells = table.pick(list(dict.fromkeys(used.values())))
    ends = tuple(cells[used[role]] for role in ENDS[kind])
    if not len(ends[0]):
        raise NotEnoughData(f"{table.origin} has no rows.")
    split, notes = splits(cells[used["split"]] if "split" in used else None)
    same = score = None
    if kind == "pairs" and "score" in used:
        score = _graded(cells[used["score"]], used["score"], scores)
    elif kind == "pairs" and "same" in used:
        same = yes_or_no(cells[used["same"]], called=used["same"])
    elif kind == "pairs":
        same = np.ones(len(ends[0]), bool)
        notes.append(f"{table.origin}: no column says same or different, so every pair was taken as same.")
    return Links(ends, same, score, split, (*table.notes, *notes), table.origin)


def _graded(column: Any, name: str, scores: tuple[float | int, float | int] | None) -> Float[np.ndarray, " m"]:
    """Scores rescaled to [0, 1] by their stated range."""
    values = numbers(column, called=name)
    low, high = scores or (0.0, 1.0)
    if not high > low:
        raise DataError(f"scores=({low:g}, {high:g}) must give the lowest and then the highest score possible.")
    outside = ~((values >= low) & (values <= high))
    if outside.any():
        said = "the range given" if scores else "a range, such as scores=(0, 5), that says which scores are possible"
        raise DataError(
            f"Column {name!r} holds {values[outside][0]:g}, outside {low:g} to {high:g}; expected {said}. "
            f"They lie between {np.nanmin(values):g} and {np.nanmax(values):g}; {np.isnan(values).sum()} are missing."
        )
    return (values - low) / (high - low)


def linked(items: Collection, links: Links) -> Collection:
    """Items with the pairs or triplets that name them by id or path.

    Raises:
        DataError: none of the ends is among the items.
    """
    names = items.names if len(items.names) else [str(i) for i in range(len(items.sources))]
    known = arrow().array([names[int(row)] for row in items.rows])
    ends = [places(end, arrow().chunked_array([known])) for end in links.ends]
    lost = np.any([end == UNKNOWN for end in ends], axis=0)
    if lost.all():
        raise DataError(
            f"{links.origin}: none of its items is among those of {items.origin}; it names for example "
            f"{links.ends[0][0]!s}, there they are called {items.name(0)}."
        )
    note: tuple[str, ...] = ()
    if lost.any():
        end, i = next((e, int(i)) for e, p in zip(links.ends, ends, strict=True) for i in np.flatnonzero(p < 0)[:1])
        note = (
            f"{links.origin}: {many(int(lost.sum()), 'row')} naming an item that is not there dropped, such as "
            f"{end[i]!s}.",
        )
    return _joined(items.noted(*note), ends, links, ~lost)


def collected(
    links: Links,
    *,
    root: Path,
    modality: Modality | None,
    kind: str | None = None,
    form: Form = Form(),  # noqa: B008
) -> Collection:
    """The items that pairs or triplets are made of, each distinct cell once, with these pairs or triplets."""
    found: Modality = ImageModality()
    notes: list[str] = []
    if all(is_text(end) for end in links.ends):
        codes = together(list(links.ends))
        names = codes[0].names
        ends, kept = [c.codes for c in codes], np.all([c.codes >= 0 for c in codes], axis=0)
        sources: Any = names
        if isinstance(modality, TextModality) or (modality is None and are_texts(names[:: spread(len(names))], root)):
            found = TextModality()
        else:
            paths = Paths(root, names)
            looked_for(paths, links.origin, hint=" If these are ids, give their table first: read(items, pairs=…).")
            sources, found, notes = of_files(paths, told=modality, kind=kind, form=form, origin=links.origin)
    else:
        sources, ends = _objects(links.ends)
        names, kept = (), np.ones(len(ends[0]), bool)
    items = Collection(modality or found, sources, np.arange(len(sources)), names=names, origin=links.origin)
    if not kept.all():
        notes = [*notes, f"{links.origin}: {many(int((~kept).sum()), 'row')} with an empty cell dropped."]
    return _joined(items.noted(*notes), ends, links, kept)


def _objects(columns: tuple[Any, ...]) -> tuple[list[Any], list[Int[np.ndarray, " m"]]]:
    """Distinct objects, and where each cell's stands among them."""
    cells = [end if isinstance(end, list) else end.to_pylist() for end in columns]
    seen: dict[Any, int] = {}
    objects: list[Any] = []
    ends = []
    for column in cells:
        codes = []
        for cell in column:
            value = (cell.get("bytes") or cell.get("path")) if isinstance(cell, dict) else cell
            key = value if isinstance(value, str | bytes) else id(value)
            if key not in seen:
                seen[key] = len(objects)
                objects.append(value)
            codes.append(seen[key])
        ends.append(np.array(codes, np.int64))
    return objects, ends


def _joined(
    items: Collection, ends: list[Int[np.ndarray, " m"]], links: Links, kept: Bool[np.ndarray, " m"]
) -> Collection:
    """Items with pairs or triplets; rows that are kept, without items linked to themselves."""
    own = np.any([ends[0] == end for end in ends[1:]], axis=0) & kept
    if own.any():
        items = items.noted(f"{links.origin}: {many(int(own.sum()), 'row')} pairing an item with itself dropped.")
    rows = np.flatnonzero(kept & ~own)
    ends = [end[rows] for end in ends]
    if links.split is not None:
        items, ends = _per_split(items, ends, links.split.take(rows))
    items = items.noted(*links.notes)
    if len(ends) == 3:
        return items.with_(triplets=Triplets(*ends))
    pairs = Pairs(
        ends[0],
        ends[1],
        None if links.same is None else links.same[rows],
        None if links.score is None else links.score[rows],
    )
    return items.with_(pairs=pairs).noted(*_contradictions(pairs, items))


def _per_split(
    items: Collection, ends: list[Int[np.ndarray, " m"]], split: Labels
) -> tuple[Collection, list[Int[np.ndarray, " m"]]]:
    """One item for each split that its pairs were given to, so that a given split stays as it is."""
    width = len(split.names) + 1
    keys = [end * width + split.codes + 1 for end in ends]
    distinct, inverse = np.unique(np.concatenate(keys), return_inverse=True)
    chosen = items.take(distinct // width).with_(split=Labels(distinct % width - 1, split.names))
    more = len(distinct) - len(np.unique(distinct // width))
    if more:
        chosen = chosen.noted(f"{many(more, 'item')} in pairs of more than one given split: the splits leak.")
    unpaired = len(items) - len(np.unique(distinct // width))
    if unpaired:
        chosen = chosen.noted(f"{many(unpaired, 'item')} in no pair left out.")
    return chosen, np.split(inverse, len(ends))


def _contradictions(pairs: Pairs, items: Collection) -> list[str]:
    if pairs.same is None or not len(pairs):
        return []
    key = np.minimum(pairs.a, pairs.b) * len(items) + np.maximum(pairs.a, pairs.b)
    both = np.intersect1d(key[pairs.same], key[~pairs.same])
    if not len(both):
        return []
    names = [f"{items.name(int(k) // len(items))} and {items.name(int(k) % len(items))}" for k in both[:3]]
    return [f"{many(len(both), 'pair')} called both same and different: {first(names)}."]
