"""Every error a user can meet, one tree.

    GemelError                     anything gemel raises on purpose
    ├── DataError                  what was read cannot be used
    │   ├── UnreadableItem         one item cannot be decoded
    │   ├── TooManyBad             more bad items than allowed
    │   ├── NotEnoughData          too few identities, items or pairs for what was asked
    │   ├── NotEnrolled            a gallery does not know that identity or item
    │   └── Overlap                a split shares what its protocol keeps apart
    ├── ModelError                 a model folder is damaged, too new, or does not fit the input
    ├── GalleryError               a gallery cannot be opened, is damaged or full, or belongs to another model
    ├── NotCalibrated              a verdict was asked for where no decision applies
    ├── RecipeError                a choice does not exist, or does not fit the data or another choice
    ├── TrainingFailed             training cannot go on (NaN, no pair that teaches)
    └── MissingExtra               an optional part of gemel is not installed

A message says what was expected, what came, and what to do.
"""

from __future__ import annotations

import importlib
from types import ModuleType


class GemelError(Exception):
    """Anything gemel raises on purpose; the shell prints its message and exits with 2."""


class DataError(GemelError):
    """What was read cannot be used."""


class UnreadableItem(DataError):
    """One item cannot be decoded.

    Args:
        source: what the item is called: a path, or a short description of a value.
        reason: why, in a few words.
    """

    def __init__(self, source: object, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason


class TooManyBad(DataError):
    """More items are bad than the caller allows."""


class NotEnoughData(DataError):
    """Too few identities, items or pairs for what was asked."""


class NotEnrolled(DataError):
    """A gallery does not know that identity, or it has no such item."""


class Overlap(DataError):
    """A split shares identities or items that its protocol keeps apart."""


class ModelError(GemelError):
    """A model folder is damaged, too new, or does not fit what it is given."""


class GalleryError(GemelError):
    """A gallery cannot be opened, is damaged, or cannot be written."""


class NotCalibrated(GemelError):
    """A verdict was asked for where no decision applies."""


class RecipeError(GemelError):
    """A choice does not exist, or does not fit the data or another choice."""


class TrainingFailed(GemelError):
    """Training cannot go on."""


class MissingExtra(GemelError):
    """An optional part of gemel is not installed."""


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import an optional dependency, or say which extra brings it.

    Args:
        module: dotted name, such as ``"pyarrow.parquet"``.
        extra: the extra of gemel that installs it.
        purpose: what it is needed for, completing "needed to …".
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        name = module.partition(".")[0]
        raise MissingExtra(f"{name} is needed to {purpose}. Install it with: pip install 'gemel[{extra}]'") from missing
