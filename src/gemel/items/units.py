"""What must not be torn apart by a split: identities with their impostors, chains of *same* pairs, duplicates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gemel.items.collection import UNKNOWN, Collection, Labels
from gemel.items.components import components, dense

if TYPE_CHECKING:
    from jaxtyping import Int


def units(
    collection: Collection,
    *,
    identities: bool = True,
    groups: bool = False,
    content: Int[np.ndarray, " n"] | None = None,
) -> Int[np.ndarray, " n"]:
    """The unit of every item, as 0 … k-1: items that hang together over any chain share one.

    Args:
        identities: an identity, those that imitate it, *same* pairs, and anchors with their positives hang together.
        groups: so do the items of a group.
        content: so do items with equal numbers here.
    """
    n = len(collection)
    base = np.arange(n)
    if identities and (known := who(collection)) is not None:
        base = dense(np.where(known >= 0, known, int(known.max(initial=-1)) + 1 + base))
    nodes = int(base.max(initial=-1)) + 1
    edges = [base[chain] for chain in _chains(collection)] if identities else []
    hubs = [np.unique(content, return_inverse=True)[1]] if content is not None else []
    if groups and collection.group is not None:
        hubs.append(collection.group.codes)
    for codes in hubs:
        items = np.flatnonzero(codes >= 0)
        edges.append(np.stack([base[items], nodes + codes[items]]))
        nodes += int(codes.max(initial=-1)) + 1
    if not edges:
        return base
    a, b = np.concatenate(edges, axis=1)
    return dense(components(nodes, a, b)[base])


def who(collection: Collection) -> Int[np.ndarray, " n"] | None:
    """Whom every item stands for: its identity, or the one it imitates; UNKNOWN for the others."""
    identity, claimed = collection.identity, claims(collection)
    if identity is None:
        return claimed
    return identity.codes if claimed is None else np.where(identity.codes >= 0, identity.codes, claimed)


def claims(collection: Collection) -> Int[np.ndarray, " n"] | None:
    """Whom every item imitates, in the codes of the identities; new codes for names that are no identity."""
    claimed, identity = collection.impostor_of, collection.identity
    if claimed is None or identity is None or claimed.names is identity.names:
        return None if claimed is None else claimed.codes
    return translated(claimed, identity)


def translated(labels: Labels, into: Labels) -> Int[np.ndarray, " n"]:
    """The codes of labels in another set of names; names that are not there get codes above it."""
    known = {name: code for code, name in enumerate(into.names)}
    table = np.array([known.setdefault(name, len(known)) for name in labels.names] or [0], np.int64)
    return np.where(labels.codes >= 0, table[labels.codes], UNKNOWN)


def _chains(collection: Collection) -> list[Int[np.ndarray, "2 m"]]:
    edges = []
    if collection.pairs is not None:
        alike = collection.pairs.alike()
        edges.append(np.stack([collection.pairs.a[alike], collection.pairs.b[alike]]))
    if collection.triplets is not None:
        edges.append(np.stack([collection.triplets.anchor, collection.triplets.positive]))
    return edges
