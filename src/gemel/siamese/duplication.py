"""What occurs more than once: all pairs that a twin calls the same, and the clusters they make.

Knows twins and collections; every pair of items is looked at, a tile at a time.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import UnreadableItem
from gemel.items.collection import Collection
from gemel.items.components import components
from gemel.items.decoded import Bad
from gemel.items.words import many
from gemel.neighbors.close import ClosePairs, close_pairs
from gemel.neighbors.exact import nearest
from gemel.neighbors.staged import close_in_stages, nearest_in_stages
from gemel.siamese.branches import refuse_branches
from gemel.siamese.embedding import Embeddings, Progress
from gemel.siamese.manifest import finite
from gemel.siamese.operating import OperatingPoint
from gemel.siamese.verdict import Verdict, applicable, judged

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from gemel.siamese.twin import Siamese


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """Pairs of items that are the same by a twin's decision, the closest first; and what hangs together by them.

    Attributes:
        data: what the collection is called.
        names: of all items, bad ones included.
        a, b: positions of the two items of each pair. Exact copies of an item are paired with its first one only.
        distance: of each pair.
        probability: of *same*, of each pair, at the prior in force.
        cluster: of each item, by the size of the clusters, the largest first; -1 for items that occur once.
        bad: items that could not be read.
        point: the operating point that decided.
        compared: pairs that were looked at, exact copies left out.
    """

    data: str
    names: tuple[str, ...]
    a: Int[np.ndarray, " m"]
    b: Int[np.ndarray, " m"]
    distance: Float[np.ndarray, " m"]
    probability: Float[np.ndarray, " m"]
    cluster: Int[np.ndarray, " n"]
    bad: tuple[Bad, ...]
    point: OperatingPoint
    compared: int

    def __len__(self) -> int:
        return len(self.a)

    def clusters(self) -> list[Int[np.ndarray, " k"]]:
        """The items of each cluster, the largest cluster first."""
        items = np.flatnonzero(self.cluster >= 0)
        order = items[np.argsort(self.cluster[items], kind="stable")]
        return np.split(order, np.flatnonzero(np.diff(self.cluster[order])) + 1) if len(order) else []

    def table(self) -> dict[str, list[Any]]:
        """A row per pair: both names, the distance, the probability, the cluster."""
        return {
            "a": [self.names[i] for i in self.a],
            "b": [self.names[i] for i in self.b],
            "distance": self.distance.tolist(),
            "probability": self.probability.tolist(),
            "cluster": self.cluster[self.a].tolist(),
        }

    @property
    def by_chance(self) -> float:
        """How many different pairs are expected among those found, from the false match rate at calibration."""
        return self.point.kinds.random * self.compared

    def summary(self) -> str:
        """What was found, in plain words, a fact a line."""
        found = self.clusters()
        sizes = f", the largest of {len(found[0])}" if found else ""
        lines = [
            f"{many(len(self), 'pair')} of {many(len(self.names), 'item')} of {self.data} in "
            f"{many(len(found), 'cluster')}{sizes}: distance ≤ {self.point.threshold:.4f} ({self.point.name})",
            self._expected(),
        ]
        if self.by_chance > len(self) / 2 and len(self):
            lines.append("That is half of them or more: ask for a lower false match rate, or state a lower prior.")
        return "\n".join(lines + ([f"{many(len(self.bad), 'item')} could not be read."] if self.bad else []))

    def _expected(self) -> str:
        """What chance gives at this threshold, or why nothing can be found."""
        fmr, interval = self.point.kinds.random, self.point.kinds.random_interval
        if self.point.threshold < 0:
            return (
                "Exact copies apart, no two items are close enough at this prior: the calibration saw too few pairs to "
                "be so sure. State a higher prior, or calibrate on more pairs."
            )
        return (
            f"Of {self.compared:,} pairs looked at, up to {self.by_chance:,.0f} different ones come this close at the "
            f"false match rate of the calibration, {fmr:.2g} ({interval.low:.2g} to {interval.high:.2g})."
        )


def duplicates(
    twin: Siamese,
    data: Collection,
    *,
    found: Embeddings | None = None,
    fmr: float | None = None,
    prior: float | None = None,
    allow_bad: float = 0.01,
    progress: Progress | None = None,
) -> Duplicates:
    """All pairs of items that a twin calls the same. Takes n² / 2 distances, and memory for what is found.

    A pair head looks only at the hundred nearest of each item.

    Args:
        twin: a calibrated one.
        data: items; what is known of them is not looked at.
        found: their embeddings by this twin, where they are at hand.
        fmr: decide at the threshold of this false match rate; None: by what is more probable.
        prior: probability that two items are the same before looking; None: that of the calibration.
        allow_bad: share of items that may be bad, 0 to 1.
        progress: called with (items done, items in all), for the embeddings and then for the pairs.

    Raises:
        NotCalibrated: there is no decision, or no threshold at that rate; or one for one item of each branch.
        DataError: more than ten million pairs would be found.
        TooManyBad: more bad items than allowed.
    """
    refuse_branches(twin)
    decision = applicable(twin.decisions, twin.method, graded=twin.grades is not None)
    decision = decision if prior is None else decision.at(prior)
    point = decision.asked(fmr)
    found = twin.embed(data, progress=progress) if found is None else found
    found = found.require(allow_bad, data.origin)
    _, first, place = np.unique(found.content, return_index=True, return_inverse=True)
    close = close_by(twin, found.vectors[first], point.threshold, progress)
    copies = np.flatnonzero(first[place.reshape(-1)] != np.arange(len(found)))
    low, high = _ordered(first[close.a], first[close.b])
    a = np.concatenate([first[place.reshape(-1)][copies], low])
    b = np.concatenate([copies, high])
    same = twin.metric.paired(found.vectors[copies], found.vectors[copies])
    distance = np.concatenate([same.astype(close.distance.dtype), close.distance])
    return Duplicates(
        data=data.origin,
        names=tuple(data.name(i) for i in range(len(data))),
        a=found.index[a],
        b=found.index[b],
        distance=distance,
        probability=decision.probability(distance),
        cluster=_clusters(len(data), found.index[a], found.index[b]),
        bad=found.bad,
        point=point,
        compared=close.looked_at,
    )


@dataclass(frozen=True)
class Near:
    """An item of a collection, and whether something new is the same.

    Attributes:
        name: of the item.
        verdict: on the two.
    """

    name: str
    verdict: Verdict

    def json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return dict(finite({"name": self.name, **asdict(self.verdict)}))


def known_already(
    twin: Siamese,
    item: Any,
    data: Collection,
    *,
    k: int = 10,
    fmr: float | None = None,
    prior: float | None = None,
    allow_bad: float = 0.01,
    progress: Progress | None = None,
) -> list[Near]:
    """The items of a collection that are nearest to something new, each with the verdict; the nearest first.

    Args:
        twin: a calibrated one.
        item: what is new: one item.
        data: what is known.
        k: at most so many.
        fmr, prior, allow_bad, progress: as in `duplicates`.

    Raises:
        NotCalibrated: there is no decision, or no threshold at that rate; or one for one item of each branch.
        UnreadableItem: the item cannot be read.
        TooManyBad: more bad items of the collection than allowed.
    """
    refuse_branches(twin)
    decision = applicable(twin.decisions, twin.method, graded=twin.grades is not None)
    asked = twin.embed([item])
    for bad in asked.bad:
        raise UnreadableItem(bad.name, bad.reason)
    found = twin.embed(data, progress=progress).require(allow_bad, data.origin)
    if twin.head is None:
        near = nearest(asked.vectors, found.vectors, k, twin.metric)
    else:
        near = nearest_in_stages(asked.vectors, found.vectors, k, twin.head.first, twin.head)
    names = [data.name(int(i)) for i in found.index[near.index[0]]]
    verdicts = [judged(decision, float(far), fmr=fmr, prior=prior) for far in near.distance[0]]
    return [Near(*pair) for pair in zip(names, verdicts, strict=True)]


def close_by(
    twin: Siamese, vectors: Float[np.ndarray, "n d"], limit: float, progress: Progress | None = None
) -> ClosePairs:
    """Every pair of a twin's embeddings that are at most `limit` apart; with a pair head, those that it was shown."""
    if twin.head is not None:
        return close_in_stages(vectors, limit, twin.head.first, twin.head)
    return close_pairs(vectors, limit, twin.metric, progress=progress)


def _ordered(a: Int[np.ndarray, " m"], b: Int[np.ndarray, " m"]) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"]]:
    return np.minimum(a, b), np.maximum(a, b)


def _clusters(n: int, a: Int[np.ndarray, " m"], b: Int[np.ndarray, " m"]) -> Int[np.ndarray, " n"]:
    """The cluster of each item, the largest first; of equals, by their first item; -1 where it is alone."""
    part = components(n, a, b)
    size = np.bincount(part, minlength=1)
    order = np.lexsort((np.arange(len(size)), -size))
    rank = np.empty(len(size), np.int64)
    rank[order] = np.arange(len(size))
    return np.where(size[part] > 1, rank[part], -1)
