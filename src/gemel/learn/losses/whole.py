"""What is known of a whole batch, for losses that look at it block by block."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from gemel.learn.relation import Block, Relation

BLOCK = 1 << 21
"""About how many distances are looked at together on a CPU: few enough for its last cache."""
BLOCK_ON_GPU = 1 << 26
FEWEST_ROWS = 64
"""A block has at least so many rows, for matrix products of fewer are slow."""


@dataclass(frozen=True)
class Whole:
    """What a block of rows may ask of the whole batch.

    Attributes:
        relation: what is known of all pairs.
        dim: dimensions of an embedding.
    """

    relation: Relation
    dim: int

    @cached_property
    def blocks(self) -> list[slice]:
        """The rows, block by block."""
        n, m = self.relation.shape
        size = BLOCK_ON_GPU if self.relation.rows.ids.is_cuda else BLOCK
        step = max(FEWEST_ROWS, size // max(m, 1))
        return [slice(start, min(start + step, n)) for start in range(0, n, step)]

    @cached_property
    def positive(self) -> int:
        """How many rows something is the same as."""
        return sum(int(self.relation.block(rows).same.any(1).count_nonzero()) for rows in self.blocks)

    @cached_property
    def mass(self) -> Mass:
        """How much of everything that is known is same, and how much different."""
        return sum((Mass.of(self.relation.block(rows)) for rows in self.blocks), Mass(0.0, 0.0, 0))


@dataclass(frozen=True)
class Mass:
    """How much is same and how much different; a pair with score s counts s as same and 1 - s as different.

    Attributes:
        same, different: summed over pairs.
        pairs: how many pairs anything is known of.
    """

    same: float
    different: float
    pairs: int

    def __add__(self, other: Mass) -> Mass:
        return Mass(self.same + other.same, self.different + other.different, self.pairs + other.pairs)

    @classmethod
    def of(cls, block: Block) -> Mass:
        """What a block of rows holds."""
        same, different = int(block.same.count_nonzero()), int(block.different.count_nonzero())
        if block.score is None:
            return cls(same, different, same + different)
        scores = block.score[~block.score.isnan()].double()
        alike = float(scores.sum())
        return cls(same + alike, different + len(scores) - alike, same + different + len(scores))
