"""One verb for every source: a folder, a table, pairs, arrays → a Collection. Decodes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gemel.errors import DataError
from gemel.items.collection import Collection
from gemel.items.folder import read_folder
from gemel.items.image import ImageModality
from gemel.items.modality import Modality


def read(
    source: Any,
    *,
    grouped: bool = False,
    impostors: str = "",
    modality: Modality | None = None,
) -> Collection:
    """Items of a folder, lazily decoded."""
    if isinstance(source, str | Path):
        path = Path(source)
        if not path.exists():
            raise DataError(f"There is no {path}; check the path.")
        if path.is_dir():
            return read_folder(path, modality or ImageModality(), grouped=grouped, impostors=impostors)
    raise DataError(f"A {type(source).__name__} cannot be read.")
