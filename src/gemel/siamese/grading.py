"""How well a twin's distances follow scores that people gave. Prints nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from gemel.errors import DataError
from gemel.items.collection import Collection
from gemel.measure import Graded, graded_of
from gemel.siamese.embedding import Embeddings, Progress
from gemel.siamese.evaluation import seen_before
from gemel.siamese.known import has_scores, scored_pairs
from gemel.siamese.manifest import finite

if TYPE_CHECKING:
    from gemel.siamese.twin import Siamese


@dataclass(frozen=True, kw_only=True)
class Grading:
    """How well distances follow scores on a collection of graded pairs.

    Attributes:
        data: what the collection is called.
        items: how many were embedded.
        bad: how many could not be.
        graded: correlations, and the error of predicted scores where the twin was calibrated on scores.
        notes: what to know before quoting these numbers.
    """

    data: str
    items: int
    bad: int
    graded: Graded
    notes: tuple[str, ...]

    def json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return dict(finite(asdict(self)))

    def summary(self) -> str:
        """In plain words, a fact a line."""
        from gemel.siamese.describing import graded

        return graded(self)


def grade(
    twin: Siamese,
    data: Collection,
    *,
    found: Embeddings | None = None,
    allow_bad: float = 0.01,
    progress: Progress | None = None,
) -> Grading:
    """Measure a twin on pairs with scores.

    Args:
        twin: what to measure.
        data: items with graded pairs.
        found: their embeddings by this twin, where they are at hand.
        allow_bad: share of items that may be bad, 0 to 1.
        progress: called with (items done, items in all).

    Raises:
        DataError: the pairs have no scores.
        NotEnoughData: too few pairs, or all have the same score.
        TooManyBad: more bad items than allowed.
    """
    if not has_scores(data):
        raise DataError(f"{data.origin} holds no pairs with scores; measure same and different with evaluate().")
    found = twin.embed(data, progress=progress) if found is None else found
    found = found.require(allow_bad, data.origin)
    pairs = scored_pairs(data, found)
    distance = pairs.distances(found.vectors, twin.metric)
    predicted = None if twin.grades is None else twin.grades.at(distance)
    return Grading(
        data=data.origin,
        items=len(found),
        bad=len(found.bad),
        graded=graded_of(distance, pairs.score, pairs.identity_a, pairs.identity_b, predicted=predicted),
        notes=seen_before(twin, data, found),
    )
