"""Which items train, which stop the training, and which are kept for calibration: as given, or held out."""

from __future__ import annotations

import hashlib
from collections.abc import Container
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import NotEnoughData
from gemel.items import Collection, split
from gemel.items.units import units
from gemel.items.windows import Windows
from gemel.items.words import many
from gemel.recipe import Recipe

if TYPE_CHECKING:
    from jaxtyping import Bool, Int

FEWEST = 5
"""Identities that stopping and calibrating each need, when identities are kept apart."""
HELD_OUT = ("stop", "calibrate")


def shares_identities(data: Collection) -> bool:
    """Whether the given splits share nearly all of their identities: kinds of things, not individuals."""
    if data.split is None or data.identity is None or "train" not in data.split.names:
        return False
    known = data.identity.codes >= 0
    train = known & (data.split.codes == list(data.split.names).index("train"))
    other = np.unique(data.identity.codes[known & ~train & (data.split.codes >= 0)])
    return len(other) > 0 and float(np.isin(other, data.identity.codes[train]).mean()) > 0.9


def usable_of(data: Collection, protocol: str) -> tuple[Collection, tuple[str, ...]]:
    """Everything but what the data gives to its test split, and what there is to say of given splits."""
    if data.split is None:
        return data, ()
    given = split(data, protocol=protocol)
    if "train" not in given:
        raise NotEnoughData(f"{data.origin} brings the splits {', '.join(given)}, and none of them is train.")
    codes = [code for code, name in enumerate(data.split.names) if name in ("train", *HELD_OUT)]
    return data.take(np.isin(data.split.codes, codes)), given.notes


@dataclass(frozen=True)
class Parts:
    """The items of each role; None where there are none.

    Attributes:
        fingerprint: equal exactly where the same items have the same roles.
    """

    train: Collection
    stop: Collection | None
    calibrate: Collection | None
    notes: tuple[str, ...]
    fingerprint: str


def parts_of(
    data: Collection, recipe: Recipe, content: Int[np.ndarray, " n"], seen: Int[np.ndarray, " s"] | None = None
) -> Parts:
    """Training, stopping and calibrating items: as given, or held out.

    Exact duplicates stay together where gemel splits, and nothing that training sees is left to calibrate.

    Args:
        content: numbers that are equal exactly where items are (`Decoded.content`).
        seen: content of what a twin to start from has learned from; all that hangs on it trains again.
    """
    known = np.zeros(len(data), bool) if seen is None else np.isin(content, seen)
    roles = {"train": np.arange(len(data))} if data.split is None else _given(data, recipe, content)
    own = roles["train"]
    held, notes = _held_out(data.take(own).with_(split=None), recipe, roles, content[own], known[own])
    roles |= {name: own[rows] for name, rows in held.items()}
    roles["train"] = np.setdiff1d(own, np.concatenate([own[:0], *(roles[name] for name in held)]))
    if "calibrate" in roles:
        trains = np.concatenate([roles["train"], roles.get("stop", own[:0])])
        clean = ~known & ~np.isin(content, content[trains])
        dropped = int((~clean[roles["calibrate"]]).sum())
        roles["calibrate"] = roles["calibrate"][clean[roles["calibrate"]]]
        notes += [f"{many(dropped, 'item')} of calibrate left out: training sees the same."] if dropped else []
    parts = {name: data.take(rows).with_(split=None) for name, rows in roles.items() if len(rows)}
    fingerprint = _fingerprint({name: content[rows] for name, rows in roles.items()})
    return Parts(parts["train"], parts.get("stop"), parts.get("calibrate"), tuple(notes), fingerprint)


def _given(data: Collection, recipe: Recipe, content: Int[np.ndarray, " n"]) -> dict[str, Int[np.ndarray, " k"]]:
    """The rows of every role that the data gives."""
    parts = split(data, protocol=recipe.protocol or "open", content=content)
    return {name: part.within(data) for name, part in parts.items()}


def _held_out(
    train: Collection,
    recipe: Recipe,
    roles: Container[str],
    content: Int[np.ndarray, " n"],
    known: Bool[np.ndarray, " n"],
) -> tuple[dict[str, Int[np.ndarray, " k"]], list[str]]:
    """The rows of the training items that are held out for each role that is lacking, and what there is to say."""
    lacking = [name for name in HELD_OUT if name not in roles]
    if not lacking or not recipe.holdout:
        return {}, []
    unit = units(train, identities=recipe.protocol == "open", content=content)
    free = np.flatnonzero(~np.isin(unit, unit[known]))
    if recipe.protocol == "open" and FEWEST <= _several(unit[free]) < FEWEST * len(lacking) and known.any():
        lacking = ["calibrate"]  # a twin to start from has left so few: they judge, and nothing stops the training
    share, reason = _share(unit, unit[free], recipe, len(lacking))
    if reason:
        return {}, [f"{reason} {_UNCALIBRATED}"]
    shares = dict.fromkeys(lacking, share) | {"train": max(0.0, 1 - share * len(lacking))}
    how: dict[str, Any] = {"protocol": recipe.protocol, "shares": shares, "seed": recipe.seed}
    if recipe.protocol == "closed" and isinstance(train.sources, Windows):
        how["by"] = "group"  # windows of a recording are too alike to stand in two splits
    made = split(train.take(free), content=content[free], **how)
    return {name: made[name].within(train) for name in lacking}, list(made.notes)


def _share(unit: Int[np.ndarray, " n"], free: Int[np.ndarray, " m"], recipe: Recipe, roles: int) -> tuple[float, str]:
    """The share of what is free that each role gets; 0 and the reason where that would be too little."""
    if recipe.protocol == "closed":
        return min(recipe.holdout / 2 * len(unit) / max(len(free), 1), 1 / roles), ""
    every, here = _several(unit), _several(free)
    each = max(recipe.holdout / 2 * every, FEWEST)
    wanted = f"to hold {FEWEST} out for each role: nothing is held out."
    if each * roles > every / 2:
        return 0.0, f"{many(every, 'identity')} with two or more items are too few {wanted}"
    if FEWEST * roles > here:
        return 0.0, f"The twin to start from has learned from all but {many(here, 'identity')}, too few {wanted}"
    return min(each / here, 1 / roles), ""


def _several(unit: Int[np.ndarray, " n"]) -> int:
    """Units of two or more items."""
    return int((np.bincount(unit) >= 2).sum()) if len(unit) else 0


_UNCALIBRATED = "The twin comes without a decision; calibrate it on other data: gemel calibrate MODEL DATA."


def _fingerprint(roles: dict[str, Int[np.ndarray, " n"]]) -> str:
    rows = [f"{name} {hashlib.sha256(np.sort(content).tobytes()).hexdigest()}" for name, content in roles.items()]
    return "\n".join(sorted(rows)) + "\n"
