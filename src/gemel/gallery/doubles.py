"""Who is enrolled under several names: pairs and groups of identities that may be one. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gemel.gallery.answers import Twice
from gemel.gallery.rows import Row
from gemel.neighbors.close import ClosePairs
from gemel.neighbors.merging import merged
from gemel.siamese.decision import Decision
from gemel.siamese.duplication import close_by
from gemel.siamese.twin import Siamese

if TYPE_CHECKING:
    from jaxtyping import Float


def duplicates(
    twin: Siamese, decision: Decision, rows: Sequence[Row], *, fmr: float | None, prior: float | None
) -> list[Twice]:
    """Every two identities that may be one, the nearest first; as `Gallery.duplicates` says."""
    found = _close(twin, decision, rows, fmr=fmr, prior=prior)
    place = {row.identity: i for i, row in reversed(list(enumerate(rows)))}
    nearest: dict[tuple[str, str], Twice] = {}
    for a, b, far in zip(found.pairs.a.tolist(), found.pairs.b.tolist(), found.pairs.distance.tolist(), strict=True):
        one, two = sorted((rows[a], rows[b]), key=lambda row: place[row.identity])
        if one.identity != two.identity and (one.identity, two.identity) not in nearest:
            chance = float(found.decision.probability(far))
            nearest[one.identity, two.identity] = Twice(one.identity, two.identity, one.name, two.name, far, chance)
    return list(nearest.values())


def clusters(
    twin: Siamese, decision: Decision, rows: Sequence[Row], *, fmr: float | None, prior: float | None
) -> list[tuple[str, ...]]:
    """Identities that may be one, in groups, the largest first; as `Gallery.clusters` says."""
    found = _close(twin, decision, rows, fmr=fmr, prior=prior)
    code = {name: i for i, name in enumerate(dict.fromkeys(row.identity for row in rows))}
    group = np.array([code[row.identity] for row in rows], np.int64)
    together: dict[int, dict[str, None]] = {}
    grown = merged(group, found.pairs, found.vectors, found.limit, twin.metric)
    for row, name in zip(rows, grown.tolist(), strict=True):
        together.setdefault(name, {})[row.identity] = None
    return sorted((tuple(each) for each in together.values() if len(each) > 1), key=len, reverse=True)


@dataclass(frozen=True)
class _Close:
    """Pairs of rows that are called the same.

    Attributes:
        decision: at the prior in force.
        vectors: of all rows, side by side.
        pairs: the closest first.
        limit: the largest distance of a pair.
    """

    decision: Decision
    vectors: Float[np.ndarray, "n d"]
    pairs: ClosePairs
    limit: float


def _close(twin: Siamese, decision: Decision, rows: Sequence[Row], *, fmr: float | None, prior: float | None) -> _Close:
    decision = decision if prior is None else decision.at(prior)
    limit = decision.asked(fmr).threshold
    vectors = np.stack([row.vector for row in rows]) if rows else np.empty((0, twin.method.dim), np.float32)
    return _Close(decision, vectors, close_by(twin, vectors, limit), limit)
