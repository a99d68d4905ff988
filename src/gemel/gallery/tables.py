"""Everything that a gallery holds as one Parquet file, a row an item; and back from there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gemel.errors import DataError, GalleryError, require
from gemel.gallery.rows import Row, written
from gemel.gallery.store import Meta, Store

EMBEDDING_ID, DISTANCE = b"gemel.embedding_id", b"gemel.distance"
"""What the file says of the model, in its own metadata."""


def write_rows(out: str | Path, rows: Sequence[Row], store: Store) -> None:
    """Write rows with their originals. Raises MissingExtra without pyarrow."""
    require("pyarrow", extra="tables", purpose="write Parquet")
    import pyarrow as pa
    from pyarrow import parquet

    meta, originals = store.meta(), store.originals([row.id for row in rows])
    vectors = np.stack([row.vector for row in rows]) if rows else np.empty((0, meta.dim), np.float32)
    columns = {
        "id": pa.array([row.id for row in rows], pa.string()),
        "identity": pa.array([row.identity for row in rows], pa.string()),
        "name": pa.array([row.name for row in rows], pa.string()),
        "source": pa.array([row.source for row in rows], pa.string()),
        "content": pa.array([row.content for row in rows], pa.int64()),
        "metadata": pa.array([written(row.metadata) for row in rows], pa.string()),
        "embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), pa.float32()), meta.dim),
        "original": pa.array([originals.get(row.id) for row in rows], pa.binary()),
    }
    about = {EMBEDDING_ID: meta.embedding_id.encode(), DISTANCE: meta.distance.encode()}
    parquet.write_table(pa.table(columns).replace_schema_metadata(about), str(out))


def read_rows(file: str | Path, meta: Meta) -> list[Row]:
    """The rows of a file that `write_rows` wrote.

    Raises:
        DataError: it is something else.
        GalleryError: its embeddings are of another model.
    """
    require("pyarrow", extra="tables", purpose="read Parquet")
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(str(file))
        about = table.schema.metadata or {}
        said = about[EMBEDDING_ID].decode(), about[DISTANCE].decode()
        values = [table[name].to_pylist() for name in ("id", "identity", "name", "source", "content", "original")]
        metadata = [json.loads(text) for text in table["metadata"].to_pylist()]
        vectors = table["embedding"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
    except (OSError, KeyError, ValueError, pa.ArrowInvalid) as error:
        raise DataError(f"{file} is not what `gemel gallery export` wrote ({error!r}).") from None
    if said != (meta.embedding_id, meta.distance):
        raise GalleryError(f"{file} holds embeddings of another model than this gallery; they cannot be compared.")
    return [
        Row(row_id, identity, vectors[i].astype(np.float32), name, content, metadata[i], 0, source, original)
        for i, (row_id, identity, name, source, content, original) in enumerate(zip(*values, strict=True))
    ]
