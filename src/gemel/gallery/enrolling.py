"""From embedded items to the rows that a store keeps. Writes nothing."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gemel.gallery.originals import LIGHT, original_of
from gemel.gallery.rows import Row
from gemel.items.collection import Collection
from gemel.siamese.embedding import Embedded, Embeddings


def rows_of(
    identities: list[str], given: Collection, found: Embeddings, metadata: Mapping[str, Any] | None, *, keep: bool
) -> Iterator[Row]:
    """A row for every embedding.

    Args:
        identities: whom each embedding shows.
        given: the items that were embedded.
        found: their embeddings.
        metadata: of all of them.
        keep: keep the items themselves too, where that is not done anyway.
    """
    keep = keep or given.modality.name in LIGHT
    for i, row in enumerate(found.index.tolist()):
        source = given.source(row)
        source = source.source if isinstance(source, Embedded) else source
        yield Row(
            id=uuid.uuid4().hex,
            identity=identities[i],
            vector=found.vectors[i].copy(),
            name=given.name(row),
            content=int(found.content[i]),
            metadata=dict(metadata or {}),
            source=_place(source, given.modality.name),
            original=original_of(source, given.modality) if keep else None,
        )


def _place(source: Any, kind: str) -> str:
    """Where an item lies, if it is a file."""
    if isinstance(source, Path) or (isinstance(source, str) and kind != "text"):
        place = Path(source).absolute()
        return str(place) if place.is_file() else ""
    return ""
