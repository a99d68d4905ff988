"""The decoded items of a collection, as a value: what could be decoded, what not, and what is a duplicate."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gemel.items.modality import Raw, Raws
from gemel.items.words import first, many

if TYPE_CHECKING:
    from jaxtyping import Int


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
            lines.append(f"{many(len(self.bad), 'item')} skipped: {listed(self.bad)}.")
        duplicates = len(self.content) - len(np.unique(self.content))
        if duplicates:
            lines.append(f"{many(duplicates, 'item')} with exactly the content of another.")
        return "\n".join([*lines, *self.notes])


def listed(bad: Sequence[Bad]) -> str:
    """The first few bad items with their reasons."""
    return first([f"{b.name} ({b.reason})" for b in bad])


def content_id(raw: Raw) -> int:
    """A 63-bit number made from the bytes of a decoded item, its shape included; of a record, from its fields."""
    if isinstance(raw, dict):
        parts = [(name, content_id(part)) for name, part in raw.items()]
        if len(parts) == 1:
            return parts[0][1] ^ field_mark(parts[0][0])
        raw = np.frombuffer(repr(parts).encode(), np.uint8)
    array = np.ascontiguousarray(raw)
    digest = hashlib.blake2b(repr((array.shape, array.dtype.str)).encode(), digest_size=8)
    digest.update(array.data if array.size else b"")
    return int.from_bytes(digest.digest(), "little") >> 1


def field_mark(name: str) -> int:
    """What makes the number of an item that of a record with this field alone, and back again, by exclusive or."""
    return content_id(np.frombuffer(name.encode(), np.uint8))
