"""What two collections share that a protocol may keep apart: identities, and items themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import Overlap
from gemel.items.collection import Collection
from gemel.items.decoded import content_id
from gemel.items.units import who
from gemel.items.words import first, many

if TYPE_CHECKING:
    from jaxtyping import Int


@dataclass(frozen=True)
class Shared:
    """What stands in both of two collections.

    Attributes:
        identities: names of identities with items, or imitations, in both.
        duplicates: names of items of the second whose source or content stands in the first too.
    """

    identities: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.identities or self.duplicates)

    def summary(self) -> str:
        """What is shared, the first few by name."""
        parts = []
        if self.identities:
            parts.append(f"{many(len(self.identities), 'identity')} ({first(self.identities)})")
        if self.duplicates:
            parts.append(f"{many(len(self.duplicates), 'item')} ({first(self.duplicates)})")
        return " and ".join(parts) or "nothing"


def overlap(
    a: Collection, b: Collection, *, content: tuple[Int[np.ndarray, " n"], Int[np.ndarray, " m"]] | None = None
) -> Shared:
    """What two collections share.

    Args:
        a, b: the collections; identities are compared by name, items by source.
        content: numbers that are equal where items are equal, for the items of `a` and of `b`
            (`Decoded.content`, `fingerprints`); items are then compared by these as well.
    """
    same = _same_source(a, b)
    if content is not None:
        same |= np.isin(content[1], content[0])
    return Shared(_identities(a, b), tuple(b.name(int(i)) for i in np.flatnonzero(same)))


def keep_apart(
    a: Collection,
    b: Collection,
    *,
    protocol: str = "open",
    between: tuple[str, str] = ("training", "test"),
    content: tuple[Int[np.ndarray, " n"], Int[np.ndarray, " m"]] | None = None,
) -> None:
    """Refuse two collections that share what their protocol keeps apart.

    Args:
        protocol: open: neither identities nor items may be shared; closed: items may not.
        between: what the two are called in the message.
        content: as in `overlap`.

    Raises:
        Overlap: names the first few offenders.
    """
    shared = overlap(a, b, content=content)
    if protocol == "closed":
        shared = Shared((), shared.duplicates)
    if shared:
        raise Overlap(
            f"The {protocol} protocol keeps {between[0]} and {between[1]} apart, but they share {shared.summary()}. "
            "Remove these from one side, or split anew with gemel.items.split."
        )


def fingerprints(collection: Collection) -> Int[np.ndarray, " n"]:
    """63-bit numbers that are equal exactly where files or values are equal, byte for byte; nothing is decoded.

    A file that cannot be read counts as different from all others.
    """
    return np.array([_fingerprint(collection.source(i)) for i in range(len(collection))], np.int64)


def _fingerprint(source: Any) -> int:
    if isinstance(source, str):
        try:
            source = Path(source).read_bytes()
        except OSError:
            return content_id(np.frombuffer(source.encode("utf-8", "surrogateescape"), np.uint8)[None])
    return content_id(np.frombuffer(source, np.uint8) if isinstance(source, bytes) else np.asarray(source))


def _identities(a: Collection, b: Collection) -> tuple[str, ...]:
    mine, theirs = who(a), who(b)
    if mine is None or theirs is None:
        return ()
    if a.identity is not None and b.identity is not None and a.identity.names is b.identity.names:
        names = a.identity.names
        return tuple(names[int(k)] for k in np.intersect1d(mine, theirs) if 0 <= k < len(names))
    return tuple(sorted(_names(a) & _names(b)))


def _names(collection: Collection) -> set[str]:
    labels = [x for x in (collection.identity, collection.impostor_of) if x is not None]
    return {x.names[int(k)] for x in labels for k in np.unique(x.codes[x.codes >= 0])}


def _same_source(a: Collection, b: Collection) -> np.ndarray:
    if a.sources is b.sources:
        return np.isin(b.rows, a.rows)
    seen = {s for i in range(len(a)) if isinstance(s := a.source(i), str | bytes)}
    return np.array([isinstance(s := b.source(i), str | bytes) and s in seen for i in range(len(b))], bool)
