"""How much of everything a collection holds, in numbers and in plain words. Decodes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gemel.items.words import many


@dataclass(frozen=True)
class Counts:
    """How much of everything a collection holds.

    Attributes:
        items: all items.
        identities: identities with at least one item.
        singletons: identities with exactly one item; they give no *same* pair.
        unlabelled: items without an identity that are no impostors either.
        impostors: items that pretend to be an identity.
        groups: groups with at least one item.
        pairs, same_pairs: explicit pairs, and those that are *same* (0 when they are graded).
        triplets: explicit triplets.
        median, least, most: items of an identity; 0 when there is none.
    """

    items: int
    identities: int = 0
    singletons: int = 0
    unlabelled: int = 0
    impostors: int = 0
    groups: int = 0
    pairs: int = 0
    same_pairs: int = 0
    triplets: int = 0
    median: float = 0.0
    least: int = 0
    most: int = 0


def counted(collection: Any) -> Counts:
    """Count a collection."""
    sizes = np.zeros(0, np.int64) if collection.identity is None else collection.identity.counts()
    sizes = sizes[sizes > 0]
    impostors = 0 if collection.impostor_of is None else int((collection.impostor_of.codes >= 0).sum())
    pairs = collection.pairs
    return Counts(
        items=len(collection),
        identities=len(sizes),
        singletons=int((sizes == 1).sum()),
        unlabelled=len(collection) - int(sizes.sum()) - impostors,
        impostors=impostors,
        groups=0 if collection.group is None else int((collection.group.counts() > 0).sum()),
        pairs=0 if pairs is None else len(pairs),
        same_pairs=0 if pairs is None or pairs.same is None else int(pairs.same.sum()),
        triplets=0 if collection.triplets is None else len(collection.triplets),
        median=float(np.median(sizes)) if len(sizes) else 0.0,
        least=int(sizes.min()) if len(sizes) else 0,
        most=int(sizes.max()) if len(sizes) else 0,
    )


def described(collection: Any) -> list[str]:
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
