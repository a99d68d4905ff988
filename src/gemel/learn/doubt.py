"""Which hard negatives are too hard to be true: filters against items of other identities that are the same after all.

Knows distances as numbers, no items.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gemel.errors import DataError

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """Which negatives of an anchor are left out; whatever any of the filters names.

    Lengths are in units of a typical distance, and a similarity is one less such a length: with cosine distance, the
    cosine. "The positive" is the anchor's nearest other item of its identity; where there is none, `margin` and
    `max_share` leave out nothing.

    Attributes:
        skip: so many of the nearest.
        margin: those not farther than the positive and so much more; below 0: those nearer than it by so much.
        max_share: those at least so similar as this share of the positive's similarity; Moreira et al. take 0.95.
        within: those not farther than this; 0: exact copies.

    Source: Moreira et al. (2024), NV-Retriever: improving text embedding models with effective hard-negative mining:
    "Top-K shifted by N" (skip), "TopK-MarginPos" (margin), "TopK-PercPos" (max_share), "TopK-Abs" (within).
    """

    skip: int = 0
    margin: float | None = None
    max_share: float | None = None
    within: float | None = None

    def __post_init__(self) -> None:
        if self.skip < 0 or (self.max_share is not None and self.max_share < 0):
            raise DataError(f"skip and max_share must be at least 0: {self.skip} and {self.max_share} were given.")

    @property
    def measures(self) -> bool:
        """Whether the positive matters."""
        return self.margin is not None or self.max_share is not None

    def bound(self, positive: Float[np.ndarray, " a"], typical: float) -> Float[np.ndarray, " a"]:
        """The distance up to which negatives are left out.

        Args:
            positive: distance of each anchor's positive; infinite where there is none.
            typical: of two random embeddings.
        """
        has = np.isfinite(positive)
        length = np.where(has, positive, 0) / typical
        least = -math.inf if self.within is None else self.within
        margin = least if self.margin is None else length + self.margin
        share = least if self.max_share is None else 1 - self.max_share * (1 - length)
        return np.where(has, np.maximum(least, np.maximum(margin, share)), least) * typical
