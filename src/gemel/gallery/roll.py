"""Who stands at which place of a matrix: rows column by column, found by id, by identity, by metadata.

Knows no vectors, and where a row stands only as it is told.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.gallery.rows import Columns, Seq

if TYPE_CHECKING:
    from jaxtyping import Int


class Roll:
    """Rows in the order they were put; those that were removed keep their places until `take`."""

    def __init__(self) -> None:
        self.columns = Columns()
        self._place: dict[str, int] = {}
        self._members: dict[str, int | list[int]] = {}  # most have one: a list for each would keep the collector busy
        self._parsed: dict[str, Mapping[str, Any]] = {}

    def __len__(self) -> int:
        return len(self._place)

    def __contains__(self, row_id: str) -> bool:
        return row_id in self._place

    def add(self, more: Columns) -> None:
        """Rows at the next places."""
        start = len(self.columns)
        self.columns.extend(more)
        self._enter(start)

    def remove(self, ids: Iterable[str]) -> list[int]:
        """Forget rows; those that are not there are passed over. Returns their places, the last first."""
        places = sorted((self._place.pop(row_id) for row_id in ids if row_id in self._place), reverse=True)
        for place in places:
            identity = self.columns.identities[place]
            members = self._members[identity]
            if isinstance(members, list) and len(members) > 1:
                del members[bisect_left(members, place)]
            else:
                del self._members[identity]
            self.columns.clear(place)
        if places:
            self._parsed.clear()
        return places

    def take(self, places: Sequence[int]) -> None:
        """Only the rows at these places, in this order, from now on."""
        self.columns = self.columns.take(places)
        order = dict.fromkeys(self._members)
        self._place.clear()
        self._members.clear()
        self._enter(0)
        self._members = {identity: self._members[identity] for identity in order}

    def place(self, row_id: str) -> int | None:
        """Where a row stands; None: nowhere."""
        return self._place.get(row_id)

    def places(self, identity: str) -> Sequence[int]:
        """Where the rows of an identity stand, in the order they were put."""
        found = self._members.get(identity, ())
        return (found,) if isinstance(found, int) else found

    def all(self) -> list[int]:
        """Where there are rows, in the order they were put."""
        return list(self._place.values())

    def since(self, seq: Seq) -> list[int]:
        """Where there are rows that were put after that change."""
        columns = self.columns
        first = bisect_right(columns.seqs, seq)
        return [place for place in range(first, len(columns)) if self._place.get(columns.ids[place]) == place]

    def identities(self) -> tuple[str, ...]:
        """Every identity, in the order of its first enrolment."""
        return tuple(self._members)

    def known(self) -> int:
        """How many identities there are."""
        return len(self._members)

    def contents(self, identity: str) -> set[int]:
        """What the items of an identity hold."""
        return {self.columns.contents[place] for place in self.places(identity)}

    def named(self) -> set[tuple[str, str]]:
        """Identity and name of every item."""
        return {(self.columns.identities[place], self.columns.names[place]) for place in self._place.values()}

    def fitting(self, where: Mapping[str, Any]) -> list[int]:
        """Where rows stand whose metadata have these values; a list allows any of several."""
        columns = self.columns
        for place in self._place.values():
            if columns.metadata[place] not in self._parsed:
                self._parsed[columns.metadata[place]] = columns.said(place)
        fits = {text: _fits(said, where) for text, said in self._parsed.items()}
        return [place for place in self._place.values() if fits[columns.metadata[place]]]

    def numbers(self) -> Int[np.ndarray, " n"]:
        """Of the change that put the row at every place."""
        return np.array(self.columns.seqs, np.int64)

    def _enter(self, start: int) -> None:
        """Note where the rows from that place on stand."""
        self._place.update(zip(self.columns.ids[start:], range(start, len(self.columns)), strict=True))
        members = self._members
        for place, identity in enumerate(self.columns.identities[start:], start):
            before = members.get(identity)
            if before is None:
                members[identity] = place
            elif isinstance(before, int):
                members[identity] = [before, place]
            else:
                before.append(place)


def _fits(metadata: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    return all(
        metadata.get(name) in (wanted if isinstance(wanted, list | tuple | set | frozenset) else (wanted,))
        for name, wanted in where.items()
    )
