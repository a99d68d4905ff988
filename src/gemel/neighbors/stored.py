"""A graph in a file beside the rows: links only. The rows themselves, and what was removed, are not in it.

A copy of what can be built anew: whatever is wrong with it, delete it and build again.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gemel.errors import DataError
from gemel.neighbors.flat import Flat
from gemel.neighbors.hnsw import NOWHERE, Hnsw, Promise, embedded, library, metric

if TYPE_CHECKING:
    from jaxtyping import Int

MAGIC = b"gemel graph 1\n"
REBUILD = "It holds nothing that the rows do not: delete it, and build the graph again."


@dataclass(frozen=True)
class Header:
    """What a file says of itself.

    Attributes:
        key: what the rows belong to; for a gallery, its `embedding_id`.
        seq: the highest number of a row in the graph.
        count: nodes.
        dim: dimensions.
        distance: its name.
        promise: what was measured.
        sha256: of what follows.
    """

    key: str
    seq: int
    count: int
    dim: int
    distance: str
    promise: Promise
    sha256: str


def save(index: Hnsw, path: Path, numbers: Int[np.ndarray, " n"], key: str) -> Header:
    """Write the graph, whole or not at all.

    Args:
        index: what is saved.
        path: of the file.
        numbers: of the row at every place, rising with the places; not used again for another row.
        key: what the rows belong to.
    """
    module = library()
    numbered = np.where(index.place == NOWHERE, NOWHERE, np.append(numbers, 0)[index.place]).astype("<i8")
    body = numbered.tobytes() + module.serialize_index(index.graph, module.IO_FLAG_SKIP_STORAGE).tobytes()
    header = Header(
        key=key,
        seq=int(numbered.max(initial=NOWHERE)),
        count=len(numbered),
        dim=index.vectors.shape[1],
        distance=index.distance.name,
        promise=index.promise,
        sha256=hashlib.sha256(body).hexdigest(),
    )
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.writelines([MAGIC, json.dumps(asdict(header)).encode() + b"\n", body])
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return header


def load(path: Path, rows: Flat, numbers: Int[np.ndarray, " n"], key: str) -> Hnsw:
    """The graph of a file, over the rows as they are now: some may have gone since, others may have come.

    Args:
        path: of the file.
        rows: all of them; no gaps.
        numbers: of the row at every place, rising.
        key: what the rows belong to.

    Raises:
        DataError: it is damaged, or of other rows. It can be built again.
        MissingExtra: FAISS is not installed.
    """
    header, body = _opened(path)
    want = (key, rows.vectors.shape[1], rows.distance.name)
    if (header.key, header.dim, header.distance) != want:
        raise DataError(f"{path} is a graph of other embeddings, or for another distance. {REBUILD}")
    numbered = np.frombuffer(body[: 8 * header.count], "<i8")
    since = int(np.searchsorted(numbers, header.seq, side="right"))
    at = np.searchsorted(numbers, numbered)
    there = np.append(numbers, NOWHERE)[at] == numbered
    place = np.where(there & (numbered != NOWHERE), at, NOWHERE)
    if int((place != NOWHERE).sum()) != since:
        raise DataError(f"{path} does not know rows that were there when it was written. {REBUILD}")
    module = library()
    graph = module.deserialize_index(np.frombuffer(body[8 * header.count :], np.uint8))
    storage = module.IndexFlat(header.dim, metric(rows.distance))
    storage.add(embedded(np.append(rows.vectors, np.zeros((1, header.dim), np.float32), axis=0)[place], rows.distance))
    storage.this.disown()
    graph.storage, graph.own_fields = storage, True
    index = Hnsw(rows, graph, place, since, header.promise)
    index.cover(np.flatnonzero(place == NOWHERE))
    return index


def header(path: Path) -> Header:
    """What a file says of itself.

    Raises:
        DataError: it is damaged, or something else.
    """
    return _opened(path)[0]


def _opened(path: Path) -> tuple[Header, bytes]:
    content = path.read_bytes()
    if not content.startswith(MAGIC):
        raise DataError(f"{path} is not a graph that this version reads. {REBUILD}")
    line, _, body = content[len(MAGIC) :].partition(b"\n")
    try:
        said = json.loads(line)
        found = Header(**{**said, "promise": Promise(**said["promise"])})
    except (ValueError, TypeError, KeyError):
        raise DataError(f"{path} is damaged. {REBUILD}") from None
    if hashlib.sha256(body).hexdigest() != found.sha256:
        raise DataError(f"{path} is damaged: it is cut off, or not what was written. {REBUILD}")
    return found, body
