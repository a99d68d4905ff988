"""Which pairs a labelled set of items gives: every same pair, and all or a sample of the different ones.

Pairs are numbered without being listed, so that a sample of the five billion pairs of 100,000 items
costs the memory of the sample. Knows no distances.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gemel.errors import DataError

if TYPE_CHECKING:
    from jaxtyping import Bool, Int

LIMIT = 100_000
"""Most pairs of a kind that are listed; more are sampled."""


class PairSample(NamedTuple):
    """Pairs of items and whether they are the same; never an item with itself, no pair twice.

    Attributes:
        a, b: positions of the items, a < b.
        same: whether they share an identity.
    """

    a: Int[np.ndarray, " n"]
    b: Int[np.ndarray, " n"]
    same: Bool[np.ndarray, " n"]


@dataclass(frozen=True)
class Partners:
    """For each row, a contiguous range of partners: pairs of the two, numbered 0 … total - 1.

    Attributes:
        row: items.
        first: position in `order` of the first partner of each row.
        count: number of partners of each row.
        order: items, arranged so that partners are contiguous.
    """

    row: Int[np.ndarray, " r"]
    first: Int[np.ndarray, " r"]
    count: Int[np.ndarray, " r"]
    order: Int[np.ndarray, " m"]

    def sample(self, limit: int, rng: np.random.Generator) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """Rows and partners of all pairs, or of `limit` of them drawn uniformly without replacement."""
        ends = np.cumsum(self.count)
        total = int(ends[-1]) if len(ends) else 0
        number = np.arange(total) if total <= limit else _distinct(total, limit, rng)
        owner = np.searchsorted(ends, number, side="right")
        partner = self.order[self.first[owner] + number - (ends[owner] - self.count[owner])]
        return self.row[owner], partner


def pairs_of(
    identity: Int[np.ndarray, " n"],
    *,
    limit: int = LIMIT,
    seed: int = 0,
    group: Int[np.ndarray, " n"] | None = None,
    impostor_of: Int[np.ndarray, " n"] | None = None,
) -> PairSample:
    """The pairs of labelled items: same, then different, then skilled (different too).

    Args:
        identity: of each item; -1 is unknown and takes no part.
        limit: most pairs of each of the three kinds; where there are more, a uniform sample.
        seed: of the sample.
        group: when given, only pairs within one group; an item of group -1 takes no part.
        impostor_of: the identity an item pretends to be, else -1. Such an item has no identity of its own: it is
            *different* from that identity's items, and nothing is known of it against all others.
    """
    rng = np.random.default_rng(seed)
    checked(identity, group=group, impostor_of=impostor_of, limit=limit)
    group = np.zeros_like(identity) if group is None else group
    kinds = [*_genuine(identity, group)]
    if impostor_of is not None:
        kinds.append(_skilled(identity, group, impostor_of))
    found = [kind.sample(limit, rng) for kind in kinds]
    same = np.repeat([True, *[False] * (len(found) - 1)], [len(mine) for mine, _ in found])
    sides = [np.concatenate(side) for side in zip(*found, strict=True)]
    return PairSample(np.minimum(*sides), np.maximum(*sides), same)


def owners(identity: Int[np.ndarray, " n"], impostor_of: Int[np.ndarray, " n"] | None = None) -> Int[np.ndarray, " n"]:
    """The identity that each item's pairs rest on, for intervals: its own, or the one it pretends to be."""
    return identity if impostor_of is None else np.where(identity < 0, impostor_of, identity)


def checked(
    identity: Int[np.ndarray, " n"],
    *,
    group: Int[np.ndarray, " m"] | None = None,
    impostor_of: Int[np.ndarray, " k"] | None = None,
    limit: int = LIMIT,
) -> None:
    """Refuse labels that do not fit each other."""
    for name, other in (("group", group), ("impostor_of", impostor_of)):
        if other is not None and len(other) != len(identity):
            raise DataError(f"{name} has {len(other)} values for {len(identity)} items; give one per item.")
    if limit < 1:
        raise DataError(f"limit must be at least 1, and is {limit}.")
    if impostor_of is not None and ((identity >= 0) & (impostor_of >= 0)).any():
        raise DataError("An item that pretends to be an identity has none itself: set its identity to -1.")


def _blocks(identity: Int[np.ndarray, " n"], group: Int[np.ndarray, " n"]) -> Int[np.ndarray, " m"]:
    """Known items, arranged by group and then by identity."""
    known = np.flatnonzero((identity >= 0) & (group >= 0))
    return known[np.lexsort((identity[known], group[known]))]


def _ends(key: Int[np.ndarray, " m"]) -> Int[np.ndarray, " m"]:
    """For each position, where its run of equal keys ends."""
    last = np.flatnonzero(np.append(key[1:] != key[:-1], True)) if len(key) else np.zeros(0, np.int64)
    return np.repeat(last + 1, np.diff(np.append(-1, last)))


def _genuine(identity: Int[np.ndarray, " n"], group: Int[np.ndarray, " n"]) -> tuple[Partners, Partners]:
    """Same pairs: with later items of the identity. Different: with later identities of the group."""
    order = _blocks(identity, group)
    wide = _ends(group[order])
    change = np.append(True, (identity[order][1:] != identity[order][:-1]) | (group[order][1:] != group[order][:-1]))
    near = _ends(np.cumsum(change[: len(order)]))
    here = np.arange(len(order))
    return Partners(order, here + 1, near - here - 1, order), Partners(order, near, wide - near, order)


def _skilled(
    identity: Int[np.ndarray, " n"], group: Int[np.ndarray, " n"], impostor_of: Int[np.ndarray, " n"]
) -> Partners:
    """Each impostor with every genuine item of the identity it pretends to be."""
    order = _blocks(identity, group)
    row = np.flatnonzero((impostor_of >= 0) & (group >= 0))
    span = int(max(identity.max(initial=0), impostor_of.max(initial=0))) + 1
    key = group[order].astype(np.int64) * span + identity[order]
    wanted = group[row].astype(np.int64) * span + impostor_of[row]
    first = np.searchsorted(key, wanted, side="left")
    return Partners(row, first, np.searchsorted(key, wanted, side="right") - first, order)


def _distinct(total: int, wanted: int, rng: np.random.Generator) -> Int[np.ndarray, " n"]:
    """`wanted` different numbers below `total`, uniformly, in memory of the order of `wanted`."""
    if total <= 4 * wanted:
        return np.sort(rng.permutation(total)[:wanted])
    drawn = np.unique(rng.integers(total, size=wanted + wanted // 4 + 16))
    while len(drawn) < wanted:
        drawn = np.union1d(drawn, rng.integers(total, size=wanted))
    return np.sort(rng.permutation(drawn)[:wanted])
