"""What every loss must offer: what it needs to know of the data, and a value with the number that counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from torch import Tensor, nn

from gemel.learn.distances import Distance
from gemel.learn.relation import Relation

if TYPE_CHECKING:
    from jaxtyping import Float


class Knows(Enum):
    """What data can know of its pairs."""

    IDENTITY = "identities"
    PAIRS = "pairs labelled same or different"
    POSITIVES = "pairs that are all the same"
    SCORE = "pairs with a score"
    VIEWS = "several views of one item"
    TRIPLETS = "triplets"


@dataclass(frozen=True)
class Term:
    """The value of a loss on one batch.

    Attributes:
        value: a scalar; 0 with zero gradient, never NaN, when nothing counts.
        counted: how many pairs, triplets or anchors took part in the mean.
    """

    value: Float[Tensor, ""]
    counted: int

    @classmethod
    def sum(cls, terms: Sequence[Term], weights: Sequence[float]) -> Term:
        """The weighted sum of values, and all that counted."""
        first, *others = (weight * term.value for weight, term in zip(weights, terms, strict=True))
        return cls(sum(others, first), sum(term.counted for term in terms))


class Loss(nn.Module):
    """A loss over two sides of embeddings and their relation.

    Args:
        distance: how embeddings are compared. Margins and temperatures are in units of its typical distance.
    """

    needs: frozenset[Knows]
    """Any one of these is enough."""
    any_columns: bool = False
    """Whether it compares its rows with whatever columns there are: a memory of other batches, another process's."""
    pace: float = 1.0
    """How much faster than the encoder its own parameters learn."""

    def __init__(self, distance: Distance) -> None:
        super().__init__()
        self.distance = distance

    @property
    def core(self) -> Loss:
        """The loss itself, without what was put around it."""
        return self

    def forward(self, rows: Float[Tensor, "n d"], cols: Float[Tensor, "m d"], relation: Relation) -> Term:
        """The mean over what counts. Pass the same tensor twice for an ordinary batch."""
        raise NotImplementedError
