"""All items of a collection decoded once: side by side in memory, or in a file that is mapped into it.

Bad items are skipped, counted and named together. Knows threads and the cache; knows no modality from inside.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import NotEnoughData, TooManyBad, UnreadableItem
from gemel.items import cache as caching
from gemel.items.collection import Collection
from gemel.items.decoded import Bad, Decoded, content_id, listed
from gemel.items.modality import Raws
from gemel.items.words import many, size

if TYPE_CHECKING:
    from jaxtyping import Int

CHUNK = 64
"""Items that one thread decodes before it reports."""

FORMAT = 1
"""Raised when the same file and settings may decode to other pixels than before."""

Progress = Callable[[int, int], None]


def decode(
    collection: Collection,
    *,
    allow_bad: float | int = 0.01,
    cache: str | Path | bool | None = None,
    progress: Progress | None = None,
) -> Decoded:
    """Decode every item of a collection.

    Args:
        collection: what to decode.
        allow_bad: share of items that may be bad, 0 to 1.
        cache: None: in memory, and in the cache folder when that would take more than a quarter of what is free;
            False: in memory; True: in the cache folder; a path: in that folder. A cache is reused while paths,
            sizes and times of the files and the settings of the modality are the same.
        progress: called with (items done, items in all), from this thread.

    Raises:
        NotEnoughData: the collection is empty.
        TooManyBad: more items are bad than allowed, or all of them; the first few are named.
        DataError: the disk has no room for the cache.
    """
    if not len(collection):
        raise NotEnoughData(f"{collection.origin}: there are no items to decode.")
    folder = _folder(collection, cache)
    if folder is None:
        return _decoded(collection, _room(collection), allow_bad, progress)
    key = cache_key(collection)
    if key is None:
        raws = caching.scratch(folder, *_whole(collection))
        note = f"Decoded items are in a temporary file in {folder} ({size(raws.nbytes)}); GEMEL_CACHE moves it."
        return _decoded(collection, raws, allow_bad, progress, note)
    return _kept(collection, folder, key, allow_bad, progress)


def cache_key(collection: Collection) -> str | None:
    """A name for the decoded items that changes with any path, size, time or setting; None where not all are files."""
    config = collection.modality.config()
    digest = hashlib.sha256(json.dumps([FORMAT, config], sort_keys=True).encode())
    for i in range(len(collection)):
        source = collection.source(i)
        if not isinstance(source, str):
            return None
        try:
            about = os.stat(source)  # noqa: PTH116 (no Path for each of ten million)
            line = f"{source}\0{about.st_size}\0{about.st_mtime_ns}\n"
        except (OSError, ValueError):
            line = f"{source}\0\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:32]


def _folder(collection: Collection, cache: str | Path | bool | None) -> Path | None:
    """Where the decoded items go; None: into memory."""
    if cache is False or _shape(collection) is None:
        return None
    if isinstance(cache, str | Path):
        return Path(cache)
    shape, dtype = _whole(collection)
    large = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize > caching.free_memory() // 4
    return caching.cache_folder() if cache or large else None


def _shape(collection: Collection) -> tuple[int, ...] | None:
    """The shape of every decoded item; None where they differ."""
    return getattr(collection.modality, "shape", None)


def _whole(collection: Collection) -> tuple[tuple[int, ...], np.dtype]:
    dtype: np.dtype = getattr(collection.modality, "dtype", np.dtype(np.float32))
    return (len(collection), *(_shape(collection) or ())), dtype


def _room(collection: Collection) -> Any:
    return [None] * len(collection) if _shape(collection) is None else np.empty(*_whole(collection))


def _kept(collection: Collection, folder: Path, key: str, allow_bad: float | int, progress: Progress | None) -> Decoded:
    """From the cache, after decoding into it where it is not there yet."""
    entry = caching.kept(folder, key)
    reused = entry is not None
    if entry is None:
        draft = caching.Draft(folder, *_whole(collection))
        try:
            fresh = _decoded(collection, draft.raws, allow_bad, progress)
            bad = [(b.row, b.name, b.reason) for b in fresh.bad]
            content, good = fresh.content, fresh.good
            del fresh
            draft.keep(key, content, good, bad)
        except BaseException:
            draft.drop()
            raise
        entry = caching.kept(folder, key)
        if entry is None:
            return _decoded(collection, _room(collection), allow_bad, progress)
    named = [Bad(collection.name(row), reason, row) for row, _, reason in entry.bad]
    _refuse(collection, named, len(collection), allow_bad)
    verb = "reused from" if reused else "kept in"
    note = (
        f"Decoded items are {verb} {folder} ({size(entry.raws.nbytes)}); GEMEL_CACHE moves it, clear_cache empties it."
    )
    return Decoded(entry.raws, entry.good, tuple(named), entry.content, (note,))


def _decoded(
    collection: Collection, raws: Any, allow_bad: float | int, progress: Progress | None, note: str = ""
) -> Decoded:
    content = np.zeros(len(collection), np.int64)
    bad = _fill(collection, raws, content, allow_bad, progress)
    good = np.setdiff1d(np.arange(len(collection)), [b.row for b in bad])
    return Decoded(_compact(raws, good), good, tuple(bad), content[good], (note,) if note else ())


def _fill(
    collection: Collection, raws: Any, content: Int[np.ndarray, " n"], allow_bad: float | int, progress: Progress | None
) -> list[Bad]:
    """Decode into `raws` and `content`, in place; returns the bad items."""
    n = len(collection)
    starts = range(0, n, CHUNK)
    bad: list[Bad] = []

    def part(start: int) -> list[Bad]:
        return [b for i in range(start, min(start + CHUNK, n)) if (b := _one(collection, i, raws, content))]

    with ThreadPoolExecutor(min(16, (os.cpu_count() or 1) + 1)) as pool:
        try:
            for start, found in zip(starts, pool.map(part, starts), strict=True):
                bad += found
                done = min(start + CHUNK, n)
                _refuse(collection, bad, done, allow_bad)
                if progress is not None:
                    progress(done, n)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return bad


def _one(collection: Collection, i: int, raws: Any, content: Int[np.ndarray, " n"]) -> Bad | None:
    try:
        raws[i] = raw = collection.load(i)
    except UnreadableItem as error:
        return Bad(collection.name(i), error.reason, i)
    content[i] = content_id(raw)
    return None


def _compact(raws: Any, good: Int[np.ndarray, " n"]) -> Raws:
    """The good items moved together at the front, in place."""
    if isinstance(raws, list):
        return [raws[i] for i in good]
    if len(good) < len(raws):
        for start in range(0, len(good), CHUNK):
            rows = good[start : start + CHUNK]
            raws[start : start + len(rows)] = raws[rows]
    return raws[: len(good)]


def _refuse(collection: Collection, bad: list[Bad], done: int, allow_bad: float | int) -> None:
    """Raises TooManyBad when more are bad than allowed, or all of them."""
    n = len(collection)
    if len(bad) <= allow_bad * n and len(bad) < n:
        return
    so_far = "" if done == n else f" among the first {done:,}"
    raise TooManyBad(
        f"{collection.origin}: {len(bad):,} of {many(n, 'item')} cannot be decoded{so_far}, more than "
        f"the {allow_bad:.1%} allowed: {listed(bad)}. Repair or remove them, or allow a larger share with allow_bad."
    )
