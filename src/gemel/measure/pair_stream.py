"""Same and different pairs of labelled items, without end: block after block, in the memory of an index of the items.

Pairs are numbered, and a keyed permutation of the numbers is read off place by place; so any block can be had by
itself, and no pair returns before its time. Knows no distances.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np

from gemel.errors import DataError, NotEnoughData
from gemel.measure.by_identity import ByIdentity, by_identity
from gemel.measure.pair_cells import After, Between, Cells, Within
from gemel.measure.pair_draws import CellByCell, PairByPair
from gemel.measure.pairing import PairSample

if TYPE_CHECKING:
    from jaxtyping import Int

BLOCK = 1 << 16


class PairStream:
    """Endless pairs of labelled items: never an item with itself, none twice within the window.

    Every stretch of the stream holds the wanted share of same pairs, to within one pair.

    What is drawn equally often decides what large identities weigh. Of *pairs*, an identity of k items has
    k (k - 1) / 2 same ones: one of 1,000 items counts 499,500 times as much as one of two. Of *identities*, both count
    the same, and so do any two identities in different pairs; but a pair of a small identity is then drawn that much
    more often than one of a large one. Choose pairs to estimate a rate over pairs, identities to learn from.

    Args:
        identity: [n] code of each item's identity; -1 is unknown and takes no part.
        same: share of same pairs, 0 to 1; ratio 1 : r is 1 / (1 + r).
        by: what is drawn equally often: every identity, and every two of them; or every pair of each kind.
        window: among any so many pairs in a row none comes twice, in either order; 0 asks for nothing, and still all
            that is drawn equally often comes once before any of it comes again.
        block: pairs in a block.
        seed: of the order.

    Attributes:
        window: among so many pairs in a row none comes twice; at least what was asked for.

    Raises:
        NotEnoughData: no identity has two items, there is only one identity, or there are too few pairs for the window.
    """

    def __init__(
        self,
        identity: Int[np.ndarray, " n"],
        *,
        same: float = 0.5,
        by: Literal["identities", "pairs"] = "identities",
        window: int = 0,
        block: int = BLOCK,
        seed: int = 0,
    ) -> None:
        if not 0 <= same <= 1 or window < 0 or block < 1:
            raise DataError(
                f"A stream of pairs needs a share of same pairs from 0 to 1, a window of at least 0 and blocks of at "
                f"least 1 pair; there came same = {same}, window = {window}, block = {block}."
            )
        self._block, self._share = block, Fraction(same).limit_denominator(10**9)
        index = by_identity(identity)
        self._order = index.order
        shares = {kind: share for kind, share in ((True, self._share), (False, 1 - self._share)) if share}
        draws = CellByCell if by == "identities" else PairByPair
        self._draws = {
            kind: draws(_cells(kind, by, index), key=2 * seed + kind, apart=math.ceil(window * share))
            for kind, share in shares.items()
        }
        self.window = min(int(self._draws[kind].apart / share) for kind, share in shares.items())
        if self.window < window:
            raise NotEnoughData(
                f"There are too few pairs, drawn by {by}, for a window of {window}: one would return after "
                f"{self.window}. Ask for a window of {self.window} or less"
                + (", or draw by pairs." if by == "identities" else ".")
            )

    def pairs(self, block: int) -> PairSample:
        """The pairs of a block, counted from 0: same and different mixed; the same for the same block and seed."""
        start = block * self._block
        before = start * self._share.numerator // self._share.denominator
        rest = start * self._share.numerator % self._share.denominator
        steps = rest + np.arange(self._block + 1) * self._share.numerator
        done = steps // self._share.denominator  # same pairs of this block before each of its places
        same = np.diff(done) > 0
        a, b = np.empty(self._block, np.int64), np.empty(self._block, np.int64)
        for kind, drawn in self._draws.items():
            place = np.flatnonzero(same == kind)
            number = before + done[place] if kind else start - before + place - done[place]
            one, other = drawn.at(number)
            one, other = self._order[one], self._order[other]
            a[place], b[place] = np.minimum(one, other), np.maximum(one, other)
        return PairSample(a, b, same)


def _cells(same: bool, by: str, index: ByIdentity) -> Cells:
    """The pairs of a kind."""
    counts = index.counts
    if same and not (counts > 1).any():
        raise NotEnoughData(f"None of {len(counts)} identities has two items: there are no same pairs to draw.")
    if not same and len(counts) < 2:
        raise NotEnoughData(f"Different pairs need two identities, and there is {len(counts)}.")
    if same:
        return Within(index.begin)
    return Between(index.begin) if by == "identities" else After(index.begin)
