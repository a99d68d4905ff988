"""What a gallery asks of whoever keeps its rows. Knows vectors and names; knows no items, models or verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from gemel.errors import GalleryError
from gemel.gallery.rows import Changes, Row, Seq

if TYPE_CHECKING:
    from jaxtyping import Float

CHANGED_MEANWHILE = (
    "Somebody enrolled or forgot meanwhile. Nothing was changed; do it again, and it goes on where it was."
)


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

        Raises:
            GalleryError: an embedding has another number of dimensions.
        """
        ...

    def remove(self, ids: Sequence[str]) -> Seq:
        """Remove rows; unknown ids are passed over. Returns the number of the last change."""
        ...

    def changes(self, since: Seq) -> Changes:
        """What changed after `since`, as it was at one moment."""
        ...

    def meta(self) -> Meta:
        """What the store holds."""
        ...

    def search(self, q: Float[np.ndarray, " d"], k: int, where: str | None = None) -> Hits | None:
        """The `k` nearest rows, of one identity with `where`; None: the caller searches what `changes` told."""
        ...

    def index(self) -> int | None:
        """Let `search` go through an index from now on; returns how many candidates it holds.

        None: it has none of its own, and the caller indexes what `changes` told.
        """
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


def refuse_strange(rows: Sequence[Row], dim: int, place: object) -> None:
    """Raise GalleryError where an embedding has another number of dimensions than the store."""
    for row in rows:
        if len(row.vector) != dim:
            raise GalleryError(
                f"{place} holds embeddings of {dim} dimensions; one of {len(row.vector)} came. Nothing was changed."
            )
