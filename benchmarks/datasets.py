"""Real data sets for benchmarks: zips in the folder that GEMEL_DATA names, unpacked once into a temporary folder."""

from __future__ import annotations

import os
import sys
import tempfile
import zipfile
from pathlib import Path


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
