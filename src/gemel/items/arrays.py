"""Arrays and lists in memory, and `.npy` and `.npz` files → Collection."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gemel.errors import DataError
from gemel.items.audio import HIGHEST, heard
from gemel.items.collection import Collection, Labels
from gemel.items.files import of_files
from gemel.items.image import ImageModality
from gemel.items.modality import Modality
from gemel.items.series import SeriesModality
from gemel.items.series_form import Form
from gemel.items.sources import Paths, Rows, are_texts
from gemel.items.text import TextModality
from gemel.items.vector import VectorModality
from gemel.items.vocabulary import COLUMNS

ITEMS = (*COLUMNS["item"].split(), "x", "X", "data", "images", "arr_0")
LABELS = (*COLUMNS["identity"].split(), "labels", "identities", "Y", "arr_1")


def read_arrays(
    values: Any,
    labels: Any | None,
    *,
    modality: Modality | None,
    kind: str | None = None,
    form: Form = Form(),  # noqa: B008
    root: Path | None = None,
    origin: str = "array",
) -> Collection:
    """Items in memory.

    Args:
        values: an array [n, d] of vectors, [n, h, w] or [n, h, w, c] of images, [n, t, c] of series, or a list of
            paths, bytes, Pillow images or arrays.
        labels: one identity per item; None: unknown.
        modality: how they are decoded; None: by their shape.
        kind: what items are, where that was said.
        form: how series stand in their arrays.

    Raises:
        DataError: no items, another number of labels, or arrays of another shape.
    """
    if not len(values):
        raise DataError(f"{origin}: there are no items.")
    sources, found, notes = _sources(values, root, origin, modality, kind, form)
    identity = None if labels is None else _labels(labels, len(values), origin)
    names = sources.relative if isinstance(sources, Paths) else ()
    rows = np.arange(len(values))
    whole = Collection(
        modality or found, sources, rows, identity=identity, names=names, origin=origin, notes=tuple(notes)
    )
    return form.windowed(whole) if isinstance(whole.modality, SeriesModality) else whole


def read_numpy(
    path: Path,
    labels: Any | None,
    *,
    modality: Modality | None,
    kind: str | None = None,
    form: Form = Form(),  # noqa: B008
) -> Collection:
    """Items of a `.npy` file, or of the arrays of an `.npz` file that are called like items and identities.

    Raises:
        DataError: damaged, pickled, or no array of such a name.
    """
    try:
        held = np.load(path, allow_pickle=False, mmap_mode="r" if path.suffix.lower() == ".npy" else None)
        if isinstance(held, np.ndarray):
            return read_arrays(held, labels, modality=modality, kind=kind, form=form, origin=str(path))
        with held:
            arrays = dict(held)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path} cannot be read as NumPy arrays: {error}") from None
    item = next((name for name in ITEMS if name in arrays), None)
    if item is None:
        raise DataError(f"{path} holds {', '.join(arrays)}; expected the items under one of {', '.join(ITEMS)}.")
    identity = next((name for name in LABELS if name in arrays and name != item), None)
    if labels is None and identity is not None:
        labels = arrays[identity]
    read = read_arrays(arrays[item], labels, modality=modality, kind=kind, form=form, origin=str(path))
    said = f"items from {item!r}" + (f", identity from {identity!r}" if identity else ", no identities")
    return read.noted(f"{path}: guessed from the names of the arrays: {said}.")


def _sources(
    values: Any, root: Path | None, origin: str, told: Modality | None, kind: str | None, form: Form
) -> tuple[Sequence[Any], Modality, list[str]]:
    """What is decoded, how, and what was guessed."""
    stacked = isinstance(values, np.ndarray) and values.dtype != object
    if stacked and values.dtype.kind in "US":
        stacked, values = False, values.tolist()
    if told is None and (kind == "series" or (kind is None and _are_series(values))):
        sources: Sequence[Any] = Rows(values) if stacked else list(values)
        if all(isinstance(value, str | Path) for value in sources[:20]):
            sources = Paths(root or Path(), [str(value) for value in sources])
        return sources, *form.modality(sources, origin)
    if told is None and kind == "audio" and not _are_paths(values):
        return Rows(values) if stacked else list(values), *heard(list(values), origin, rate=form.rate or HIGHEST)
    if stacked:
        if values.ndim == 2:
            return Rows(values), VectorModality(values.shape[1]), []
        if values.ndim in (3, 4):
            return Rows(values), ImageModality(), []
        raise DataError(
            f"{origin} has shape {list(values.shape)}; give vectors [n, d], series [n, t, c], or images [n, h, w] or "
            "[n, h, w, c]."
        )
    values = list(values)
    if isinstance(told, TextModality):
        return values, told, []
    strings = all(isinstance(value, str) for value in values)
    few = values[:: max(1, len(values) // 20)]
    if told is None and strings and kind is None and are_texts(few, root or Path()):
        return values, TextModality(), []
    if all(isinstance(value, str | Path) for value in values):
        paths = Paths(root or Path(), [str(value) for value in values])
        return of_files(paths, told=told, kind=kind, form=form, origin=origin)
    shape = np.shape(values[0]) if isinstance(values[0], np.ndarray | list | tuple) else ()
    return values, VectorModality(shape[0]) if len(shape) == 1 else ImageModality(), []


def _are_paths(values: Any) -> bool:
    return all(isinstance(value, str | Path) for value in values[:20])


def _are_series(values: Any) -> bool:
    """Whether arrays are series, not images or vectors: [t, c] of numbers that no picture has, or of many lengths."""
    some = [np.asarray(value) for value in values[:: max(1, len(values) // 20)] if isinstance(value, np.ndarray | list)]
    if not some or any(value.dtype.kind != "f" for value in some) or len({value.ndim for value in some}) > 1:
        return False
    if some[0].ndim == 1:
        return len({len(value) for value in some}) > 1
    outside = any(np.nanmin(value) < 0 or np.nanmax(value) > 1 for value in some if value.size)
    return some[0].ndim == 2 and outside and len({value.shape[1] for value in some}) == 1


def _labels(labels: Any, n: int, origin: str) -> Labels:
    values = np.asarray(labels)
    if values.ndim != 1 or len(values) != n:
        raise DataError(f"{origin}: {n:,} items came with labels of shape {list(values.shape)}; give one per item.")
    if values.dtype.kind in "iub":
        names, codes = np.unique(values, return_inverse=True)
        return Labels(codes, [str(name) for name in names])
    return Labels.of(values.tolist())
