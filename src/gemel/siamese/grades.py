"""From a distance to the score that people would give, where they gave scores instead of answers.

Belongs to one method of comparing. Plain numbers, saved as JSON; knows no encoder and no items.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import DataError, ModelError, NotEnoughData
from gemel.measure.likelihood import falling
from gemel.siamese.operating import Method

if TYPE_CHECKING:
    from jaxtyping import Float

FEWEST = 20
"""Pairs below which no scores are fitted."""
BINS = 32
"""Parts of equally many pairs, most of all, within which scores are averaged."""


@dataclass(frozen=True)
class Grades:
    """Distance → score: linear between knots, constant beyond the outer ones, never rising.

    Attributes:
        method: how the two sides must have been compared.
        distance: of the knots, strictly ascending.
        score: at each knot, 0 to 1.
        pairs: how many it was fitted on.
        cut: the score from which on two items count as the same; None: nobody named one, and there are no verdicts.
    """

    method: Method
    distance: tuple[float, ...]
    score: tuple[float, ...]
    pairs: int
    cut: float | None = None

    def at(self, distance: Float[np.ndarray, "..."] | float) -> Float[np.ndarray, "..."]:
        """The score to expect at a distance."""
        return np.asarray(np.interp(np.asarray(distance, np.float64), self.distance, self.score))

    def json(self) -> dict[str, Any]:
        """As plain JSON values; `from_json` restores it exactly."""
        return asdict(self) | {"method": asdict(self.method) | {"branches": list(self.method.branches)}}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Grades:
        """Read what `json` wrote. Raises ModelError when it is something else."""
        try:
            method = Method.from_json(value["method"])
            return cls(method, tuple(value["distance"]), tuple(value["score"]), int(value["pairs"]), value["cut"])
        except (KeyError, TypeError, ValueError, DataError) as error:
            raise ModelError(f"The scores are damaged ({error!r}); calibrate the model again.") from None


def fit_grades(
    distance: Float[np.ndarray, " n"], score: Float[np.ndarray, " n"], *, method: Method, cut: float | None = None
) -> Grades:
    """Isotonic regression of scores on distances, over means of equally many pairs, so that it has no steps.

    Args:
        distance: of each pair, finite.
        score: of each pair, 0 to 1.
        method: how the pairs were compared.
        cut: kept beside it.

    Raises:
        NotEnoughData: fewer than 20 pairs.
    """
    if len(distance) < FEWEST:
        raise NotEnoughData(f"Scores are fitted on at least {FEWEST} pairs; there are {len(distance)}. Add pairs.")
    order = np.argsort(distance, kind="stable")
    parts = np.array_split(order, min(BINS, len(order) // 5))
    at, place = np.unique([distance[part].mean(dtype=np.float64) for part in parts], return_inverse=True)
    weight = np.bincount(place, [len(part) for part in parts])
    total = np.bincount(place, [score[part].sum(dtype=np.float64) for part in parts])
    level = falling(total / weight, weight)
    return Grades(method, tuple(at.tolist()), tuple(level.tolist()), len(distance), cut)
