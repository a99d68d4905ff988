"""A collection: items that are read lazily, and what is known of them. One value for every source.

Plain arrays of codes, so that ten million rows are cheap to open, subset and split; nothing is decoded here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from gemel.items.modality import Modality

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

UNKNOWN = -1
"""The code of an item whose identity, group or claimed identity is not known."""


@dataclass(frozen=True)
class Labels:
    """One value per item out of a set of names, as codes.

    Attributes:
        codes: position in `names` for each item; UNKNOWN (-1) where there is none.
        names: the distinct names, in order of their codes.
    """

    codes: Int[np.ndarray, " n"]
    names: Sequence[str]

    def take(self, rows: Int[np.ndarray, " m"]) -> Self:
        return replace(self, codes=self.codes[rows])


@dataclass(frozen=True)
class Pairs:
    """Pairs of items and what is known of each: same or not, or a score.

    Attributes:
        a, b: positions of the two items in the collection.
        same: whether they are the same; None when `score` is given.
        score: how similar, 0 to 1; None when `same` is given.
    """

    a: Int[np.ndarray, " m"]
    b: Int[np.ndarray, " m"]
    same: Bool[np.ndarray, " m"] | None = None
    score: Float[np.ndarray, " m"] | None = None

    def __len__(self) -> int:
        return len(self.a)


@dataclass(frozen=True)
class Triplets:
    """Triplets of items: the anchor is the same as the positive and different from the negative."""

    anchor: Int[np.ndarray, " m"]
    positive: Int[np.ndarray, " m"]
    negative: Int[np.ndarray, " m"]

    def __len__(self) -> int:
        return len(self.anchor)


@dataclass(frozen=True)
class Collection:
    """Items, lazily decoded, and what is known of them.

    Attributes:
        modality: how the items are decoded and prepared.
        sources: what `modality.load` takes, shared between a collection and its subsets.
        rows: the items of this collection, as positions in `sources`.
        identity: what makes two items the same; None when nothing is known.
        group: a coarser family (alphabet, category, session); None when there is none.
        split: the split each item was given to (train, stop, calibrate, test); None when none was given.
        impostor_of: the identity an item pretends to be (a skilled forgery); such an item has no identity itself.
        time: seconds or any increasing number, for splits by time.
        pairs, triplets: explicit pairs and triplets, by position in this collection.
        names: what each source is called in messages: a path relative to the root, or an id. Parallel to `sources`.
        origin: where the collection came from, for messages.
        notes: what reading had to say (bad rows, guessed columns), for the one summary at the end.
    """

    modality: Modality
    sources: Sequence[Any]
    rows: Int[np.ndarray, " n"]
    identity: Labels | None = None
    group: Labels | None = None
    split: Labels | None = None
    impostor_of: Labels | None = None
    time: Float[np.ndarray, " n"] | None = None
    pairs: Pairs | None = None
    triplets: Triplets | None = None
    names: Sequence[str] = ()
    origin: str = "items"
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.rows)
