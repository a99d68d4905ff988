"""All items of a collection decoded once: side by side in memory, or in a file that is mapped into it.

Bad items are skipped, counted and named together. Knows threads and files; knows no modality from inside.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import NotEnoughData, TooManyBad, UnreadableItem
from gemel.items.collection import Collection
from gemel.items.modality import Raw, Raws
from gemel.items.words import first, many

if TYPE_CHECKING:
    from jaxtyping import Int

CHUNK = 64
"""Items that one thread decodes before it reports."""


@dataclass(frozen=True)
class Bad:
    """An item that could not be decoded.

    Attributes:
        name: what the item is called.
        reason: why, in a few words.
        row: its position in the collection.
    """

    name: str
    reason: str
    row: int


@dataclass(frozen=True)
class Decoded:
    """The items of a collection that could be decoded.

    Attributes:
        raws: decoded items [n, ...] of one shape, in memory or mapped from a file; a list when shapes differ.
        good: where each of them stands in the collection.
        bad: the others.
        content: 63-bit numbers that are equal exactly where the decoded bytes are equal; comparable between
            collections that were decoded with the same modality.
        notes: where the items are kept.
    """

    raws: Raws
    good: Int[np.ndarray, " n"]
    bad: tuple[Bad, ...]
    content: Int[np.ndarray, " n"]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.good)

    def summary(self) -> str:
        """How many items were decoded, how many not and why, and how many are exact duplicates."""
        lines = [f"{many(len(self), 'item')} decoded."]
        if self.bad:
            lines.append(f"{many(len(self.bad), 'item')} skipped: {_named(self.bad)}.")
        duplicates = len(self.content) - len(np.unique(self.content))
        if duplicates:
            lines.append(f"{many(duplicates, 'item')} with exactly the content of another.")
        return "\n".join([*lines, *self.notes])


def decode(
    collection: Collection, *, allow_bad: float = 0.01, progress: Callable[[int, int], None] | None = None
) -> Decoded:
    """Decode every item of a collection.

    Args:
        collection: what to decode.
        allow_bad: share of items that may be bad, 0 to 1.
        progress: called with (items done, items in all), from this thread.

    Raises:
        NotEnoughData: the collection is empty.
        TooManyBad: more items are bad than allowed, or all of them; the first few are named.
    """
    if not len(collection):
        raise NotEnoughData(f"{collection.origin}: there are no items to decode.")
    n = len(collection)
    raws = _room(collection)
    content = np.zeros(n, np.int64)
    bad = _fill(collection, raws, content, allow_bad, progress)
    good = np.setdiff1d(np.arange(n), [b.row for b in bad])
    return Decoded(_compact(raws, good), good, tuple(bad), content[good])


def content_id(raw: Raw) -> int:
    """A 63-bit number made from the bytes of a decoded item, its shape included."""
    array = np.ascontiguousarray(raw)
    digest = hashlib.blake2b(repr((array.shape, array.dtype.str)).encode(), digest_size=8)
    digest.update(array.data if array.size else b"")
    return int.from_bytes(digest.digest(), "little") >> 1


def _room(collection: Collection) -> Any:
    """An array for all items where the modality has one shape, a list where it has not."""
    shape = getattr(collection.modality, "shape", None)
    if shape is None:
        return [None] * len(collection)
    return np.empty((len(collection), *shape), collection.modality.dtype)  # type: ignore[attr-defined]


def _fill(
    collection: Collection,
    raws: Any,
    content: Int[np.ndarray, " n"],
    allow_bad: float,
    progress: Callable[[int, int], None] | None,
) -> list[Bad]:
    n = len(collection)
    starts = range(0, n, CHUNK)
    bad: list[Bad] = []

    def part(start: int) -> list[Bad]:
        return [b for i in range(start, min(start + CHUNK, n)) if (b := _one(collection, i, raws, content))]

    with ThreadPoolExecutor(min(16, (os.cpu_count() or 1) + 1)) as pool:
        for start, found in zip(starts, pool.map(part, starts), strict=True):
            bad += found
            done = min(start + CHUNK, n)
            if len(bad) > allow_bad * n or len(bad) == n:
                pool.shutdown(cancel_futures=True)
                raise TooManyBad(_too_many(collection, bad, done, allow_bad))
            if progress is not None:
                progress(done, n)
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


def _named(bad: Sequence[Bad]) -> str:
    return first([f"{b.name} ({b.reason})" for b in bad])


def _too_many(collection: Collection, bad: Sequence[Bad], done: int, allow_bad: float) -> str:
    so_far = "" if done == len(collection) else f" among the first {done:,}"
    return (
        f"{collection.origin}: {len(bad):,} of {many(len(collection), 'item')} cannot be decoded{so_far}, more than "
        f"the {allow_bad:.1%} allowed: {_named(bad)}. Repair or remove them, or allow a larger share with allow_bad."
    )
