"""Batches of what was told explicitly: pairs, triplets, and the pairs that identities' batches happen to hold.

Plans only: knows positions of items, no tensors and no pixels.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from gemel.errors import NotEnoughData
from gemel.learn.plan import Batches, BatchPlan, consecutive

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class PairBatches:
    """Explicit pairs, each once per pass; balanced so that rare *same* or rare *different* pairs do not bias.

    Args:
        a, b: [m] the items of each pair.
        value: [m] 1 for same, 0 for different, or a score in [0, 1].
        pairs: pairs in a batch.
        balance: draw same (value above ½) and different pairs equally often, as far as there are both.
        others: what two items of a batch are that are in no pair with each other.
        seed: of the order.
    """

    def __init__(
        self,
        a: Int[np.ndarray, " m"],
        b: Int[np.ndarray, " m"],
        value: Float[np.ndarray, " m"],
        *,
        pairs: int,
        balance: bool = True,
        others: Literal["unknown", "different"] = "unknown",
        seed: int = 0,
    ) -> None:
        if len(a) == 0:
            raise NotEnoughData("Learning from pairs needs at least one pair, and there is none.")
        self._a, self._b, self._value, self._others, self._seed = a, b, value, others, seed
        kinds = (np.flatnonzero(value > 0.5), np.flatnonzero(value <= 0.5))
        both = balance and all(map(len, kinds))
        self._pools = [pool for pool in kinds if len(pool)] if both else [np.arange(len(a))]
        self._each = max(1, min(pairs, len(a)) // len(self._pools))

    @property
    def rows(self) -> int:
        return 2 * self._each * len(self._pools)

    def plan(self, step: int) -> BatchPlan:
        drawn = np.concatenate(
            [
                pool[consecutive(len(pool), self._each, step, self._seed + salt + 1)]
                for salt, pool in enumerate(self._pools)
            ]
        )
        seed = int(np.random.default_rng((self._seed, 2, step)).integers(2**62))
        return _paired(self._a[drawn], self._b[drawn], self._value[drawn], seed, self._others)


class TripletBatches:
    """Explicit triplets, each once per pass: both pairs of a triplet meet in one batch.

    Args:
        anchor, positive, negative: [m] the items of each triplet.
        triplets: triplets in a batch.
        seed: of the order.
    """

    def __init__(
        self,
        anchor: Int[np.ndarray, " m"],
        positive: Int[np.ndarray, " m"],
        negative: Int[np.ndarray, " m"],
        *,
        triplets: int,
        seed: int = 0,
    ) -> None:
        if len(anchor) == 0:
            raise NotEnoughData("Learning from triplets needs at least one, and there is none.")
        self._anchor, self._positive, self._negative = anchor, positive, negative
        self._each, self._seed = max(1, min(triplets, len(anchor))), seed

    @property
    def rows(self) -> int:
        return 3 * self._each

    def plan(self, step: int) -> BatchPlan:
        drawn = consecutive(len(self._anchor), self._each, step, self._seed + 1)
        seed = int(np.random.default_rng((self._seed, 2, step)).integers(2**62))
        ends = np.concatenate([self._positive[drawn], self._negative[drawn]])
        value = np.repeat(np.array([1, 0], np.float32), len(drawn))
        return _paired(np.tile(self._anchor[drawn], 2), ends, value, seed)


class WithPairs:
    """Batches that were drawn otherwise, with the explicit pairs whose both items are in them.

    Different pairs that the plan holds already stay. An item in several views is in its pairs with every one of them;
    rows of different quarter turns are in none.

    Args:
        batches: what is drawn.
        a, b, value: [m] all explicit pairs, as in `PairBatches`.
        items: how many items there are.
    """

    def __init__(
        self,
        batches: Batches,
        a: Int[np.ndarray, " m"],
        b: Int[np.ndarray, " m"],
        value: Float[np.ndarray, " m"],
        *,
        items: int,
    ) -> None:
        by_first = np.argsort(a, kind="stable")
        self.inner = batches
        self._a, self._b, self._value = a[by_first], b[by_first], value[by_first]
        self._begin = np.searchsorted(self._a, np.arange(items + 1))

    @property
    def rows(self) -> int:
        return self.inner.rows

    def plan(self, step: int) -> BatchPlan:
        plan = self.inner.plan(step)
        listed = self._among(np.unique(plan.item))
        row, col, place = _crossed(plan.item, self._a[listed], self._b[listed])
        alike = plan.variant[row] == plan.variant[col]
        found = row[alike], col[alike], self._value[listed][place[alike]]
        mined = _different(plan)
        row, col, value = (np.concatenate(both) for both in zip(found, mined, strict=True))
        return replace(plan, row=row, col=col, value=value) if len(row) else plan

    def _among(self, items: Int[np.ndarray, " i"]) -> Int[np.ndarray, " k"]:
        """The pairs between some items, each of which is named once."""
        begin, end = self._begin[items], self._begin[items + 1]
        listed = _counted(end - begin) + np.repeat(begin, end - begin)
        return listed[np.isin(self._b[listed], items)]


def _different(plan: BatchPlan) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """The pairs of a plan that are different."""
    if plan.row is None or plan.col is None or plan.value is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    differ = plan.value == 0
    return plan.row[differ], plan.col[differ], plan.value[differ]


def _paired(
    a: Int[np.ndarray, " m"],
    b: Int[np.ndarray, " m"],
    value: Float[np.ndarray, " m"],
    seed: int,
    others: Literal["unknown", "different"] = "unknown",
) -> BatchPlan:
    """A batch of the items of some pairs, each once, and these pairs."""
    item, place = np.unique(np.concatenate([a, b]), return_inverse=True)
    nothing = np.zeros(len(item), int)
    return BatchPlan(item, nothing, nothing, seed, place[: len(a)], place[len(a) :], value, others)


def _crossed(
    item: Int[np.ndarray, " b"], a: Int[np.ndarray, " m"], b: Int[np.ndarray, " m"]
) -> tuple[Int[np.ndarray, " r"], Int[np.ndarray, " r"], Int[np.ndarray, " r"]]:
    """Every row of each pair's first item with every row of its second: the two rows, and which pair it is."""
    by_item = np.argsort(item, kind="stable")
    first_a, last_a = (np.searchsorted(item[by_item], a, side) for side in ("left", "right"))
    first_b, last_b = (np.searchsorted(item[by_item], b, side) for side in ("left", "right"))
    wide = last_b - first_b
    times = (last_a - first_a) * wide
    place, turn = np.repeat(np.arange(len(a)), times), _counted(times)
    row, col = first_a[place] + turn // wide[place], first_b[place] + turn % wide[place]
    return by_item[row], by_item[col], place


def _counted(times: Int[np.ndarray, " m"]) -> Int[np.ndarray, " r"]:
    """0 … t-1 for each t, one after the other."""
    return np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
