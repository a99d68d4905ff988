"""A collection in plain words, for the summary at the end of reading. Must not decode anything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gemel.items.collection import Collection, Counts


def described(collection: Collection) -> list[str]:
    """One fact a line: how many items of how many identities, what stands alone, pairs, impostors, splits."""
    counts = collection.counts()
    lines = [f"{collection.origin}: {many(counts.items, collection.modality.name)}{_identities(counts)}."]
    lines += _gaps(counts)
    if counts.impostors:
        lines.append(f"{many(counts.impostors, 'item')} made to pass for an identity (impostors).")
    if collection.pairs is not None:
        lines.append(_pairs(counts, graded=collection.pairs.score is not None))
    if counts.triplets:
        lines.append(f"{many(counts.triplets, 'triplet')}.")
    if collection.split is not None:
        sizes = zip(collection.split.names, collection.split.counts(), strict=True)
        lines.append("Given splits: " + ", ".join(f"{name} {size:,}" for name, size in sizes if size) + ".")
    return lines


def many(count: int, what: str) -> str:
    """A number with its noun.

    >>> many(2000, "identity")
    '2,000 identities'
    """
    plural = what[:-1] + "ies" if what.endswith("y") else what + "s"
    return f"{count:,} {what if count == 1 else plural}"


def first(names: Sequence[str], most: int = 5) -> str:
    """The first few names, and how many more there are.

    >>> first(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def size(count: float) -> str:
    """A number of bytes, rounded for reading.

    >>> size(3 * 2**30)
    '3.0 GiB'
    """
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def _identities(counts: Counts) -> str:
    if not counts.identities:
        return ", identities unknown" if counts.unlabelled else ""
    groups = f" in {many(counts.groups, 'group')}" if counts.groups else ""
    spread = f"{np.round(counts.median, 1):g} each"
    if counts.least != counts.most:
        spread = f"{counts.least:,} to {counts.most:,} each, median {counts.median:g}"
    return f" of {many(counts.identities, 'identity')}{groups} ({spread})"


def _gaps(counts: Counts) -> list[str]:
    lines = []
    if counts.identities == 1:
        lines.append("There is only one identity: nothing differs from it, so nothing can be learnt or measured.")
    if counts.identities > 1 and counts.singletons == counts.identities and not counts.same_pairs:
        lines.append("Every identity has one item only: there is no *same* pair to learn from.")
    elif counts.singletons:
        lines.append(f"{many(counts.singletons, 'identity')} with one item only, which give no *same* pair.")
    if counts.unlabelled and counts.identities:
        lines.append(f"{many(counts.unlabelled, 'item')} without an identity.")
    return lines


def _pairs(counts: Counts, *, graded: bool) -> str:
    if graded:
        return f"{many(counts.pairs, 'pair')} with a score."
    return f"{many(counts.pairs, 'pair')}: {counts.same_pairs:,} same, {counts.pairs - counts.same_pairs:,} different."
