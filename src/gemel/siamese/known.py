"""Pairs of embedded items with known answers: explicit ones, or those that identities give; and items with references.

Knows collections and embeddings; decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gemel.distances import Distance
from gemel.errors import NotEnoughData
from gemel.items.collection import Collection, Pairs
from gemel.items.explicit import between, explicit, side_of, some_of_each
from gemel.items.units import claims, units
from gemel.measure.pairing import owners, pairs_of
from gemel.measure.references import scored
from gemel.neighbors.exact import paired_at
from gemel.siamese.embedding import Embeddings

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


ASSUMED = (
    "Only same pairs are given, so random pairs that none of them connects are taken as different: an assumption. If a "
    "share e of such pairs is the same after all, a false match rate is at most what is said divided by 1 - e. Pairs "
    "that were picked because they look alike match more often than random ones."
)
"""What is assumed, and what it bounds."""


@dataclass(frozen=True)
class Known:
    """Pairs with known answers; or items, each with references of one identity.

    Attributes:
        a, b: positions among the embeddings; where there are references, `a` is a row of these.
        same: the answers.
        skilled: which of the different ones are an impostor and the identity that it imitates.
        identity_a, identity_b: the identities each pair rests on.
        identical: pairs left out because both items have exactly the same content.
        source: what they were made from: "pairs", "identities", or "references".
        assumed: whether the different ones are random pairs that nobody labelled.
        references: positions among the embeddings, a row for each draw of k items of one identity.
        pool, normalise: how an item is compared with them, as in `gemel.measure.scored`.
    """

    a: Int[np.ndarray, " n"]
    b: Int[np.ndarray, " n"]
    same: Bool[np.ndarray, " n"]
    skilled: Bool[np.ndarray, " n"]
    identity_a: Int[np.ndarray, " n"]
    identity_b: Int[np.ndarray, " n"]
    identical: int
    source: str
    assumed: bool = False
    references: Int[np.ndarray, "t k"] | None = None
    pool: str = "mean"
    normalise: float = 0.0

    def distances(self, vectors: Float[np.ndarray, "m d"], metric: Distance) -> Float[np.ndarray, " n"]:
        """How far apart each pair is, by definition."""
        if self.references is None:
            return paired_at(vectors, vectors, self.a, self.b, metric)
        return scored(vectors, self.references, self.a, self.b, metric=metric, pool=self.pool, normalise=self.normalise)


def known_pairs(
    data: Collection, found: Embeddings, *, limit: int = 100_000, seed: int = 0, cut: float | None = None
) -> Known:
    """The pairs of a collection whose items could both be embedded.

    Explicit pairs (or triplets) come first, where there are any: a score counts as the same from `cut` on, and a
    pair rests on the chains of same pairs and of exact copies that its items belong to. Where only same pairs were
    given, random pairs of items that no chain connects are assumed to be different. Otherwise identities give every
    same pair and every different one. More than `limit` of a kind are sampled. An item and its exact copy are never a
    pair.

    Raises:
        NotEnoughData: neither pairs nor identities are known, or scores without a cut.
    """
    items = data.take(found.index)
    pairs = explicit(items)
    if pairs is not None:
        a, b, same, unit = pairs.a, pairs.b, _answers(pairs, cut, data.origin), units(items, content=found.content)
        assumed = bool(same.all()) and cut is None
        if assumed:
            random = _random(unit, side_of(pairs, len(items)), limit=limit, seed=seed)
            a, b = np.concatenate([a, random[0]]), np.concatenate([b, random[1]])
            same = np.arange(len(a)) < len(same)
        kept = some_of_each(same, limit=limit, seed=seed)
        return _distinct(items, found, a[kept], b[kept], same[kept], unit, "pairs", assumed=assumed)
    if items.identity is None:
        raise NotEnoughData(
            f"{data.origin} knows neither identities nor pairs, so nothing can be said about same and different. "
            "Give a folder per identity, or a table with an identity column or pairs."
        )
    codes, claimed = items.identity.codes, claims(items)
    a, b, same = pairs_of(codes, limit=limit, seed=seed, impostor_of=claimed)
    return _distinct(items, found, a, b, same, owners(codes, claimed), "identities")


@dataclass(frozen=True)
class Scored:
    """Pairs with scores.

    Attributes:
        a, b: positions among the embeddings.
        score: what people said of each pair, 0 to 1.
        identity_a, identity_b: the chains of pairs that each pair rests on.
    """

    a: Int[np.ndarray, " n"]
    b: Int[np.ndarray, " n"]
    score: Float[np.ndarray, " n"]
    identity_a: Int[np.ndarray, " n"]
    identity_b: Int[np.ndarray, " n"]

    def distances(self, vectors: Float[np.ndarray, "m d"], metric: Distance) -> Float[np.ndarray, " n"]:
        """How far apart each pair is, by definition."""
        return paired_at(vectors, vectors, self.a, self.b, metric)


def has_scores(data: Collection) -> bool:
    """Whether what is known of the pairs are scores."""
    return data.pairs is not None and data.pairs.score is not None


def scored_pairs(data: Collection, found: Embeddings) -> Scored:
    """The graded pairs of a collection whose items could both be embedded."""
    items = data.take(found.index)
    assert items.pairs is not None
    assert items.pairs.score is not None
    unit = units(items, content=found.content)
    pairs = items.pairs
    return Scored(pairs.a, pairs.b, items.pairs.score, unit[pairs.a], unit[pairs.b])


def _answers(pairs: Pairs, cut: float | None, origin: str) -> Bool[np.ndarray, " n"]:
    """Which pairs are the same."""
    if pairs.score is None:
        return pairs.alike()
    if cut is None:
        raise NotEnoughData(
            f"{origin} holds scores, and nobody said from which score on two items are the same. Name it with "
            "cut=… (--cut), from 0, the lowest score, to 1, the highest."
        )
    return pairs.score >= cut


def _random(
    unit: Int[np.ndarray, " n"], side: Int[np.ndarray, " n"] | None, *, limit: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of items of different chains, and of different sides where pairs have sides."""
    a, b, same = pairs_of(unit, limit=4 * limit, seed=seed)
    a, b = a[~same], b[~same]
    kept = between(a, b, side, limit=limit, seed=seed)
    return a[kept], b[kept]


def _distinct(
    items: Collection,
    found: Embeddings,
    a: Int[np.ndarray, " n"],
    b: Int[np.ndarray, " n"],
    same: Bool[np.ndarray, " n"],
    identity: Int[np.ndarray, " m"],
    source: str,
    *,
    assumed: bool = False,
) -> Known:
    differ = found.content[a] != found.content[b]
    a, b, same = a[differ], b[differ], same[differ]
    skilled, identical = ~same & _imitating(items, a, b), int(np.count_nonzero(~differ))
    return Known(a, b, same, skilled, identity[a], identity[b], identical, source, assumed)


def _imitating(items: Collection, a: Int[np.ndarray, " n"], b: Int[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Where one side imitates the identity of the other."""
    claimed = claims(items)
    if items.identity is None or claimed is None:
        return np.zeros(len(a), bool)
    codes = items.identity.codes
    return ((claimed[a] >= 0) & (claimed[a] == codes[b])) | ((claimed[b] >= 0) & (claimed[b] == codes[a]))
