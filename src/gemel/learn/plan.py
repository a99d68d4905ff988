"""The rows of one batch before any data is touched: what every kind of batches yields, and how passes are ordered.

A plan is a pure function of the step and the seed. Knows positions, no tensors and no labels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Int


@dataclass(frozen=True)
class BatchPlan:
    """The rows of one batch.

    Attributes:
        item: position among the training items.
        variant: quarter turns (0 to 3) that make a row a new identity; 0 everywhere without rotations.
        view: which look at the item a row is; two rows with one item differ here.
        seed: of everything random in this step: augmentation, dropout.
        row, col, value: explicit pairs by position in this plan, with 1 for same, 0 for different, or a score;
            None when there are none.
        others: what two rows are of which nothing is known.
    """

    item: Int[np.ndarray, " b"]
    variant: Int[np.ndarray, " b"]
    view: Int[np.ndarray, " b"]
    seed: int
    row: Int[np.ndarray, " m"] | None = None
    col: Int[np.ndarray, " m"] | None = None
    value: Float[np.ndarray, " m"] | None = None
    others: Literal["unknown", "different"] = "unknown"

    def __len__(self) -> int:
        return len(self.item)

    def own(self, rank: int, world: int) -> slice:
        """Where the rows are that process `rank` of `world` encodes: a contiguous share, in order."""
        return slice(rank * len(self) // world, (rank + 1) * len(self) // world)

    def shard(self, rank: int, world: int) -> BatchPlan:
        """The rows that process `rank` of `world` encodes.

        Pairs are dropped: they speak of the whole batch, which every process gathers.
        """
        own = self.own(rank, world)
        rows = {name: getattr(self, name)[own] for name in ("item", "variant", "view")}
        return replace(self, **rows, row=None, col=None, value=None)


@runtime_checkable
class Batches(Protocol):
    """A source of plans."""

    def plan(self, step: int) -> BatchPlan:
        """The batch of a step, 0-based: the same for the same step, in any order."""
        ...

    @property
    def rows(self) -> int:
        """About how many rows a batch has."""
        ...


@lru_cache(maxsize=8)
def order(size: int, seed: int, number: int) -> Int[np.ndarray, " n"]:
    """The order of pass `number` over so many things."""
    return np.random.default_rng((seed, 0, number)).permutation(size)


def consecutive(size: int, count: int, step: int, seed: int) -> Int[np.ndarray, " c"]:
    """The next `count` places of endless passes over `size` things; one step may span several passes."""
    passes, places = np.divmod(np.arange(step * count, (step + 1) * count), size)
    orders = {int(p): order(size, seed, int(p)) for p in np.unique(passes)}
    return np.array([orders[int(p)][i] for p, i in zip(passes, places, strict=True)], np.int64)


def portion(size: int, most: int, step: int, seed: int) -> Int[np.ndarray, " c"]:
    """At most `most` places: passes are cut into portions of about equal size, so that none holds a thing twice."""
    parts = -(-size // most)
    number, part = divmod(step, parts)
    return order(size, seed, number)[part * size // parts : (part + 1) * size // parts]
