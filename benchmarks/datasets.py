"""Real data sets for benchmarks: zips in the folder that GEMEL_DATA names, unpacked once into a temporary folder;
and fields of a recipe from the command line."""

from __future__ import annotations

import os
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def unpacked(name: str) -> Path:
    """The folder of a data set, unpacked; ends the script with a reason where GEMEL_DATA does not hold it."""
    source = Path(os.environ.get("GEMEL_DATA", "")) / f"{name}.zip"
    if not os.environ.get("GEMEL_DATA") or not source.exists():
        sys.exit(
            f"Set GEMEL_DATA to a folder that holds {name}.zip; see benchmarks/RESULTS.md for what it must contain."
        )
    folder = Path(tempfile.gettempdir()) / "gemel-data" / name
    if not (folder / ".complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(source) as archive:
            archive.extractall(folder)
        (folder / ".complete").touch()
    return folder


def choices_of(words: Iterable[str]) -> dict[str, Any]:
    """Fields of a recipe from words such as lr=1e-4; words without = are left out."""
    return {name: _typed(value) for name, mark, value in (word.partition("=") for word in words) if mark}


def _typed(value: str) -> Any:
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value
