"""From a collection to a decision: embed, pair, fit; refused on what training saw.

Knows twins and collections; the fit itself is in `decision.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gemel.errors import DataError, Overlap
from gemel.items.collection import Collection
from gemel.items.words import first, many
from gemel.siamese.branches import sides
from gemel.siamese.decision import Decision, fit_decision
from gemel.siamese.embedding import Embeddings, Progress
from gemel.siamese.grades import Grades, fit_grades
from gemel.siamese.known import has_scores, known_pairs, scored_pairs
from gemel.siamese.prefix import Prefixed
from gemel.siamese.seen import Seen

if TYPE_CHECKING:
    from jaxtyping import Bool

    from gemel.siamese.twin import Siamese


def calibrated(
    twin: Siamese,
    data: Collection,
    *,
    prior: float,
    seed: int,
    allow_overlap: bool,
    allow_bad: float,
    limit: int,
    cut: float | None,
    progress: Progress | None,
) -> Siamese:
    """The twin with a decision fitted on this data; arguments and errors as in `Siamese.calibrate`."""
    data = sides(twin, data)
    found = twin.embed(data, progress=progress).require(allow_bad, data.origin)
    before = twin.seen.in_training(found.content)
    if before.any() and not allow_overlap:
        raise Overlap(
            f"{data.origin} shares {named(data, found, before)} with what this twin was trained on; thresholds found "
            "there would promise too much. Calibrate on identities that training never saw, or accept this with "
            "allow_overlap=True (--allow-overlap)."
        )
    if cut is not None:
        _refuse_cut(data, cut)
    scored = scored_pairs(data, found) if has_scores(data) else None
    pairs = None if scored is not None and cut is None else known_pairs(data, found, limit=limit, seed=seed, cut=cut)

    def graded(one: Siamese) -> Grades | None:
        if scored is None:
            return None
        far = scored.distances(found.vectors[:, : one.method.dim], one.metric)
        return fit_grades(far, scored.score, method=one.method, cut=cut)

    def decided(one: Siamese) -> Decision | None:
        if pairs is None:
            return None
        return fit_decision(
            pairs.distances(found.vectors[:, : one.method.dim], one.metric),
            pairs.same,
            pairs.identity_a,
            pairs.identity_b,
            method=one.method,
            prior=prior,
            seed=seed,
            assumed=pairs.assumed,
        )

    shorter = [twin.prefix(length) for length in twin.prefixes]
    prefixed = tuple(Prefixed(one.method.dim, decided(one), graded(one)) for one in shorter)
    seen = Seen.of(trained=twin.seen.trained, calibrated=found.content)
    return twin.but(decision=decided(twin), grades=graded(twin), prefixed=prefixed, seen=seen)


def _refuse_cut(data: Collection, cut: float) -> None:
    if not has_scores(data):
        raise DataError(f"cut = {cut:g} is about pairs with scores, and {data.origin} has none; leave it out.")
    if not 0 < cut <= 1:
        raise DataError(f"cut = {cut:g} must lie above 0, the lowest score, and at most at 1, the highest.")


def named(data: Collection, found: Embeddings, rows: Bool[np.ndarray, " n"]) -> str:
    """How many of the embedded items, and the first few by name."""
    names = [data.name(int(i)) for i in found.index[rows]]
    return f"{many(len(names), 'item')} ({first(names)})"
