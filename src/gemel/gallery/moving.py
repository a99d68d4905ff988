"""A gallery that moves to another model: everything is embedded anew, and exchanged in one step.

What is embedded lies in a file beside the gallery until then, or in the working directory where the gallery is in a
database, so that an interrupted move goes on where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gemel.errors import TooManyBad
from gemel.gallery.link import Place, is_database
from gemel.gallery.opening import graph_of, store_at
from gemel.gallery.originals import item_of
from gemel.gallery.rows import Row
from gemel.gallery.sqlite import SQLiteStore
from gemel.gallery.store import Meta, Store
from gemel.items.decoded import Bad, listed
from gemel.siamese.embedding import Progress
from gemel.siamese.twin import Siamese

AT_ONCE = 256
"""Items that are embedded and then kept together."""


@dataclass(frozen=True)
class Moved:
    """What came of moving a gallery to another model.

    Attributes:
        items: how many it has now.
        dropped: items that could not be had any more and were left out.
    """

    items: int
    dropped: tuple[Bad, ...] = ()


def migrate(url: str | Path, twin: Siamese, *, drop: bool = False, progress: Progress | None = None) -> Moved:
    """Embed everything that a gallery holds with another twin; all of it, or nothing has changed.

    Items come from what the gallery keeps of them, otherwise from the files that were enrolled.

    Args:
        url: where the gallery is kept.
        twin: what embeds and compares from now on.
        drop: leave out items that cannot be had any more, instead of leaving the gallery as it is.
        progress: called with (items done, items in all).

    Raises:
        TooManyBad: items cannot be had any more, and `drop` was not said.
        GalleryError: somebody wrote meanwhile; to move again goes on where this ended.
    """
    store, aside = store_at(url), aside_of(url)
    before = store.meta()
    goal = Meta(twin.embedding_id, twin.method.dim, twin.method.distance, before.seq)
    beside = _beside(aside, goal)
    try:
        rows = list(store.changes(0).rows())
        done = {row.id: row.vector for row in beside.changes(0).rows()}
        beside.remove(list(done.keys() - {row.id for row in rows}))
        todo, bad = [row for row in rows if row.id not in done], list[Bad]()
        for start in range(0, len(todo), AT_ONCE):
            part = todo[start : start + AT_ONCE]
            fresh, lost = _embedded(part, store, twin)
            beside.put(fresh)
            bad += lost
            done |= {row.id: row.vector for row in fresh}
            if progress is not None:
                progress(start + len(part), len(todo))
        if bad and not drop:
            raise TooManyBad(
                f"{len(bad):,} of {len(rows):,} items cannot be had any more: {listed(tuple(bad))}. Nothing was "
                "changed. Put the files back, or leave them out with --drop; enrol with --keep, and a gallery keeps "
                "what it is given."
            )
        store.exchange(goal, {row.id: done[row.id] for row in rows if row.id in done}, twin.pack())
    finally:
        beside.close()
        store.close()
    graph = graph_of(url)  # of embeddings that are there no more
    for file in (aside, Path(f"{aside}-wal"), Path(f"{aside}-shm"), *([] if graph is None else [graph])):
        file.unlink(missing_ok=True)
    return Moved(len(rows) - len(bad), tuple(bad))


def aside_of(url: str | Path) -> Path:
    """Where new embeddings gather while a gallery moves; it stays there where the move was interrupted."""
    return Path(f"{Place.of(str(url)).plain if is_database(url) else url}.moving")


def forget_aside(url: str | Path, ids: Sequence[str]) -> None:
    """Remove rows from what an interrupted move has left, too."""
    if aside_of(url).exists():
        beside = SQLiteStore(aside_of(url))
        beside.remove(ids)
        beside.close()


def _beside(aside: Path, goal: Meta) -> SQLiteStore:
    """Where the new embeddings gather; those of an earlier move to the same model are there already."""
    if aside.exists():
        found = SQLiteStore(aside)
        if found.meta().embedding_id == goal.embedding_id:
            return found
        found.close()
        aside.unlink()
    return SQLiteStore.create(aside, goal, {})


def _embedded(rows: Sequence[Row], store: Store, twin: Siamese) -> tuple[list[Row], list[Bad]]:
    """The rows with new embeddings, and those that cannot be had."""
    kept = store.originals([row.id for row in rows])
    items = [item_of(kept[row.id], twin.modality) if row.id in kept else Path(row.source) for row in rows]
    found = twin.embed(items)
    fresh = [Row(rows[i].id, "", found.vectors[place]) for place, i in enumerate(found.index.tolist())]
    return fresh, [Bad(rows[bad.row].name, bad.reason, bad.row) for bad in found.bad]
