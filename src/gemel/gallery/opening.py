"""Where a gallery is kept, from what its user calls it; and which twin goes with what is kept there."""

from __future__ import annotations

from pathlib import Path

from gemel.errors import DataError, GalleryError
from gemel.gallery.link import is_database
from gemel.gallery.memory import MemoryStore
from gemel.gallery.postgres import PostgresStore
from gemel.gallery.sqlite import SQLiteStore
from gemel.gallery.store import Meta, Store
from gemel.siamese.manifest import MANIFEST
from gemel.siamese.twin import Siamese


def opened(url: str | Path | None, twin: Siamese | None) -> Store:
    """The store of that name; a new one, with a copy of the twin in it, where there is none yet.

    Args:
        url: a file, or `postgresql://…`; None: in memory.
        twin: what embeds and compares; None: the one that is kept there.

    Raises:
        DataError: a gallery in memory needs a twin.
        GalleryError: it cannot be opened or made, or there is none and no twin to begin with.
    """
    if url is None:
        if twin is None:
            raise DataError("A gallery in memory needs a twin: Gallery(twin=Siamese.load('MODEL.gemel')).")
        return MemoryStore(*_meta(twin))
    if is_database(url):
        if twin is None or PostgresStore.holds(str(url)):
            return PostgresStore(str(url))
        return PostgresStore.create(str(url), Meta(*_meta(twin), 0), twin.pack())
    if Path(url).exists():
        return store_at(url)
    if twin is None:
        raise GalleryError(
            f"There is no gallery {url}. To begin one, name the model: gemel enroll {url} NAME FILE --model "
            "MODEL.gemel, or Gallery(url, twin)."
        )
    return SQLiteStore.create(url, Meta(*_meta(twin), 0), twin.pack())


def store_at(url: str | Path) -> Store:
    """The store that is there. Raises GalleryError where there is none."""
    return PostgresStore(str(url)) if is_database(url) else SQLiteStore(url)


def graph_of(url: str | Path | None) -> Path | None:
    """Where the index of a gallery lies; None where it is not kept."""
    return None if url is None or "://" in str(url) else Path(f"{url}.near")


def settled(store: Store, twin: Siamese | None, threads: int | None = None) -> Siamese:
    """The twin to compare with: the one given, if it embeds as the stored rows were embedded, or the one kept.

    A twin that was calibrated anew takes the place of the one that is kept.

    Raises:
        GalleryError: the rows were embedded by another one, or none is kept and none given.
    """
    meta = store.meta()
    if twin is None:
        kept = store.model()
        if not kept:
            raise GalleryError(
                "This gallery keeps no model. Open it once with the one that embedded its items: Gallery(url, twin), "
                "or gemel enroll with --model."
            )
        return Siamese.unpack(kept, "the gallery", threads=threads)
    if (meta.embedding_id, meta.distance) != (twin.embedding_id, twin.method.distance):
        raise GalleryError(
            "This gallery holds embeddings of another encoder, preparation, precision or distance; they cannot be "
            "compared with this twin's. Open it without naming a model, as it keeps its own; or move it to the new "
            "one: gemel gallery migrate."
        )
    files = twin.pack()
    if store.model(MANIFEST).get(MANIFEST) != files[MANIFEST]:
        store.keep_model(files)
    return twin


def _meta(twin: Siamese) -> tuple[str, int, str]:
    return twin.embedding_id, twin.method.dim, twin.method.distance
