"""Which items train, stop, calibrate and test: nothing that hangs together is torn apart.

Open protocol: identities are disjoint. Closed: identities are shared, items are disjoint. Splits that the
data brings are taken as they are, and what leaks through them is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gemel.errors import NotEnoughData, RecipeError
from gemel.items.allot import in_order, quotas, stratified, weighted
from gemel.items.collection import Collection, Labels
from gemel.items.components import firsts
from gemel.items.splits import Splits, leaks, made
from gemel.items.units import units, who
from gemel.items.words import many

if TYPE_CHECKING:
    from jaxtyping import Float, Int

SHARES = {"train": 0.8, "stop": 0.1, "calibrate": 0.1}
"""What `split` makes when nothing else is asked for."""

BY = ("identity", "group", "time")


def split(
    collection: Collection,
    *,
    protocol: str = "open",
    shares: Mapping[str, float] | None = None,
    seed: int = 0,
    by: str = "identity",
    content: Int[np.ndarray, " n"] | None = None,
) -> Splits:
    """Split a collection.

    Args:
        collection: items with identities, or with *same* pairs whose chains then count as identities.
        protocol: open (test identities are new) or closed (their other items are).
        shares: name → share of the identities (open), items (closed), or groups; they sum to 1. Where the data
            brings splits, names that it lacks are cut from its train split.
        seed: same seed, same data: same splits.
        by: identity: balanced over groups where there are some, over identities when closed; group: no group stands
            in two splits; time: the earliest to the first share, and so on.
        content: numbers that are equal where items are exact duplicates, which then stay together (`Decoded.content`).

    Raises:
        RecipeError: a choice that does not exist.
        NotEnoughData: fewer identities, items or groups than splits.
    """
    _checked(collection, protocol, by)
    if collection.split is not None:
        return _given(collection, collection.split, protocol, shares or {}, seed, by, content)
    wanted = _shares(shares or SHARES)
    place = _placed(collection, wanted, protocol, seed, by, content)
    return made(collection, {name: code for code, name in enumerate(wanted)}, place, protocol, by)


def _placed(
    collection: Collection,
    shares: dict[str, float],
    protocol: str,
    seed: int,
    by: str,
    content: Int[np.ndarray, " n"] | None,
) -> Int[np.ndarray, " n"]:
    """The share that every item goes to, by its position among the shares."""
    apart = _open if protocol == "open" else _closed
    return apart(collection, shares, np.random.default_rng(seed), by, content)


def _checked(collection: Collection, protocol: str, by: str) -> None:
    if protocol not in ("open", "closed"):
        raise RecipeError(f"protocol = {protocol!r} does not exist; choose open or closed.")
    if by not in BY:
        raise RecipeError(f"by = {by!r} does not exist; choose one of {', '.join(BY)}.")
    if by != "identity" and getattr(collection, by) is None:
        raise RecipeError(f"{collection.origin} has no {by}, so it cannot be split by {by}.")


def _shares(shares: Mapping[str, float]) -> dict[str, float]:
    wanted = {name: float(share) for name, share in shares.items() if share != 0}
    if not wanted or min(wanted.values()) < 0 or abs(sum(wanted.values()) - 1) > 1e-6:
        raise RecipeError(f"Shares must be above 0 and sum to 1; {dict(shares)} sum to {sum(wanted.values()):g}.")
    return wanted


def _open(
    collection: Collection,
    shares: dict[str, float],
    rng: np.random.Generator,
    by: str,
    content: Int[np.ndarray, " n"] | None,
) -> Int[np.ndarray, " n"]:
    """Where every item goes when identities are kept apart."""
    if who(collection) is None and collection.pairs is None and collection.triplets is None:
        raise NotEnoughData(
            f"{collection.origin}: no identity and no pair is known, so there is nothing to keep apart. "
            "Give identities or pairs, or split with protocol='closed'."
        )
    unit = units(collection, groups=by == "group", content=content)
    count = int(unit.max(initial=-1)) + 1
    _enough(count, shares, collection, "group" if by == "group" else "identity")
    if by == "time" and collection.time is not None:
        return in_order(_earliest(collection.time, unit, count), list(shares.values()))[unit]
    weights = _weights(collection, unit, count)
    if weights.max() * 10 > weights.sum() * min(shares.values()) and weights.max() > 1:
        return weighted(weights, list(shares.values()), rng)[unit]
    least = 2 if count >= 3 * len(shares) else 1
    return stratified(_strata(collection, unit, count), quotas(count, list(shares.values()), least=least), rng)[unit]


def _closed(
    collection: Collection,
    shares: dict[str, float],
    rng: np.random.Generator,
    by: str,
    content: Int[np.ndarray, " n"] | None,
) -> Int[np.ndarray, " n"]:
    """Where every item goes when identities are shared."""
    if by == "time" and collection.time is not None:
        return in_order(collection.time, list(shares.values()))
    unit = units(collection, identities=False, groups=by == "group", content=content)
    count = int(unit.max(initial=-1)) + 1
    _enough(count, shares, collection, "group" if by == "group" else "item")
    first = firsts(unit, count)
    stands_for = who(collection)
    strata = np.zeros(count, np.int64) if stands_for is None or by == "group" else stands_for[first]
    place = stratified(strata, quotas(count, list(shares.values())), rng)
    if by != "group" and "train" in shares and collection.identity is not None:
        _one_to_train(place, collection.identity.codes[first], list(shares).index("train"))
    return place[unit]


def _one_to_train(place: Int[np.ndarray, " k"], identity: Int[np.ndarray, " k"], train: int) -> None:
    """Give every identity an item in train: those without one give up their first, in place."""
    known = np.flatnonzero(identity >= 0)
    count = int(identity.max(initial=-1)) + 1
    trained = np.bincount(identity[known[place[known] == train]], minlength=count)
    first = firsts(identity[known], count)
    place[known[first[(trained == 0) & (first < len(known))]]] = train


def _enough(count: int, shares: dict[str, float], collection: Collection, what: str) -> None:
    if count < len(shares):
        raise NotEnoughData(
            f"{collection.origin}: {many(count, what)} that can be kept apart, for {len(shares)} splits "
            f"({', '.join(shares)}). Give more, or fewer splits."
        )


def _earliest(time: Float[np.ndarray, " n"], unit: Int[np.ndarray, " n"], count: int) -> Float[np.ndarray, " k"]:
    earliest = np.full(count, np.inf)
    np.minimum.at(earliest, unit, time)
    return earliest


def _weights(collection: Collection, unit: Int[np.ndarray, " n"], count: int) -> Int[np.ndarray, " k"]:
    """What a unit counts for: its identities, or its items when only pairs are known."""
    stands_for = who(collection)
    if stands_for is None:
        return np.bincount(unit, minlength=count)
    where = firsts(stands_for[stands_for >= 0], int(stands_for.max(initial=-1)) + 1)
    owners = unit[stands_for >= 0][where[where < (stands_for >= 0).sum()]]
    return np.maximum(1, np.bincount(owners, minlength=count))


def _strata(collection: Collection, unit: Int[np.ndarray, " n"], count: int) -> Int[np.ndarray, " k"]:
    """Units that should be spread alike: of one group, and alike in standing alone or not."""
    alone = (np.bincount(unit, minlength=count) == 1).astype(np.int64)
    if collection.group is None:
        return alone
    return 2 * (collection.group.codes[firsts(unit, count)] + 1) + alone


def _given(
    collection: Collection,
    given: Labels,
    protocol: str,
    shares: Mapping[str, float],
    seed: int,
    by: str,
    content: Int[np.ndarray, " n"] | None,
) -> Splits:
    """The splits that the data brings, with what is lacking cut from train, and what leaks through them."""
    names = {name: code for code, name in enumerate(given.names) if (given.codes == code).any()}
    place = given.codes.copy()
    lacking = {name: share for name, share in shares.items() if name not in names and share}
    if lacking and "train" in names:
        rows = np.flatnonzero(place == names["train"])
        own = {"train": shares.get("train", 1 - sum(lacking.values())), **lacking}
        inner = _shares({name: share / sum(own.values()) for name, share in own.items()})
        train = collection.take(rows).with_(split=None)
        cut = _placed(train, inner, protocol, seed, by, None if content is None else content[rows])
        fresh = {name: len(given.names) + i for i, name in enumerate(lacking)}
        codes = np.array([fresh.get(name, names["train"]) for name in inner])
        place[rows] = codes[cut]
        names |= fresh
    parts = made(collection, names, place, protocol, by, given=True)
    return leaks(parts, collection, names, place, content)
