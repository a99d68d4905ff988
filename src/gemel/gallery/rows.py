"""Rows of a gallery: one, or many column by column; and what changed among them. Knows no store, and finds nothing."""

from __future__ import annotations

import heapq
import json
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import GalleryError

if TYPE_CHECKING:
    from jaxtyping import Float

Seq = int
"""Number of the last change: 0 in an empty store, rising by one with every row put or removed."""


@dataclass(frozen=True, eq=False)
class Row:
    """One enrolled item.

    Attributes:
        id: what the row is called, unique in its store.
        identity: whom it shows.
        vector: its embedding, float32 [dim].
        name: what the item was called.
        content: number that is equal exactly where the decoded item is equal.
        metadata: whatever the caller wants to find again; plain JSON values.
        seq: number of the change that put it; set by the store.
        source: where the item lay when it was enrolled, an absolute path; empty where it was no file.
        original: the item itself, to be kept; None in rows that a store tells of, which `originals` gives it for.
    """

    id: str
    identity: str
    vector: Float[np.ndarray, " d"]
    name: str = ""
    content: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    seq: Seq = 0
    source: str = ""
    original: bytes | None = None


@dataclass(frozen=True)
class Tombstone:
    """A row that is gone.

    Attributes:
        id: of the row.
        seq: number of the change that removed it.
    """

    id: str
    seq: Seq


class Columns:
    """Rows without their embeddings, column by column: what a `Row` has, with metadata as JSON text.

    A row of Python takes longer to make than to read, and most are never asked for by themselves.

    Args:
        seqs, ids, identities, names, sources, contents, metadata: as in `Row`, one of every row, by `seq`.
    """

    def __init__(
        self,
        seqs: Iterable[Seq] = (),
        ids: Iterable[str] = (),
        identities: Iterable[str] = (),
        names: Iterable[str] = (),
        sources: Iterable[str] = (),
        contents: Iterable[int] = (),
        metadata: Iterable[str] = (),
    ) -> None:
        self.seqs = array("q", seqs)
        self.ids, self.identities, self.names = list(ids), list(identities), list(names)
        self.sources, self.contents, self.metadata = list(sources), list(contents), list(metadata)

    @classmethod
    def of(cls, rows: Sequence[Row], since: Seq) -> Columns:
        """Those of rows, which are the changes after `since`."""
        return cls(
            range(since + 1, since + 1 + len(rows)),
            [row.id for row in rows],
            [str(row.identity) for row in rows],
            [row.name for row in rows],
            [row.source for row in rows],
            [row.content for row in rows],
            [written(row.metadata) for row in rows],
        )

    def __len__(self) -> int:
        return len(self.ids)

    def row(self, place: int, vector: Float[np.ndarray, " d"]) -> Row:
        """One row. Raises GalleryError where its metadata are damaged."""
        about = self.identities[place], vector, self.names[place], self.contents[place]
        return Row(self.ids[place], *about, self.said(place), self.seqs[place], self.sources[place])

    def said(self, place: int) -> dict[str, Any]:
        """The metadata of a row. Raises GalleryError where they are damaged."""
        try:
            return json.loads(self.metadata[place]) if self.metadata[place] != "{}" else {}
        except ValueError:
            whose = f"{self.names[place] or self.ids[place]!r} ({self.identities[place]})"
            raise GalleryError(
                f"The gallery is damaged: the metadata of {whose} are not what was written. Restore it from a copy, "
                "or rescue the rest with: gemel gallery rebuild"
            ) from None

    def extend(self, more: Columns) -> None:
        """Add rows; a text that many have is kept once."""
        self.seqs.extend(more.seqs)
        self.ids += more.ids
        self.identities += map(sys.intern, more.identities)
        self.names += more.names
        self.sources += more.sources
        self.contents += more.contents
        self.metadata += map(sys.intern, more.metadata)

    def take(self, places: Sequence[int]) -> Columns:
        """Some of the rows."""
        return Columns(
            [self.seqs[place] for place in places],
            [self.ids[place] for place in places],
            [self.identities[place] for place in places],
            [self.names[place] for place in places],
            [self.sources[place] for place in places],
            [self.contents[place] for place in places],
            [self.metadata[place] for place in places],
        )

    def clear(self, place: int) -> None:
        """Forget what is known of a row, but for its number."""
        for column in (self.ids, self.identities, self.names, self.sources):
            column[place] = ""
        self.contents[place], self.metadata[place] = 0, "{}"


@dataclass(frozen=True, eq=False)
class Changes:
    """What changed in a store, of every row the last; one by one, in order, where it is iterated over.

    Attributes:
        columns: of the rows that were put and are there.
        vectors: their embeddings.
        gone: the rows that were removed and are not there.
    """

    columns: Columns
    vectors: Float[np.ndarray, "n d"]
    gone: Sequence[Tombstone] = ()

    def rows(self) -> Iterator[Row]:
        """The rows that were put, one by one."""
        return (self.columns.row(i, self.vectors[i]) for i in range(len(self.columns)))

    @property
    def last(self) -> Seq:
        """Number of the last change; 0: nothing changed."""
        return max([*self.columns.seqs[-1:], *(row.seq for row in self.gone[-1:])], default=0)

    def __iter__(self) -> Iterator[Row | Tombstone]:
        return heapq.merge(self.rows(), self.gone, key=attrgetter("seq"))


def written(metadata: Mapping[str, Any]) -> str:
    """Metadata as text."""
    return json.dumps(dict(metadata), ensure_ascii=False) if metadata else "{}"
