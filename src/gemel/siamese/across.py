"""How well one side of the pairs finds the other: titles for images, answers for questions. Measures only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.items.collection import Collection
from gemel.items.explicit import explicit, side_of
from gemel.items.units import units
from gemel.measure import Retrieval, Searched, retrieval_of
from gemel.siamese.embedding import Embeddings

QUERIES = 10_000
"""At most so many items of a side ask; all of the other side are searched."""


@dataclass(frozen=True)
class Across:
    """How well items of one side find what belongs to them on the other.

    Attributes:
        asking, answering: what the sides are called.
        retrieval: over the items of the asking side.
    """

    asking: str
    answering: str
    retrieval: Retrieval


def across(
    items: Collection, found: Embeddings, *, distance: str, names: tuple[str, ...], seed: int = 0
) -> tuple[Across, ...]:
    """Both directions; empty where no pairs were given, or an item stands on both sides of them.

    What belongs together is what pairs and exact copies connect.

    Args:
        items: the embedded items, in the order of the embeddings.
        distance: name of the distance that finds neighbours.
        names: what the first and the second side are called; empty: a and b.
        seed: of the sample of queries, where there are very many.
    """
    pairs = explicit(items)
    side = None if pairs is None else side_of(pairs, len(items))
    if pairs is None or side is None or not pairs.alike().all():
        return ()
    unit = units(items, content=found.content)
    sides = [np.flatnonzero(side == which) for which in (0, 1)]
    called = names or ("a", "b")

    def direction(one: int, other: int) -> Across:
        asking, searched = sides[one], sides[other]
        if len(asking) > QUERIES:
            asking = np.sort(np.random.default_rng(seed).choice(asking, QUERIES, replace=False))
        retrieval = retrieval_of(
            found.vectors[asking],
            unit[asking],
            distance_name=distance,
            gallery=Searched(found.vectors[searched], unit[searched]),
        )
        return Across(called[one], called[other], retrieval)

    return direction(0, 1), direction(1, 0)
