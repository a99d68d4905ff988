"""How good a twin is on a collection: verification, what its decision costs there, retrieval, one-shot.

What training or calibration has seen is counted and said, not hidden. Prints nothing.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import NotEnoughData
from gemel.items.collection import UNKNOWN, Collection
from gemel.items.words import many
from gemel.measure import (
    FewShot,
    Retrieval,
    Searched,
    Verification,
    average_precision,
    cllr,
    f1,
    few_shot,
    retrieval_of,
    verification_of,
)
from gemel.measure.calibration import Judged, judged
from gemel.siamese.across import Across, across
from gemel.siamese.branches import sides
from gemel.siamese.calibrate import named
from gemel.siamese.costs import Costs
from gemel.siamese.decision import Decision
from gemel.siamese.describing import summarised
from gemel.siamese.embedding import Embeddings, Progress
from gemel.siamese.known import ASSUMED, known_pairs
from gemel.siamese.manifest import finite
from gemel.siamese.operating import Method, OperatingPoint
from gemel.siamese.trials import known_trials
from gemel.siamese.twin import Siamese
from gemel.siamese.verdict import alike

if TYPE_CHECKING:
    from jaxtyping import Int

QUERIES = 10_000
"""At most so many items ask for their neighbours; all are searched."""
WAYS = (20, 5)
"""Classes of a one-shot episode: the first number that the data has enough classes for."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How good a twin is on a collection.

    Attributes:
        data: what the collection is called.
        items: how many were embedded.
        bad: how many could not be.
        method: how items were compared.
        verification: how well distances tell same from different; where impostors are known, from random pairs and
            impostors together, in whatever proportion they came.
        random, skilled: the same against either kind by itself; None where there is one kind only.
        cllr: cost in bits of the probabilities at equal priors, 0 (perfect) to 1 (knowing nothing) and above
            (misleading); None when the twin is not calibrated for its method.
        costs: every operating point of the decision, with its rates on this data; empty when it is not calibrated.
        average_precision: of *same* among the pairs as they were given; None where identities give the pairs.
        f1: the same at the decision's own threshold; None without a decision too.
        retrieval: how good neighbours are; None when identities do not allow it.
        few_shot: N-way one-shot accuracy; None when identities do not allow it.
        across: how well one side of the pairs finds the other, both ways; empty where pairs have no sides.
        trained_on: items that training saw.
        calibrated_on: items that calibration saw.
        notes: what to know before quoting these numbers.
    """

    data: str
    items: int
    bad: int
    method: Method
    verification: Verification
    random: Verification | None
    skilled: Verification | None
    cllr: float | None
    costs: tuple[OperatingPoint, ...]
    average_precision: float | None
    f1: float | None
    retrieval: Retrieval | None
    few_shot: FewShot | None
    across: tuple[Across, ...]
    trained_on: int
    calibrated_on: int
    notes: tuple[str, ...]

    def json(self) -> dict[str, Any]:
        """As plain JSON values; an infinite threshold becomes null."""
        return dict(finite(asdict(self)))

    def summary(self) -> str:
        """In plain words, a fact a line."""
        return summarised(self)


def evaluate(
    twin: Siamese,
    data: Collection,
    *,
    found: Embeddings | None = None,
    allow_bad: float = 0.01,
    limit: int = 100_000,
    seed: int = 0,
    cut: float | None = None,
    refs: int | None = None,
    pool: str | None = None,
    normalise: float | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure a twin on a collection with identities, or with explicit pairs.

    Args:
        twin: what to measure.
        data: items with known answers, best of identities that training never saw.
        found: their embeddings by this twin, where they are at hand.
        allow_bad: share of items that may be bad, 0 to 1.
        limit: most same pairs, and most different pairs, that are measured.
        seed: of samples and episodes.
        cut: the score from which on two items count as the same, where pairs have scores; None: that of the twin.
        refs: compare items with so many references of one identity, 2 or more; None: with each other.
        pool, normalise: as in `Siamese.calibrate`; None: as the twin is calibrated for so many references.
        progress: called with (items done, items in all).

    Raises:
        NotEnoughData: there are no same, or no different, pairs.
        TooManyBad: more bad items than allowed.
    """
    data, method = sides(twin, data), _facing(twin, refs, pool, normalise)
    found = twin.embed(data, progress=progress) if found is None else found
    found = found.require(allow_bad, data.origin)
    if cut is None and twin.grades is not None:
        cut = twin.grades.cut
    if method.references > 1:
        pairs = known_trials(data, found, method, limit=limit, seed=seed)
    else:
        pairs = known_pairs(data, found, limit=limit, seed=seed, cut=cut)
    if pairs.same.all() or not pairs.same.any():
        kind = "different" if pairs.same.any() else "same"
        raise NotEnoughData(f"{data.origin} has no {kind} pairs; measuring takes both kinds.")
    distance = pairs.distances(found.vectors, twin.metric)
    decision = next((each for each in twin.decisions if each.method == method), None)
    known = judged(distance, pairs.same, pairs.identity_a, pairs.identity_b, pairs.skilled)
    items = data.take(found.index)
    neighbours = _Neighbours(items, found, twin.method.distance, seed)
    crossing = across(items, found, distance=twin.method.distance, names=twin.method.branches, seed=seed)
    retrieval, shots = (None, None) if crossing else (neighbours.retrieval(), neighbours.one_shot())
    trained, calibrated = twin.seen.in_training(found.content), twin.seen.in_calibration(found.content)
    if twin.head is not None and retrieval is not None:
        neighbours.notes.append(f"Neighbours are those by {twin.method.distance} distance, without the pair head.")
    every = None
    if pairs.source == "pairs" and not pairs.assumed:  # what depends on how many are the same takes all of them
        whole = known_pairs(data, found, limit=sys.maxsize, seed=seed, cut=cut)
        every = whole.distances(found.vectors, twin.metric), whole.same
    notes = [
        ASSUMED if pairs.assumed else "",
        *seen_before(twin, data, found),
        f"{many(pairs.identical, 'pair' if refs is None else 'item')} of exact copies left out."
        if pairs.identical
        else "",
        *neighbours.notes,
    ]
    return Evaluation(
        data=data.origin,
        items=len(found),
        bad=len(found.bad),
        method=method,
        verification=_verification(known),
        random=None if known.skilled is None else _verification(known.facing("random")),
        skilled=None if known.skilled is None else _verification(known.facing("skilled")),
        cllr=None if decision is None else cllr(decision.evidence.at(distance.astype(np.float64)), pairs.same),
        costs=() if decision is None else _measured(decision, known),
        average_precision=None if every is None else average_precision(*every),
        f1=None if every is None or decision is None else f1(*every, decision.threshold()),
        retrieval=retrieval,
        few_shot=shots,
        across=crossing,
        trained_on=int(trained.sum()),
        calibrated_on=int(calibrated.sum()),
        notes=tuple(note for note in notes if note),
    )


def seen_before(twin: Siamese, data: Collection, found: Embeddings) -> tuple[str, ...]:
    """A sentence where training, and one where calibration, saw some of these items."""
    trained, calibrated = twin.seen.in_training(found.content), twin.seen.in_calibration(found.content)
    said = [
        f"Of these, training saw {named(data, found, trained)}: the numbers promise too much." if trained.any() else "",
        f"Of these, calibration saw {named(data, found, calibrated)}: rates at its thresholds promise too much."
        if calibrated.any()
        else "",
    ]
    return tuple(sentence for sentence in said if sentence)


def _facing(twin: Siamese, refs: int | None, pool: str | None, normalise: float | None) -> Method:
    """The method of so many references: what is not said is as calibrated, or else the plain mean."""
    usual = next((each.method for each in alike(twin.decisions, twin.method) if each.method.references == refs), None)
    if usual is not None:
        pool, normalise = pool or usual.pooling, usual.normalised if normalise is None else normalise
    return twin.method.facing(refs, pool or "mean", normalise=normalise or 0.0)


def _verification(known: Judged) -> Verification:
    return verification_of(known.distance, known.same, known.pairs.a, known.pairs.b)


def _measured(decision: Decision, known: Judged) -> tuple[OperatingPoint, ...]:
    costs = Costs(known)
    return tuple(OperatingPoint(at.name, at.threshold, *costs.at(at.threshold)) for at in decision.points)


class _Neighbours:
    """What identities allow beyond pairs; says in `notes` what they do not."""

    def __init__(self, items: Collection, found: Embeddings, metric: str, seed: int) -> None:
        unknown = np.full(len(found), UNKNOWN, np.int64)
        self.identity: Int[np.ndarray, " n"] = unknown if items.identity is None else items.identity.codes
        self.group = None if items.group is None else items.group.codes
        self.found, self.metric, self.seed = found, metric, seed
        self.notes: list[str] = []

    def retrieval(self) -> Retrieval | None:
        queries = np.flatnonzero(self.identity >= 0)
        if len(queries) > QUERIES:
            queries = np.sort(np.random.default_rng(self.seed).choice(queries, QUERIES, replace=False))
            self.notes.append(f"Neighbours are measured for a sample of {QUERIES:,} items.")
        vectors, content = self.found.vectors, self.found.content
        try:
            return retrieval_of(
                vectors[queries],
                self.identity[queries],
                distance_name=self.metric,
                gallery=Searched(vectors, self.identity, content),
                ids=content[queries],
            )
        except NotEnoughData:
            self.notes.append("No neighbours are measured: no identity has two items.")
            return None

    def one_shot(self) -> FewShot | None:
        for group in (None,) if self.group is None else (self.group, None):
            for ways in WAYS:
                try:
                    return few_shot(
                        self.found.vectors,
                        self.identity,
                        ways=ways,
                        group=group,
                        distance_name=self.metric,
                        seed=self.seed,
                    )
                except NotEnoughData:
                    continue
        self.notes.append(f"No one-shot accuracy: fewer than {WAYS[-1]} identities have two items.")
        return None
