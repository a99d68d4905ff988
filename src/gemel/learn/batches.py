"""Which items meet in a batch: pure plans from (step, seed), testable without any data.

A plan never depends on what was planned before, so resuming at a step and sharing a batch among
processes follow from it. Knows codes of items, no tensors and no pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from gemel.errors import NotEnoughData

if TYPE_CHECKING:
    from jaxtyping import Float, Int

UNKNOWN = -1
SINGLES = 4
"""One singleton joins a batch, as a negative, for every so many items of proper identities."""


@dataclass(frozen=True)
class BatchPlan:
    """The rows of one batch.

    Attributes:
        item: position among the training items.
        variant: quarter turns (0 to 3) that make a row a new identity; 0 everywhere without rotations.
        view: which look at the item a row is; two rows with one item differ here.
        seed: of everything random in this step: augmentation, dropout.
        row, col, value: explicit pairs by position in this plan, with 1 for same, 0 for different, or a score;
            None when identities speak.
    """

    item: Int[np.ndarray, " b"]
    variant: Int[np.ndarray, " b"]
    view: Int[np.ndarray, " b"]
    seed: int
    row: Int[np.ndarray, " m"] | None = None
    col: Int[np.ndarray, " m"] | None = None
    value: Float[np.ndarray, " m"] | None = None

    def __len__(self) -> int:
        return len(self.item)

    def shard(self, rank: int, world: int) -> BatchPlan:
        """The rows that process `rank` of `world` encodes: a contiguous share, in order.

        Pairs are dropped: they speak of the whole batch, which every process gathers.
        """
        own = slice(rank * len(self) // world, (rank + 1) * len(self) // world)
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


class IdentityBatches:
    """P identities × K items, every identity once per pass; singletons and impostors join as negatives.

    Args:
        identity: [n] code of each item's identity; UNKNOWN for impostors and unlabelled items.
        identities: P, at most as many as there are.
        items: K; an identity with fewer gives the same item in several views.
        variants: 4 when quarter turns count as new identities, otherwise 1.
        group: [n] code of each item's group, to draw a batch from few groups; None: from everywhere.
        groups: how many groups a batch is drawn from; 0: all.
        impostor_of: [n] identity an item pretends to be; up to K // 2 impostors follow each identity.
        seed: of the order.

    Raises:
        NotEnoughData: no identity has two items, or there is only one identity.
    """

    def __init__(
        self,
        identity: Int[np.ndarray, " n"],
        *,
        identities: int,
        items: int,
        variants: int = 1,
        group: Int[np.ndarray, " n"] | None = None,
        groups: int = 0,
        impostor_of: Int[np.ndarray, " n"] | None = None,
        seed: int = 0,
    ) -> None:
        self._members = _Members(identity)
        counts = self._members.counts
        several, self._single = np.flatnonzero(counts >= 2), np.flatnonzero(counts == 1)
        if len(several) == 0 or len(several) + len(self._single) < 2:
            raise NotEnoughData(
                "Learning from identities needs at least two of them, and at least one with two items: "
                f"there are {len(several)} with two or more items and {len(self._single)} with one. "
                "Give more items per identity, or explicit pairs."
            )
        self._classes = (several[:, None] * variants + np.arange(variants)).ravel()
        self._identities = min(identities, len(self._classes))
        self._items, self._variants, self._seed = items, variants, seed
        self._family = None if group is None or not groups else _family(group, identity, len(counts))[several]
        self._groups = groups
        self._impostors = None if impostor_of is None else _Members(impostor_of, size=len(counts))

    @property
    def rows(self) -> int:
        return self._identities * self._items + self._singles

    @property
    def _singles(self) -> int:
        return min(len(self._single), self._identities * self._items // SINGLES)

    def plan(self, step: int) -> BatchPlan:
        rng = np.random.default_rng((self._seed, 1, step))
        classes = self._draw(step, rng)
        parts = [self._rows(int(c), rng) for c in classes]
        if self._singles:
            lone = rng.choice(self._single, self._singles, replace=False)
            single = np.concatenate([self._members.of(int(code)) for code in lone])
            parts.append((single, rng.integers(self._variants, size=len(lone)), np.zeros(len(lone), int)))
        item, variant, view = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        return BatchPlan(item, variant, view, seed=int(rng.integers(2**62)))

    def _draw(self, step: int, rng: np.random.Generator) -> Int[np.ndarray, " p"]:
        if self._family is not None:
            return self._draw_groups(rng)
        per_pass = max(1, len(self._classes) // self._identities)
        order = _order(len(self._classes), self._seed, step // per_pass)
        start = (step % per_pass) * self._identities
        return self._classes[order[start : start + self._identities]]

    def _draw_groups(self, rng: np.random.Generator) -> Int[np.ndarray, " p"]:
        assert self._family is not None
        names = rng.permutation(np.unique(self._family))
        family = np.repeat(self._family, self._variants)
        share = -(-self._identities // self._groups)
        chosen: list[np.ndarray] = []
        for name in names:
            if sum(map(len, chosen)) >= self._identities:
                break
            mine = np.flatnonzero(family == name)
            chosen.append(rng.permutation(mine)[:share])
        return self._classes[np.concatenate(chosen)[: self._identities]]

    def _rows(self, code: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        identity, variant = divmod(code, self._variants)
        members = rng.permutation(self._members.of(identity))
        pick = np.arange(self._items)
        item, view = members[pick % len(members)], pick // len(members)
        if self._impostors is not None:
            forged = rng.permutation(self._impostors.of(identity))[: self._items // 2]
            item, view = np.concatenate([item, forged]), np.concatenate([view, np.zeros(len(forged), int)])
        return item, np.full(len(item), variant), view


class PairBatches:
    """Explicit pairs, each once per pass; balanced so that rare *same* or rare *different* pairs do not bias.

    Args:
        a, b: [m] the items of each pair.
        value: [m] 1 for same, 0 for different, or a score in [0, 1].
        pairs: pairs in a batch.
        balance: draw same (value above ½) and different pairs equally often, as far as there are both.
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
        seed: int = 0,
    ) -> None:
        if len(a) == 0:
            raise NotEnoughData("Learning from pairs needs at least one pair, and there is none.")
        self._a, self._b, self._value, self._seed = a, b, value, seed
        kinds = (np.flatnonzero(value > 0.5), np.flatnonzero(value <= 0.5))
        both = balance and all(map(len, kinds))
        self._pools = [pool for pool in kinds if len(pool)] if both else [np.arange(len(a))]
        self._each = max(1, min(pairs, len(a)) // len(self._pools))

    @property
    def rows(self) -> int:
        return 2 * self._each * len(self._pools)

    def plan(self, step: int) -> BatchPlan:
        drawn = np.concatenate([self._next(pool, step, salt) for salt, pool in enumerate(self._pools)])
        ends = np.concatenate([self._a[drawn], self._b[drawn]])
        item, place = np.unique(ends, return_inverse=True)
        nothing = np.zeros(len(item), int)
        seed = int(np.random.default_rng((self._seed, 2, step)).integers(2**62))
        row, col = place[: len(drawn)], place[len(drawn) :]
        return BatchPlan(item, nothing, nothing, seed, row, col, self._value[drawn])

    def _next(self, pool: np.ndarray, step: int, salt: int) -> np.ndarray:
        """The pool in a new order each pass; a batch may span two passes of a small pool."""
        positions = np.arange(step * self._each, (step + 1) * self._each)
        passes, places = np.divmod(positions, len(pool))
        orders = {p: _order(len(pool), self._seed + salt + 1, int(p)) for p in np.unique(passes)}
        return pool[[orders[p][i] for p, i in zip(passes, places, strict=True)]]


class _Members:
    """The items of every code, sorted once; looked up in constant time."""

    def __init__(self, codes: Int[np.ndarray, " n"], size: int | None = None) -> None:
        known = np.flatnonzero(codes != UNKNOWN)
        self._sorted = known[np.argsort(codes[known], kind="stable")]
        self.counts = np.bincount(codes[known], minlength=size or 0)
        self._ends = np.cumsum(self.counts)

    def of(self, code: int) -> Int[np.ndarray, " k"]:
        end = self._ends[code]
        return self._sorted[end - self.counts[code] : end]


def _family(group: np.ndarray, identity: np.ndarray, size: int) -> Int[np.ndarray, " i"]:
    """The group of each identity: that of its first item."""
    family = np.full(size, UNKNOWN)
    known = np.flatnonzero(identity != UNKNOWN)[::-1]
    family[identity[known]] = group[known]
    return family


@lru_cache(maxsize=8)
def _order(size: int, seed: int, number: int) -> Int[np.ndarray, " n"]:
    """The order of pass `number`."""
    return np.random.default_rng((seed, 0, number)).permutation(size)
