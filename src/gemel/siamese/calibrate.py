"""From a collection to a decision: embed, pair, fit; refused on what training saw.

Knows twins and collections; the fit itself is in `decision.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gemel.errors import DataError, Overlap
from gemel.items.collection import Collection
from gemel.items.words import first, many
from gemel.siamese.branches import sides
from gemel.siamese.decision import Decision
from gemel.siamese.embedding import Embeddings, Progress
from gemel.siamese.fitting import FEWEST, fit_decision
from gemel.siamese.grades import Grades, fit_grades
from gemel.siamese.known import has_scores, known_pairs, scored_pairs
from gemel.siamese.openset import MOST, MOST_BY_HEAD, fit_open_set
from gemel.siamese.operating import Method
from gemel.siamese.seen import Seen
from gemel.siamese.trials import known_trials

if TYPE_CHECKING:
    from jaxtyping import Bool

    from gemel.siamese.twin import Siamese


def calibrated(
    twin: Siamese,
    data: Collection,
    *,
    method: Method,
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
        _refuse_cut(data, cut, method)
    pairs, scored = None, None
    if method.references > 1:
        pairs = known_trials(data, found, method, limit=limit, seed=seed, fewest=FEWEST)
    else:
        scored = scored_pairs(data, found) if has_scores(data) else None
        if scored is None or cut is not None:
            pairs = known_pairs(data, found, limit=limit, seed=seed, cut=cut)

    def graded(one: Siamese) -> Grades | None:
        if scored is None:
            return None
        far = scored.distances(found.vectors[:, : one.method.dim], one.metric)
        return fit_grades(far, scored.score, method=one.method, cut=cut)

    def decided(one: Siamese) -> Decision | None:
        if pairs is None:
            return None
        decision = fit_decision(
            pairs.distances(found.vectors[:, : one.method.dim], one.metric),
            pairs.same,
            pairs.identity_a,
            pairs.identity_b,
            method=one.method.facing_as(method),
            prior=prior,
            seed=seed,
            assumed=pairs.assumed,
            skilled=pairs.skilled,
        )
        if codes is None or method.references > 1 or method.branches:
            return decision
        most = MOST if one.head is None else MOST_BY_HEAD
        among = fit_open_set(found.vectors[:, : one.method.dim], codes, one.metric, seed=seed, most=most)
        return replace(decision, open_set=among)

    strangers = data.identity if twin.recipe.get("protocol") != "closed" else None  # closed: training knew them all
    codes = None if strangers is None else strangers.codes[found.index]
    twins = (twin, *(twin.prefix(length) for length in twin.prefixes))
    fitted = [(one.method, method.references) for one in twins]
    decisions = [each for each in twin.decisions if (each.method.pairwise, each.method.references) not in fitted]
    gradings = [each for each in twin.gradings if (each.method, 1) not in fitted]
    before = twin.seen.calibrated if decisions or gradings else found.content
    return twin.but(
        decisions=(*decisions, *(each for each in map(decided, twins) if each is not None)),
        gradings=(*gradings, *(each for each in map(graded, twins) if each is not None)),
        seen=Seen.of(trained=twin.seen.trained, calibrated=np.concatenate([before, found.content])),
    )


def _refuse_cut(data: Collection, cut: float, method: Method) -> None:
    if method.references > 1:
        raise DataError(f"cut = {cut:g} is about pairs with scores, and refs about identities; leave one of them out.")
    if not has_scores(data):
        raise DataError(f"cut = {cut:g} is about pairs with scores, and {data.origin} has none; leave it out.")
    if not 0 < cut <= 1:
        raise DataError(f"cut = {cut:g} must lie above 0, the lowest score, and at most at 1, the highest.")


def named(data: Collection, found: Embeddings, rows: Bool[np.ndarray, " n"]) -> str:
    """How many of the embedded items, and the first few by name."""
    names = [data.name(int(i)) for i in found.index[rows]]
    return f"{many(len(names), 'item')} ({first(names)})"
