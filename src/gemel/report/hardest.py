"""Which items to show: the closest different pairs, the farthest same pairs, and a few queries with neighbours.

Arrays in, positions out; knows no names and no pictures.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gemel.distances import Distance
from gemel.neighbors.exact import nearest
from gemel.siamese.known import Known

if TYPE_CHECKING:
    from jaxtyping import Float, Int

CELLS = 20_000_000
"""Most distances looked at to find close different pairs beyond the sampled ones."""
PER_IDENTITY = 2
"""An identity is shown in at most so many different pairs, so that one bad label does not fill the page."""
NEAR = 10
"""Neighbours looked at per item."""


@dataclass(frozen=True)
class Pair:
    """Two items and how far apart they are; positions among the embeddings."""

    a: int
    b: int
    distance: float


@dataclass(frozen=True)
class Row:
    """A query and its nearest items, nearest first.

    Attributes:
        query: position among the embeddings.
        neighbours: positions of the nearest items.
        distance: how far each is.
        right: whether each shares the query's identity.
    """

    query: int
    neighbours: tuple[int, ...]
    distance: tuple[float, ...]
    right: tuple[bool, ...]


@dataclass(frozen=True)
class Space:
    """Embedded items and what is known of them.

    Attributes:
        vectors: one row per item.
        identity: of each item, -1 where unknown.
        content: equal where items are equal; an item is never its own neighbour, nor is its copy.
        metric: how far apart.
    """

    vectors: Float[np.ndarray, "n d"]
    identity: Int[np.ndarray, " n"]
    content: Int[np.ndarray, " n"]
    metric: Distance

    def near(self, rows: Int[np.ndarray, " q"], k: int) -> list[Row]:
        """The `k` nearest items of known identity of each of some items, without itself and its copies."""
        base = np.flatnonzero(self.identity >= 0)
        copies = int(np.bincount(np.unique(self.content, return_inverse=True)[1].reshape(-1)).max(initial=1))
        found = nearest(self.vectors[rows], self.vectors[base], k + min(copies, 2 * k), self.metric)
        return [self._row(int(q), base[i], d, k) for q, i, d in zip(rows, found.index, found.distance, strict=True)]

    def _row(self, query: int, items: Int[np.ndarray, " m"], distance: Float[np.ndarray, " m"], k: int) -> Row:
        other = np.flatnonzero(self.content[items] != self.content[query])[:k]
        right = self.identity[items[other]] == self.identity[query]
        return Row(query, tuple(items[other].tolist()), tuple(distance[other].tolist()), tuple(right.tolist()))


def farthest_same(known: Known, distance: Float[np.ndarray, " n"], most: int) -> list[Pair]:
    """The farthest pair of each identity, the farthest first."""
    order = np.flatnonzero(known.same)[np.argsort(-distance[known.same], kind="stable")]
    _, first = np.unique(known.identity_a[order], return_index=True)
    return [_pair(known, distance, int(i)) for i in order[np.sort(first)[:most]]]


def closest_different(
    known: Known, distance: Float[np.ndarray, " n"], space: Space, most: int, rng: np.random.Generator
) -> list[Pair]:
    """The closest pair of each two identities, the closest first.

    The pairs measured may be a sample, so where identities are known the nearest neighbours of as many items as
    is quick are looked at as well.
    """
    order = np.flatnonzero(~known.same)[np.argsort(distance[~known.same], kind="stable")][: 200 * most]
    pairs = [(_pair(known, distance, int(i)), int(known.identity_a[i]), int(known.identity_b[i])) for i in order]
    if known.source == "identities":
        pairs += _neighbouring(space, rng)
    return _varied(sorted(pairs, key=lambda pair: pair[0].distance), most)


def sampled_rows(space: Space, most: int, rng: np.random.Generator) -> tuple[list[Row], list[Row]]:
    """Neighbours of queries drawn at random, and of queries whose nearest item is another identity."""
    sizes = np.bincount(space.identity[space.identity >= 0])
    able = np.flatnonzero((space.identity >= 0) & (sizes[space.identity] > 1)) if len(sizes) else np.zeros(0, int)
    drawn = rng.permutation(able)[: max(most, min(len(able), CELLS // max(1, len(space.identity)), 2000))]
    rows = [row for row in space.near(drawn, 5) if row.right] if len(drawn) else []
    return rows[:most], [row for row in rows[most:] if not row.right[0]][:most]


def _neighbouring(space: Space, rng: np.random.Generator) -> list[tuple[Pair, int, int]]:
    items = np.flatnonzero(space.identity >= 0)
    if not len(items):
        return []
    asked = rng.permutation(items)[: max(1, CELLS // len(items))]
    return [
        (Pair(min(row.query, i), max(row.query, i), d), int(space.identity[row.query]), int(space.identity[i]))
        for row in space.near(asked, NEAR)
        for i, d, right in zip(row.neighbours, row.distance, row.right, strict=True)
        if not right
    ]


def _varied(pairs: list[tuple[Pair, int, int]], most: int) -> list[Pair]:
    """The first pair of each two identities, no identity too often."""
    shown, chosen, used = set[tuple[int, int]](), list[Pair](), Counter[int]()
    for pair, a, b in pairs:
        key = (min(a, b), max(a, b))
        if len(chosen) < most and key not in shown and max(used[a], used[b]) < PER_IDENTITY:
            shown.add(key)
            used.update(set(key))
            chosen.append(pair)
    return chosen


def _pair(known: Known, distance: Float[np.ndarray, " n"], i: int) -> Pair:
    return Pair(int(known.a[i]), int(known.b[i]), float(distance[i]))
