"""Which items train, which stop the training, and which are kept for calibration: as given, or held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gemel.errors import NotEnoughData
from gemel.items import UNKNOWN, Collection, split
from gemel.recipe import Recipe

if TYPE_CHECKING:
    from jaxtyping import Int

FEWEST = 5
"""Identities that stopping and calibrating each need."""


def usable_of(data: Collection) -> tuple[Collection, tuple[str, ...]]:
    """Everything but what the data gives to its test split, and what there is to say of given splits."""
    if data.split is None:
        return data, ()
    given = split(data)
    if "train" not in given:
        raise NotEnoughData(f"{data.origin} brings the splits {', '.join(given)}, and none of them is train.")
    codes = [code for code, name in enumerate(data.split.names) if name in ("train", "stop", "calibrate")]
    return data.take(np.isin(data.split.codes, codes)), given.notes


@dataclass(frozen=True)
class Parts:
    """The items of each role; None where there are none."""

    train: Collection
    stop: Collection | None
    calibrate: Collection | None
    notes: tuple[str, ...] = ()


def parts_of(data: Collection, recipe: Recipe, content: Int[np.ndarray, " n"]) -> Parts:
    """Training, stopping and calibrating items: as given, or held out; exact duplicates stay together."""
    given: dict[str, Collection] = {"train": data} if data.split is None else dict(split(data))
    missing = [name for name in ("stop", "calibrate") if name not in given]
    count = _identities(given["train"])
    share = max(recipe.holdout / 2, FEWEST / max(1, count))
    notes: tuple[str, ...] = ()
    if missing and recipe.holdout and recipe.protocol == "open" and share * len(missing) > 0.5:
        notes = (
            f"{count} identities with two or more items are too few to hold {FEWEST} out for each of "
            f"{' and '.join(missing)}: nothing is held out, and the twin comes without a decision. "
            "Calibrate it on other data: gemel calibrate MODEL DATA.",
        )
    elif missing and recipe.holdout:
        shares = {"train": 1 - share * len(missing)} | dict.fromkeys(missing, share)
        made = split(data, protocol=recipe.protocol, shares=shares, seed=recipe.seed, content=content)
        given, notes = dict(made), made.notes
    return Parts(given["train"], given.get("stop"), given.get("calibrate"), notes)


def _identities(data: Collection) -> int:
    """Identities with at least two items; for pair data, items are counted in pairs."""
    if data.identity is None:
        return 0 if data.pairs is None else len(data.pairs)
    codes = data.identity.codes
    return int((np.bincount(codes[codes != UNKNOWN]) >= 2).sum())
