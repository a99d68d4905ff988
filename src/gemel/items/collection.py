"""A collection: items that are read lazily, and what is known of them. One value for every source.

Plain arrays of codes, so that ten million rows are cheap to open, subset and split; nothing is decoded here.
Must not know where items come from, nor how a modality decodes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import DataError
from gemel.items.counts import Counts, counted, described
from gemel.items.modality import Modality, Raw

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

    @classmethod
    def of(cls, values: Sequence[Any] | np.ndarray) -> Labels:
        """Codes of any values, by their text, in order of first appearance; None and NaN are UNKNOWN.

        >>> Labels.of(["b", "a", None, "b"]).codes
        array([ 0,  1, -1,  0])
        """
        seen: dict[str, int] = {}
        codes = [UNKNOWN if v is None or v != v else seen.setdefault(str(v), len(seen)) for v in values]
        return cls(np.array(codes, np.int64), list(seen))

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: Int[np.ndarray, " m"]) -> Labels:
        return replace(self, codes=self.codes[rows])

    def value(self, i: int) -> str | None:
        """The name of item i; None where it is not known."""
        code = int(self.codes[i])
        return None if code == UNKNOWN else self.names[code]

    def counts(self) -> Int[np.ndarray, " k"]:
        """Items of every name, in order of the names."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.names))


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

    def alike(self) -> Bool[np.ndarray, " m"]:
        """Which pairs hold their items together: the same ones, or those with a score of a half and more."""
        if self.same is not None:
            return self.same
        return np.ones(len(self), bool) if self.score is None else self.score >= 0.5

    def moved(self, place: Int[np.ndarray, " n"]) -> Pairs:
        """The pairs after item i has moved to `place[i]`; pairs with an end at UNKNOWN are dropped."""
        kept = (place[self.a] >= 0) & (place[self.b] >= 0)
        return type(self)(
            place[self.a[kept]],
            place[self.b[kept]],
            None if self.same is None else self.same[kept],
            None if self.score is None else self.score[kept],
        )


@dataclass(frozen=True)
class Triplets:
    """Triplets of items: the anchor is the same as the positive and different from the negative."""

    anchor: Int[np.ndarray, " m"]
    positive: Int[np.ndarray, " m"]
    negative: Int[np.ndarray, " m"]

    def __len__(self) -> int:
        return len(self.anchor)

    def moved(self, place: Int[np.ndarray, " n"]) -> Triplets:
        """The triplets after item i has moved to `place[i]`; those with an item at UNKNOWN are dropped."""
        columns = np.stack([place[self.anchor], place[self.positive], place[self.negative]])
        return type(self)(*columns[:, (columns >= 0).all(axis=0)])


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
        impostor_of: the identity an item pretends to be (a skilled forgery), in the codes of `identity.names`;
            such an item has no identity itself.
        time: seconds or any increasing number, for splits by time.
        pairs, triplets: explicit pairs and triplets, by position in this collection.
        names: what each source is called in messages: a path relative to the root, or an id. Parallel to `sources`.
        origin: where the collection came from, for messages.
        notes: what reading had to say (bad rows, guessed columns), for the one summary at the end.

    Raises:
        DataError: a field does not have one value per item.
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

    def __post_init__(self) -> None:
        for what in ("identity", "group", "split", "impostor_of", "time"):
            value = getattr(self, what)
            if value is not None and len(value) != len(self.rows):
                raise DataError(
                    f"{self.origin}: {what} has {len(value):,} values for {len(self.rows):,} items; give one per item."
                )

    def __len__(self) -> int:
        return len(self.rows)

    def source(self, i: int) -> Any:
        """What `modality.load` takes for item i."""
        return self.sources[int(self.rows[i])]

    def load(self, i: int) -> Raw:
        """Item i, decoded. Raises UnreadableItem."""
        return self.modality.load(self.source(i))

    def name(self, i: int) -> str:
        """What item i is called in messages; always printable."""
        row = int(self.rows[i])
        source = self.names[row] if len(self.names) else self.sources[row]
        named = hasattr(source, "__fspath__") or (isinstance(source, str) and source.strip())
        text = str(source) if named else f"{self.origin} row {row}"
        return text.encode("utf-8", "replace").decode("utf-8")

    def with_(self, **changes: Any) -> Collection:
        """The same collection with some fields changed."""
        return replace(self, **changes)

    def noted(self, *notes: str) -> Collection:
        """The same collection with notes added."""
        return replace(self, notes=(*self.notes, *notes))

    def take(self, rows: Int[np.ndarray, " m"] | Bool[np.ndarray, " n"] | Sequence[int]) -> Collection:
        """Some items, by position in this collection or by a mask; pairs and triplets that lack an end are dropped.

        Names of identities and groups keep their codes.
        """
        chosen = np.asarray(rows)
        chosen = np.flatnonzero(chosen) if chosen.dtype == bool else chosen.astype(np.int64)
        place = np.full(len(self), UNKNOWN, np.int64)
        place[chosen] = np.arange(len(chosen))
        return replace(
            self,
            rows=self.rows[chosen],
            identity=_taken(self.identity, chosen),
            group=_taken(self.group, chosen),
            split=_taken(self.split, chosen),
            impostor_of=_taken(self.impostor_of, chosen),
            time=None if self.time is None else self.time[chosen],
            pairs=None if self.pairs is None else self.pairs.moved(place),
            triplets=None if self.triplets is None else self.triplets.moved(place),
        )

    def within(self, whole: Collection) -> Int[np.ndarray, " n"]:
        """Where the items stand in the collection that they were taken from."""
        order = np.argsort(whole.rows, kind="stable")
        return order[np.searchsorted(whole.rows, self.rows, sorter=order)]

    def counts(self) -> Counts:
        """How much of everything there is."""
        return counted(self)

    def summary(self) -> str:
        """What the collection holds, in plain words, one fact a line; notes of the reading come last."""
        return "\n".join([*described(self), *self.notes])


def _taken(labels: Labels | None, rows: Int[np.ndarray, " m"]) -> Labels | None:
    return None if labels is None else labels.take(rows)
