"""Approximate search: a navigable graph proposes (Malkov & Yashunin 2018, through FAISS), the definition decides.

How much it finds is measured when it is built. Works on arrays of embeddings; knows no items or identities.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.distances import Distance
from gemel.errors import require
from gemel.neighbors.cityblock import faiss
from gemel.neighbors.exact import Neighbors, paired_at
from gemel.neighbors.flat import Flat
from gemel.neighbors.recall import recall

if TYPE_CHECKING:
    from jaxtyping import Float, Int, UInt8

LINKS, EFFORT = 32, 100
"""Links of a node on the upper levels (twice as many on the lowest), and candidates for them."""
MARGIN = 8
"""So many rows more than are wanted are proposed, so that rounding keeps none out."""
SAMPLE = 500
"""At most so many rows, and at most every tenth, are asked for before they are added, to measure recall."""
NOWHERE = -1


@dataclass(frozen=True)
class Promise:
    """What a graph found when it was built, and what was asked of it.

    Attributes:
        least: recall that was asked for.
        k: among so many nearest.
        recall: what was measured; see `recall.recall`.
        queries: on so many rows that were not yet in it.
        breadth: candidates that a search holds (efSearch); the more, the slower and the surer.
        inside: whether they were in it already, and itself not counted for any; of others it may find less.
    """

    least: float
    k: int
    recall: float
    queries: int
    breadth: int
    inside: bool = False

    @property
    def kept(self) -> bool:
        """Whether the graph finds as much as was asked for."""
        return self.recall >= self.least


class Hnsw:
    """Rows, most of them in a graph. Rows that came later are looked at one by one; the removed are passed over.

    Made by `built` or `stored.load`. Takes the place of a `Flat`.

    Args:
        rows: all rows; to be changed only through this object from now on.
        graph: of FAISS, over the embeddings that `embedded` gives.
        place: where the row of each node stands in `rows`; NOWHERE: it was removed.
        since: rows from that place on are not in the graph.
        promise: what was measured.
    """

    def __init__(self, rows: Flat, graph: Any, place: Int[np.ndarray, " m"], since: int, promise: Promise) -> None:
        self.rows, self.graph, self.place, self.since, self.promise = rows, graph, place, since, promise
        self._there = self._bits()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def end(self) -> int:
        """Number of places, as of a `Flat`."""
        return self.rows.end

    @property
    def vectors(self) -> Float[np.ndarray, "n d"]:
        """What stands at every place."""
        return self.rows.vectors

    @property
    def distance(self) -> Distance:
        """How far apart."""
        return self.rows.distance

    @property
    def outside(self) -> float:
        """Share of nodes and rows that make searches slower until the graph is built anew: removed, or not in it."""
        off = int((self.place == NOWHERE).sum()) + max(0, self.rows.end - self.since)
        return off / max(1, len(self.place) + max(0, self.rows.end - self.since))

    def append(self, vectors: Float[np.ndarray, "n d"]) -> None:
        """Add rows at the next places; they do not enter the graph."""
        self.rows.append(vectors)

    def remove(self, places: Int[np.ndarray, " m"]) -> None:
        """Forget rows and overwrite them; where they stood in the graph is from then on the mean of what is near."""
        self.rows.remove(places)
        gone = np.flatnonzero(np.isin(self.place, places) & (self.place != NOWHERE))
        self.place[gone] = NOWHERE
        self._there = self._bits()
        self.cover(gone)

    def compact(self) -> Int[np.ndarray, " m"]:
        """Close the gaps. Returns the former place of every row."""
        kept = self.rows.compact()
        now = np.full(max(self.since, int(kept.max(initial=-1)) + 1) + 1, NOWHERE)
        now[kept] = np.arange(len(kept))
        self.place = now[self.place]
        self.since = int(np.searchsorted(kept, self.since))
        return kept

    def search(self, query: Float[np.ndarray, "q d"], k: int) -> Neighbors:
        """The `k` nearest rows as far as the graph finds them, by definition; all of them where there are fewer.

        Args:
            query: embeddings [q, d].
            k: how many, at least 0.
        """
        k = min(max(k, 0), len(self))
        if not k or not len(query):
            return self.rows.search(query, k)
        found = self._proposed(query, k + MARGIN)
        if self.rows.end > self.since:
            late = self.rows.search(query, k, since=self.since)
            found = Neighbors(np.hstack([found.index, late.index]), np.hstack([found.distance, late.distance]))
        order = np.lexsort((found.index, found.distance))[:, :k]
        index, far = np.take_along_axis(found.index, order, 1), np.take_along_axis(found.distance, order, 1)
        short = np.flatnonzero((index == NOWHERE).any(axis=1) | (index.shape[1] < k))
        if len(short):  # it got lost among the removed
            exact = self.rows.search(query[short], k)
            if index.shape[1] < k:
                return exact
            index[short], far[short] = exact.index, exact.distance
        return Neighbors(index, far)

    def cover(self, nodes: Int[np.ndarray, " m"]) -> None:
        """Overwrite what stands at nodes with the mean of the rows that they are linked with."""
        if not len(nodes):
            return
        storage, links, offsets = _stored(self.graph), _links(self.graph), _offsets(self.graph)
        width = self.graph.hnsw.nb_neighbors(0)
        for node in nodes.tolist():
            near = links[int(offsets[node]) : int(offsets[node]) + width]
            near = near[near >= 0]
            near = near[self.place[near] != NOWHERE]
            storage[node] = storage[near].mean(axis=0) if len(near) > 1 else 0

    def _bits(self) -> UInt8[np.ndarray, " b"] | None:
        """Of every node, whether its row is there; None: all are."""
        there = self.place != NOWHERE
        return None if there.all() else np.packbits(there, bitorder="little")

    def _proposed(self, query: Float[np.ndarray, "q d"], count: int) -> Neighbors:
        module = library()
        options = {"efSearch": max(self.promise.breadth, count)}
        if self._there is not None:
            options["sel"] = module.IDSelectorBitmap(self._there)
        asked = embedded(query, self.distance)
        _, node = self.graph.search(asked, count, params=module.SearchParametersHNSW(**options))
        index = np.where(node >= 0, self.place[node], NOWHERE)
        row = np.repeat(np.arange(len(query)), count)
        far = paired_at(query, self.vectors, row, index.ravel(), self.distance).reshape(index.shape)
        return Neighbors(index, np.where(index == NOWHERE, np.inf, far).astype(far.dtype, copy=False))


def built(
    rows: Flat,
    *,
    least: float = 0.99,
    k: int = 10,
    links: int = LINKS,
    effort: int = EFFORT,
    widest: int = 2048,
    seed: int = 0,
) -> Hnsw:
    """A graph over rows, as broad a search as finds what is asked for.

    A sample of rows is asked for before it is added, so that no query is in the graph.

    Args:
        rows: what is searched.
        least: share of the `k` nearest that is to be found.
        k: how many nearest are counted.
        links, effort: see LINKS.
        widest: where `breadth` stops to double, whatever is found by then.
        seed: of the sample.

    Raises:
        MissingExtra: FAISS is not installed.
    """
    places = rows.places()
    count = min(SAMPLE, len(places) // 10)
    sample = np.sort(np.random.default_rng(seed).choice(len(places), count, replace=False))
    asked, others = places[sample], np.delete(places, sample)
    graph = empty(rows, links)
    graph.hnsw.efConstruction = effort
    graph.add(embedded(rows.vectors[others], rows.distance))
    found = Hnsw(Flat(rows.vectors[others], rows.distance), graph, np.arange(len(others)), len(others), _none(least, k))
    promise = _measured(found, rows.vectors[asked], widest)
    graph.add(embedded(rows.vectors[asked], rows.distance))
    return Hnsw(rows, graph, np.concatenate([others, asked]), rows.end, promise)


def _none(least: float, k: int) -> Promise:
    return Promise(least, k, 0.0, 0, max(16, k))


def _measured(found: Hnsw, query: Float[np.ndarray, "q d"], widest: int) -> Promise:
    promise = found.promise
    exact = found.rows.search(query, promise.k)
    while True:
        got = found.search(query, promise.k)
        promise = replace(promise, recall=recall(got, exact), queries=len(query))
        if promise.kept or promise.breadth * 2 > widest:
            return promise
        promise = replace(promise, breadth=promise.breadth * 2)
        found.promise = promise


def empty(rows: Flat, links: int) -> Any:
    """A graph of FAISS without nodes, for such rows."""
    return library().IndexHNSWFlat(rows.vectors.shape[1], links, metric(rows.distance))


def metric(distance: Distance) -> int:
    """What FAISS calls it."""
    module = library()
    names = {"euclidean": module.METRIC_L2, "manhattan": module.METRIC_L1, "cosine": module.METRIC_INNER_PRODUCT}
    return int(names[distance.name])


def embedded(vectors: Float[np.ndarray, "n d"], distance: Distance) -> Float[np.ndarray, "n d"]:
    """Rows as they stand in the graph: float32, for cosine of unit length."""
    vectors = np.ascontiguousarray(vectors, np.float32)
    if distance.name != "cosine":
        return vectors
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)


def library() -> Any:
    """FAISS, or MissingExtra."""
    return faiss() or require("faiss", extra="ann", purpose="search approximately")


def _stored(graph: Any) -> Float[np.ndarray, "m d"]:
    """The vectors of the nodes, to be written to."""
    module = library()
    flat = module.downcast_index(graph.storage)
    return module.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d).reshape(flat.ntotal, flat.d)


def _links(graph: Any) -> Int[np.ndarray, " l"]:
    links = graph.hnsw.neighbors
    return library().rev_swig_ptr(links.data(), links.size())


def _offsets(graph: Any) -> Int[np.ndarray, " o"]:
    return library().vector_to_array(graph.hnsw.offsets).astype(np.int64)
