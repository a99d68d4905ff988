"""The parts of a collection by the name of their split, and what leaks between parts that were given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from gemel.errors import DataError
from gemel.items.collection import Collection
from gemel.items.overlap import Shared, overlap
from gemel.items.words import many

if TYPE_CHECKING:
    from jaxtyping import Int


@dataclass(frozen=True, eq=False)
class Splits(Mapping[str, Collection]):
    """Collections by the name of their split.

    Attributes:
        parts: name → items; every item stands in at most one.
        protocol: open or closed.
        by: what was kept together: identity, group or time.
        given: whether the data brought its own splits.
        dropped_pairs: explicit pairs and triplets that had their ends in different splits.
        shared: what splits share that the protocol keeps apart, by "train and test"; only splits that the data
            brought can share anything.
        notes: all of this in words.
    """

    parts: dict[str, Collection]
    protocol: str
    by: str
    given: bool = False
    dropped_pairs: int = 0
    shared: Mapping[str, Shared] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Collection:
        if name not in self.parts:
            raise DataError(f"There is no split {name!r}; there are {', '.join(self.parts)}.")
        return self.parts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)

    def __contains__(self, name: object) -> bool:
        return name in self.parts


def made(
    collection: Collection,
    names: dict[str, int],
    place: Int[np.ndarray, " n"],
    protocol: str,
    by: str,
    given: bool = False,
) -> Splits:
    """The parts, given the code of each name and where every item goes; pairs between parts are dropped and counted."""
    rows = {name: np.flatnonzero(place == code) for name, code in names.items()}
    parts = {name: collection.take(r).with_(split=None) for name, r in rows.items()}
    dropped = _ties(collection) - sum(_ties(part) for part in parts.values())
    notes = []
    if dropped:
        notes.append(f"{many(dropped, 'pair')} dropped, their items stand in different splits.")
    left = len(collection) - sum(len(part) for part in parts.values())
    if left:
        notes.append(f"{many(left, 'item')} left out, given to no split.")
    return Splits(parts, protocol, by, given, dropped, {}, tuple(notes))


def _ties(collection: Collection) -> int:
    return len(collection.pairs or ()) + len(collection.triplets or ())


def leaks(
    parts: Splits,
    collection: Collection,
    names: dict[str, int],
    place: Int[np.ndarray, " n"],
    content: Int[np.ndarray, " n"] | None,
) -> Splits:
    """What splits that were given share, although the protocol keeps it apart."""
    shared, notes = {}, list(parts.notes)
    for a, b in combinations(parts.parts, 2):
        ids = None if content is None else (content[place == names[a]], content[place == names[b]])
        found = overlap(parts[a], parts[b], content=ids)
        found = Shared((), found.duplicates) if parts.protocol == "closed" else found
        if found:
            shared[f"{a} and {b}"] = found
            notes.append(f"The given splits {a} and {b} share {found.summary()}: results on {b} are too good.")
    notes += _torn(collection, place) if parts.protocol == "open" else []
    return Splits(parts.parts, parts.protocol, parts.by, True, parts.dropped_pairs, shared, tuple(notes))


def _torn(collection: Collection, place: Int[np.ndarray, " n"]) -> list[str]:
    if collection.pairs is None:
        return []
    alike, pairs = collection.pairs.alike(), collection.pairs
    torn = int((alike & (place[pairs.a] != place[pairs.b])).sum())
    return [f"{many(torn, 'same pair')} between different given splits: identities leak."] if torn else []
