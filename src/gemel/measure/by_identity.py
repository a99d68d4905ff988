"""The items of every identity: one index, sorted once, of four bytes an item and eight an identity.

Knows codes, no pairs and no distances.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Int

CHUNK = 1 << 20
"""So many items are sorted at once."""


@dataclass(frozen=True)
class ByIdentity:
    """Items in the order of their identities; those whose identity is unknown are left out.

    Attributes:
        order: [m] positions of the items, identity after identity, ascending within each; int32 where that suffices.
        begin: [e] where in `order` the items of each identity begin, and where the last one's end.
    """

    order: Int[np.ndarray, " m"]
    begin: Int[np.ndarray, " e"]

    @property
    def counts(self) -> Int[np.ndarray, " i"]:
        """Items of each identity, 1 or more."""
        return np.diff(self.begin)


def by_identity(identity: Int[np.ndarray, " n"]) -> ByIdentity:
    """Arrange items by identity, in memory of the index and a table of eight bytes a code.

    A counting sort: chunks are sorted by themselves, and each puts its items where the counts of all say.

    Args:
        identity: code of each item's identity; -1 is unknown. Codes that are few and far apart are renumbered.
    """
    if int(identity.max(initial=-1)) > 4 * len(identity) + CHUNK:
        codes, numbered = np.unique(np.maximum(identity, -1), return_inverse=True)
        return by_identity(numbered - int(codes[0] < 0))
    counts = np.zeros(int(identity.max(initial=-1)) + 1, np.int64)
    for start in range(0, len(identity), CHUNK):
        part = identity[start : start + CHUNK]
        np.add.at(counts, part[part >= 0], 1)
    begin = np.concatenate([[0], np.cumsum(counts[counts > 0])])
    place = np.cumsum(counts) - counts  # where the next item of each code goes
    order = np.empty(begin[-1], np.int32 if len(identity) <= np.iinfo(np.int32).max else np.int64)
    for start in range(0, len(identity), CHUNK):
        _put(identity[start : start + CHUNK], start, place, order)
    return ByIdentity(order, begin)


def _put(part: Int[np.ndarray, " c"], start: int, place: Int[np.ndarray, " k"], order: Int[np.ndarray, " m"]) -> None:
    """Put a chunk of items, the first of which is item `start`, into `order`, and move `place` on."""
    joint = part.astype(np.int64) * CHUNK + np.arange(len(part))
    joint.sort()  # one sort of numbers is faster than argsort, and stable
    joint = joint[np.searchsorted(joint, 0) :]
    code, item = joint // CHUNK, joint % CHUNK + start
    first = np.flatnonzero(np.append(True, code[1:] != code[:-1])) if len(code) else np.zeros(0, np.int64)
    length = np.diff(np.append(first, len(code)))
    order[np.repeat(place[code[first]] - first, length) + np.arange(len(code))] = item
    place[code[first]] += length
