"""How good neighbours are: R@k, R-precision and MAP@R, in blocks of rows.

Ties are broken pessimistically: among items at equal distance (to float32) the irrelevant ones come first, so
that an encoder that maps everything to one point scores nothing. An item never finds itself: it is excluded
by its id, not by its rank. Knows no model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from gemel.distances import Distance, distance
from gemel.errors import DataError, NotEnoughData
from gemel.measure.intervals import Interval, mean_interval

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

CELLS = 1 << 22
"""Most distances held at a time."""


@dataclass(frozen=True)
class Recall:
    """Share of queries with a relevant item among their k nearest.

    Attributes:
        k: how many nearest items are looked at.
        value: share of queries, 0 to 1.
        interval: over samples of identities.
    """

    k: int
    value: float
    interval: Interval


@dataclass(frozen=True)
class Retrieval:
    """How good neighbours are, over the queries that have a relevant item to find.

    Attributes:
        recall: R@k for each k asked for.
        r_precision: mean share of relevant items among the R nearest, R being how many there are; 0 to 1.
        r_precision_interval: over samples of identities.
        map_at_r: mean average precision at R (Musgrave et al. 2020); 0 to 1.
        map_at_r_interval: over samples of identities.
        queries: number of queries counted.
        skipped: queries of known identity without a relevant item; not counted.
        gallery: number of items searched, those of unknown identity excluded.
    """

    recall: tuple[Recall, ...]
    r_precision: float
    r_precision_interval: Interval
    map_at_r: float
    map_at_r_interval: Interval
    queries: int
    skipped: int
    gallery: int


@dataclass(frozen=True)
class Searched:
    """Items with what is known of them, -1 being an unknown identity.

    Attributes:
        embeddings: one row per item.
        identity: of each item.
        ids: what an item is; a query never finds the item of its own id. None: none is shared.
    """

    embeddings: Float[np.ndarray, "n d"]
    identity: Int[np.ndarray, " n"]
    ids: Int[np.ndarray, " n"] | None = None

    def known(self) -> Searched:
        if len(self.embeddings) != len(self.identity):
            raise DataError(f"{len(self.embeddings)} embeddings came with {len(self.identity)} identities.")
        rows = self.identity >= 0
        return Searched(self.embeddings[rows], self.identity[rows], None if self.ids is None else self.ids[rows])


def retrieval_of(
    embeddings: Float[np.ndarray, "n d"],
    identity: Int[np.ndarray, " n"],
    *,
    distance_name: str = "cosine",
    ks: tuple[int, ...] = (1, 5, 10),
    gallery: Searched | None = None,
    ids: Int[np.ndarray, " n"] | None = None,
) -> Retrieval:
    """Search for every item, among the same items or in a gallery.

    Args:
        embeddings: of the queries.
        identity: of the queries; -1 is unknown and neither asks nor is found.
        distance_name: euclidean, manhattan or cosine.
        ks: the k of R@k.
        gallery: what is searched; None for the queries themselves, each excluding itself.
        ids: of the queries, when items of `gallery` may be the same items.

    Raises:
        NotEnoughData: no query has a relevant item.
    """
    if gallery is None:
        own = np.arange(len(identity))
        queries = gallery = Searched(embeddings, identity, own if ids is None else ids)
    else:
        queries = Searched(embeddings, identity, ids)
    queries, gallery = queries.known(), gallery.known()
    blocks = list(_blocks(queries, gallery, distance(distance_name), ks))
    scores = _Scores(*(np.concatenate([getattr(b, f.name) for b in blocks]) for f in fields(_Scores)))
    if not scores.relevant.any():
        raise NotEnoughData("No query has another item of its identity to find; add identities with two items or more.")
    return _summary(scores.counted(), queries.identity[scores.relevant > 0], ks, queries, gallery)


def _summary(
    scores: _Scores, unit: Int[np.ndarray, " q"], ks: tuple[int, ...], queries: Searched, gallery: Searched
) -> Retrieval:
    recall = [scores.hits[:, column].astype(np.float64) for column in range(len(ks))]
    return Retrieval(
        recall=tuple(Recall(k, float(hit.mean()), mean_interval(hit, unit)) for k, hit in zip(ks, recall, strict=True)),
        r_precision=float(scores.precision.mean()),
        r_precision_interval=mean_interval(scores.precision, unit),
        map_at_r=float(scores.average.mean()),
        map_at_r_interval=mean_interval(scores.average, unit),
        queries=len(unit),
        skipped=len(queries.identity) - len(unit),
        gallery=len(gallery.identity),
    )


@dataclass(frozen=True)
class _Scores:
    """Per query: how many items are relevant, whether one is among the k nearest, R-precision, AP@R."""

    relevant: Int[np.ndarray, " q"]
    hits: Bool[np.ndarray, "q k"]
    precision: Float[np.ndarray, " q"]
    average: Float[np.ndarray, " q"]

    def counted(self) -> _Scores:
        rows = self.relevant > 0
        return _Scores(self.relevant[rows], self.hits[rows], self.precision[rows], self.average[rows])


def _blocks(queries: Searched, gallery: Searched, measure: Distance, ks: tuple[int, ...]) -> Iterator[_Scores]:
    step = max(1, CELLS // max(1, len(gallery.identity)))
    for start in range(0, max(1, len(queries.identity)), step):
        rows = slice(start, start + step)
        apart = measure.matrix(queries.embeddings[rows], gallery.embeddings).astype(np.float32).astype(np.float64)
        relevant = queries.identity[rows, None] == gallery.identity
        if queries.ids is not None and gallery.ids is not None:
            itself = queries.ids[rows, None] == gallery.ids
            apart[itself] = np.inf
            relevant &= ~itself
        yield _scored(_pessimistic(apart, relevant), relevant, ks)


def _pessimistic(apart: Float[np.ndarray, "b m"], relevant: Bool[np.ndarray, "b m"]) -> Float[np.ndarray, "b m"]:
    """A float32 distance has room above it in float64: relevant items move up by less than any real gap."""
    return np.where(relevant, np.nextafter(apart, np.inf), apart)


def _scored(apart: Float[np.ndarray, "b m"], relevant: Bool[np.ndarray, "b m"], ks: tuple[int, ...]) -> _Scores:
    count = relevant.sum(axis=1)
    depth = min(apart.shape[1], max(*ks, int(count.max(initial=0)), 1))
    nearest = np.argpartition(apart, depth - 1, axis=1)[:, :depth] if depth < apart.shape[1] else None
    if nearest is None:
        nearest = np.argsort(apart, axis=1)
    else:
        inner = np.argsort(np.take_along_axis(apart, nearest, axis=1), axis=1)
        nearest = np.take_along_axis(nearest, inner, axis=1)
    found = np.take_along_axis(relevant, nearest, axis=1)
    hits = np.stack([found[:, :k].any(axis=1) for k in ks], axis=1)
    precision, average = _within_r(found, count)
    return _Scores(count, hits, precision, average)


def _within_r(
    found: Bool[np.ndarray, "b r"], count: Int[np.ndarray, " b"]
) -> tuple[Float[np.ndarray, " b"], Float[np.ndarray, " b"]]:
    """R-precision, and the mean over the first R ranks of (precision there, if relevant, else 0)."""
    rank = np.arange(1, found.shape[1] + 1)
    inside = found & (rank <= count[:, None])
    precision = np.cumsum(inside, axis=1) / rank
    size = np.maximum(count, 1)
    return inside.sum(axis=1) / size, (precision * inside).sum(axis=1) / size
