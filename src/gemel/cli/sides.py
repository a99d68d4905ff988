"""What a word of the shell means as an item: a file, or a text."""

from __future__ import annotations

from pathlib import Path


def one_of(given: str, modality: str) -> str | Path:
    """One item of a modality: for texts the file of that name, if there is one, and otherwise the text itself."""
    if modality != "text":
        return given
    try:
        return Path(given) if Path(given).is_file() else given
    except (OSError, ValueError):  # too long for a name
        return given
