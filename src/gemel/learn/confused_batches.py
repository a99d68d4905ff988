"""Batches in which identities that are confused meet: an identity is drawn together with those nearest to it.

Random batches of many identities hold few pairs that still teach. Knows codes of items, and no embeddings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gemel.learn.batches import UNKNOWN, IdentityBatches
from gemel.learn.plan import order
from gemel.learn.tables import Tables

if TYPE_CHECKING:
    from jaxtyping import Int


class ConfusedBatches(IdentityBatches):
    """P identities × K items; some of the identities come because they are confused with others of the batch.

    The rest are drawn as in `IdentityBatches`, every identity once per pass. So many of these as it takes, the leaders,
    bring the identities of their row in the table. Until there is a table all are drawn at random. A plan depends on
    the step, the seed, and the table that is in force at that step.

    Args:
        identity, identities, items, variants, impostor_of, seed: as those of `IdentityBatches`.
        share: of a batch's identities that come with leaders, 0 to 1; others fill up where there are too few.

    Attributes:
        each: how many each leader should bring.
        tables: [c, k] for each code the identities that it is confused with, from `confusion`.

    Source: Smirnov et al. (2017), Doppelganger mining for face representation learning.
    """

    def __init__(
        self,
        identity: Int[np.ndarray, " n"],
        *,
        identities: int,
        items: int,
        share: float = 0.5,
        variants: int = 1,
        impostor_of: Int[np.ndarray, " n"] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(
            identity, identities=identities, items=items, variants=variants, impostor_of=impostor_of, seed=seed
        )
        self._fresh = max(1, self._identities - round(share * self._identities))
        self.each = -(-self._identities // self._fresh) - 1 or 1
        self.tables = Tables()

    def _draw(self, step: int, rng: np.random.Generator) -> Int[np.ndarray, " p"]:
        number, place = divmod(step, max(1, len(self._classes) // self._fresh))
        places = order(len(self._classes), self._seed, number)
        start = place * self._fresh
        drawn = self._classes[places.take(np.arange(start, start + self._identities), mode="wrap")]
        wanted = np.concatenate([drawn[: self._fresh], self._companions(step, drawn[: self._fresh]), drawn])
        first = np.sort(np.unique(wanted, return_index=True)[1])
        return wanted[first[: self._identities]]

    def _companions(self, step: int, leaders: Int[np.ndarray, " l"]) -> Int[np.ndarray, " c"]:
        """The classes that some are confused with, leader by leader, in the same quarter turn."""
        table = self.tables.at(step)
        if table is None:
            return leaders[:0]
        identity, variant = np.divmod(leaders, self._variants)
        found = table[identity]
        drawable = (found != UNKNOWN) & (self._members.counts[found] >= 2)
        return (found * self._variants + variant[:, None])[drawable]
