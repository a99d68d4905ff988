"""Where a command may write: asked before its work begins, not after."""

from __future__ import annotations

import os
from pathlib import Path

from gemel.errors import DataError, RecipeError


def refuse_model(out: Path) -> None:
    """Raises what would keep a model folder of a proper name from being written there."""
    if out.suffix != ".gemel":
        raise RecipeError(f"--out must end in .gemel, and is {out}. Call it {out.with_suffix('.gemel')}.")
    refuse_replacing(out)


def refuse_replacing(model: Path) -> None:
    """Raises what would keep a model folder from being written there, under whatever name."""
    from gemel.siamese.folder import refuse_to_replace

    _refuse_place(model)
    refuse_to_replace(model)


def refuse_file(out: Path) -> None:
    """Raises DataError where a file cannot be written."""
    if out.is_dir():
        raise DataError(f"{out} is a folder; give the name of a file.")
    _refuse_place(out)


def _refuse_place(out: Path) -> None:
    place = out.absolute().parent
    if not place.is_dir():
        raise DataError(f"The folder {place} for --out does not exist. Make it first.")
    if not os.access(place, os.W_OK):
        raise DataError(f"The folder {place} is not writable. Choose another one, or change its permissions.")
