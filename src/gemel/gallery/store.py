"""What a gallery asks of whoever keeps its rows. Knows vectors and names; knows no items, models or verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float

CHANGED_MEANWHILE = (
    "Somebody enrolled or forgot meanwhile. Nothing was changed; do it again, and it goes on where it was."
)

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


@dataclass(frozen=True)
class Meta:
    """What a store holds.

    Attributes:
        embedding_id: of the twin whose embeddings these are.
        dim: dimensions of an embedding.
        distance: name of the distance that searches.
        seq: number of the last change.
    """

    embedding_id: str
    dim: int
    distance: str
    seq: Seq


@dataclass(frozen=True)
class Hits:
    """The nearest rows, nearest first; among equals the earlier put.

    Attributes:
        ids: of the rows.
        distance: how far each is, as `Distance.paired` says.
    """

    ids: tuple[str, ...]
    distance: Float[np.ndarray, " k"]


@runtime_checkable
class Store(Protocol):
    """Keeps rows. Every change is whole or not at all, and stays once the call has returned."""

    def put(self, rows: Sequence[Row]) -> Seq:
        """Add rows; one with a known id replaces the older one, whose original stays unless another one comes.

        Returns the number of the last change.
        """
        ...

    def remove(self, ids: Sequence[str]) -> Seq:
        """Remove rows; unknown ids are passed over. Returns the number of the last change."""
        ...

    def changes(self, since: Seq) -> Iterator[Row | Tombstone]:
        """What changed after `since`, in order; of a row that changed often, the last is enough."""
        ...

    def meta(self) -> Meta:
        """What the store holds."""
        ...

    def search(self, q: Float[np.ndarray, " d"], k: int, where: str | None = None) -> Hits | None:
        """The `k` nearest rows, of one identity with `where`; None: the caller searches what `changes` told."""
        ...

    def originals(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        """The originals of rows, by id, as far as they are kept."""
        ...

    def exchange(self, meta: Meta, vectors: Mapping[str, Float[np.ndarray, " d"]], model: Mapping[str, bytes]) -> None:
        """Put other embeddings in place of all, and the model that they are of; rows without one are removed.

        Raises:
            GalleryError: there were changes after `meta.seq`.
        """
        ...

    def model(self, *names: str) -> Mapping[str, bytes]:
        """The files of the model that embedded the rows, by name, or only these; none where none is kept."""
        ...

    def keep_model(self, files: Mapping[str, bytes]) -> None:
        """Keep these files, as a model folder has them, instead of those that are kept."""
        ...

    def close(self) -> None:
        """Let go of files and connections; the store is not used again."""
        ...
