"""Everything that a report says, as values: embedded once, measured by `evaluate`, nothing drawn yet.

Knows twins and collections; knows no HTML and no figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from gemel.items import UNKNOWN, Collection
from gemel.measure import Curve, Recall, clusters, curve_of
from gemel.report.hardest import Space
from gemel.report.rates import Rate
from gemel.report.reliability import Bin, reliability_of
from gemel.report.tables import Point
from gemel.siamese.across import Across
from gemel.siamese.branches import sides
from gemel.siamese.decision import Decision
from gemel.siamese.embedding import Embeddings, Progress
from gemel.siamese.evaluation import Evaluation, evaluate
from gemel.siamese.known import Known, known_pairs
from gemel.siamese.pairhead import proposing
from gemel.siamese.twin import Siamese

if TYPE_CHECKING:
    from jaxtyping import Float


FEW = 0.02
"""Share of items that calibration may have seen too before its thresholds are no longer judged on this data."""


@dataclass(frozen=True)
class Findings:
    """What was found about a twin on held-out data.

    Attributes:
        twin: what was measured.
        data: the collection it was measured on, bad items included.
        found: its embeddings.
        known: the pairs with known answers.
        distance: of each pair.
        evaluation: every measure.
    """

    twin: Siamese
    data: Collection
    found: Embeddings
    known: Known
    distance: Float[np.ndarray, " n"]
    evaluation: Evaluation

    @property
    def decision(self) -> Decision | None:
        """The twin's decision on pairs."""
        return self.twin.decision

    @property
    def threshold(self) -> float | None:
        """The largest distance that the twin calls the same; None where it gives no verdicts."""
        return None if self.decision is None else self.decision.threshold()

    @property
    def fitted_here(self) -> bool:
        """Whether calibration saw more of these items than can be shrugged off."""
        return self.evaluation.calibrated_on > FEW * self.evaluation.items

    @cached_property
    def items(self) -> Collection:
        """The embedded items, in the order of the embeddings."""
        return self.data.take(self.found.index)

    @cached_property
    def curve(self) -> Curve:
        """Both errors over every threshold."""
        return curve_of(self.distance, self.known.same)

    @cached_property
    def space(self) -> Space:
        """The embeddings with what is known of them."""
        identity = self.items.identity
        codes = np.full(len(self.found), UNKNOWN, np.int64) if identity is None else identity.codes
        return Space(self.found.vectors, codes, self.found.content, proposing(self.twin.metric))

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """The operating points; measured here unless they were chosen here."""
        if self.decision is None:
            return ()
        judged = (None,) * len(self.decision.points) if self.fitted_here else self.evaluation.costs
        return tuple(
            Point(chr(ord("A") + place), promised, here)
            for place, (promised, here) in enumerate(zip(self.decision.points, judged, strict=True))
        )

    @cached_property
    def bins(self) -> tuple[Bin, ...]:
        """Reliability at a prior of one half; empty where probabilities were fitted on this data, or there are none."""
        if self.decision is None or self.fitted_here:
            return ()
        probability = self.decision.at(0.5).probability(self.distance)
        return reliability_of(probability, self.known.same, clusters(self.known.identity_a, self.known.identity_b))

    @cached_property
    def rates(self) -> list[Rate]:
        """One-shot and retrieval rates, as far as identities, or pairs with two sides, allow them."""
        return [*_one_shot(self.evaluation), *_retrieval(self.evaluation), *_across(self.evaluation)]


def findings(
    twin: Siamese,
    data: Collection,
    *,
    allow_bad: float = 1.0,
    limit: int = 100_000,
    seed: int = 0,
    cut: float | None = None,
    progress: Progress | None = None,
) -> Findings:
    """Embed and measure; arguments and errors as in `evaluate`, but bad items are only counted unless told."""
    if cut is None and twin.grades is not None:
        cut = twin.grades.cut
    data = sides(twin, data)
    found = twin.embed(data, progress=progress)
    evaluation = evaluate(twin, data, found=found, allow_bad=allow_bad, limit=limit, seed=seed, cut=cut)
    known = known_pairs(data, found, limit=limit, seed=seed, cut=cut)
    return Findings(twin, data, found, known, known.distances(found.vectors, twin.metric), evaluation)


def _one_shot(found: Evaluation) -> list[Rate]:
    shot = found.few_shot
    if shot is None:
        return []
    drawn = {"within-group": "all of one group", "random": "drawn from all"}.get(shot.protocol, shot.protocol)
    examples = "one example each" if shot.shots == 1 else f"{shot.shots} examples each"
    means = f"how often the right one of {shot.ways} identities ({drawn}) is named from {examples}"
    return [Rate(f"{shot.ways}-way {shot.shots}-shot", shot.accuracy, shot.interval, means, 1 / shot.ways)]


def _retrieval(found: Evaluation) -> list[Rate]:
    if found.retrieval is None:
        return []
    known = found.retrieval
    nearest = {k: "the nearest other item is" if k == 1 else f"at least one of the {k} nearest is" for k in (1, 5, 10)}
    return [
        *(
            Rate(f"R@{r.k}", r.value, r.interval, f"how often {nearest[r.k]} of the same identity")
            for r in known.recall
        ),
        Rate(
            "R-precision",
            known.r_precision,
            known.r_precision_interval,
            "share of the same identity among the R nearest, R being how many there are",
        ),
        Rate("MAP@R", known.map_at_r, known.map_at_r_interval, "the same, and nearer ones count more"),
    ]


def _across(found: Evaluation) -> list[Rate]:
    def rate(each: Across, recall: Recall) -> Rate:
        among = "the nearest" if recall.k == 1 else f"one of the {recall.k} nearest"
        means = f"how often {among} of {each.retrieval.gallery:,} belongs to what asks"
        return Rate(f"{each.asking} → {each.answering} R@{recall.k}", recall.value, recall.interval, means)

    return [rate(each, recall) for each in found.across for recall in each.retrieval.recall]
