"""Which items meet in a batch by their identity, or by being seen twice.

A plan never depends on what was planned before, so resuming at a step and sharing a batch among
processes follow from it. Knows codes of items, no tensors and no pixels.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gemel.errors import NotEnoughData
from gemel.learn.plan import Batches, BatchPlan, order, portion

if TYPE_CHECKING:
    from jaxtyping import Int

UNKNOWN = -1
SINGLES = 4
"""One singleton joins a batch, as a negative, for every so many items of proper identities."""


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
        follow = np.zeros(1) if self._impostors is None else np.minimum(self._impostors.counts[several], items // 2)
        self._forged = round(self._identities * float(follow.mean()))

    @property
    def rows(self) -> int:
        """Of a batch; where some identities have fewer impostors than others, on average."""
        return self._identities * self._items + self._forged + self._singles

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
        places = order(len(self._classes), self._seed, step // per_pass)
        start = (step % per_pass) * self._identities
        return self._classes[places[start : start + self._identities]]

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


class ViewBatches:
    """Items in two views each, every item once per pass: for data of which nothing is known.

    The two views of an item are same; whatever else is not known to be same counts as different.

    Args:
        items: how many there are.
        pairs: at most so many items in a batch; passes are cut into batches of about equal size.
        seed: of the order.

    Source: Chen et al. (2020), A simple framework for contrastive learning of visual representations, section 2.1.
    """

    def __init__(self, items: int, *, pairs: int, seed: int = 0) -> None:
        if items < 2:
            raise NotEnoughData(f"Learning from views needs at least two items, and there is {items}.")
        self._size, self._most, self._seed = items, max(2, pairs), seed

    @property
    def rows(self) -> int:
        return 2 * -(-self._size // -(-self._size // self._most))

    def plan(self, step: int) -> BatchPlan:
        item, view = _twice(portion(self._size, self._most, step, self._seed))
        seed = int(np.random.default_rng((self._seed, 4, step)).integers(2**62))
        return BatchPlan(item, np.zeros_like(item), view, seed, others="different")


class WithUnlabelled:
    """Batches of identities that some items without one join, each in two views.

    Its other view is all that such an item is the same as. Everything else counts as different from it, except
    impostors: now and then that is wrong, and far more often right, as in any learning from views.

    Args:
        batches: what is drawn from identities.
        items: [u] the items without an identity; every one comes once per pass.
        count: at most so many join a batch.
        variants: 4 when quarter turns count as new identities; both views of an item are turned alike.
        seed: of the order.
    """

    def __init__(
        self, batches: Batches, items: Int[np.ndarray, " u"], *, count: int, variants: int = 1, seed: int = 0
    ) -> None:
        self.inner, self._pool, self._count = batches, items, count
        self._variants, self._seed = variants, seed

    @property
    def rows(self) -> int:
        return self.inner.rows + 2 * -(-len(self._pool) // -(-len(self._pool) // self._count))

    def plan(self, step: int) -> BatchPlan:
        plan = self.inner.plan(step)
        item, view = _twice(self._pool[portion(len(self._pool), self._count, step, self._seed)])
        turns = np.random.default_rng((self._seed, 5, step)).integers(self._variants, size=len(item) // 2)
        return replace(
            plan,
            item=np.concatenate([plan.item, item]),
            variant=np.concatenate([plan.variant, np.tile(turns, 2)]),
            view=np.concatenate([plan.view, view]),
            others="different",
        )


def _twice(item: Int[np.ndarray, " k"]) -> tuple[Int[np.ndarray, " r"], Int[np.ndarray, " r"]]:
    """Every item in two views: the items of the rows, and their views."""
    return np.tile(item, 2), np.repeat([0, 1], len(item))


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
