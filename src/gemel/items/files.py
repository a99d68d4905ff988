"""What the files of a list hold, by their endings and, where these do not say it, by looking into a few."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gemel.errors import RecipeError
from gemel.items.audio import heard
from gemel.items.image import ImageModality
from gemel.items.modality import Modality
from gemel.items.series_form import Form, are_series
from gemel.items.sources import Paths, TextFiles
from gemel.items.text import TextModality
from gemel.items.vocabulary import SERIES, SOUNDS, TEXTS


def of_files(
    paths: Paths, *, told: Modality | None, kind: str | None, form: Form, origin: str
) -> tuple[Sequence[Any], Modality, list[str]]:
    """Sources, how they are decoded, and what was guessed.

    Args:
        told: the modality, where it was given.
        kind: what items are, where that was said.
        form: how series stand in their files.
    """
    if isinstance(told, TextModality):
        return TextFiles(paths.root, paths.relative), told, []
    if told is not None:
        return paths, told, []
    if kind == "audio" or (kind is None and _mostly(paths, SOUNDS)):
        _refuse_windows(form)
        return paths, *heard(paths, origin, rate=form.rate)
    may_be_series = kind is None and _mostly(paths, SERIES)
    if kind == "series" or (may_be_series and (are_series(paths) or not _mostly(paths, TEXTS))):
        return paths, *form.modality(paths, origin)
    if kind is None and _mostly(paths, TEXTS):
        return TextFiles(paths.root, paths.relative), TextModality(), []
    return paths, ImageModality(), []


def _refuse_windows(form: Form) -> None:
    if form.window is not None:
        raise RecipeError("window cuts series, not sounds: a long sound is the mean of windows; length says how long.")


def _mostly(paths: Paths, endings: frozenset[str]) -> bool:
    some = [path for path in paths[:: max(1, len(paths) // 20)] if path]
    return 2 * sum(Path(path).suffix.lower() in endings for path in some) > len(some)
