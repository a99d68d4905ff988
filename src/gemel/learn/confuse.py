"""Which identities does the network confuse by now? Between two looks at the held-out pairs, batches are told.

Embeds a few items of every identity, finds each identity's nearest others, and tells the batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import numpy as np

from gemel import distances
from gemel.items import UNKNOWN
from gemel.learn.confused_batches import ConfusedBatches
from gemel.learn.confusion import centroids, confusion
from gemel.learn.held_out import metric_of
from gemel.learn.learner import Learner, embedded
from gemel.measure.by_identity import by_identity

if TYPE_CHECKING:
    from jaxtyping import Int

EACH = 4
"""At most so many items of an identity are embedded."""


class Confuse(pl.Callback):
    """Tells the batches of a run, every so many steps, which identities are near each other by now.

    Args:
        batches: those that the run draws.
        every: steps between two looks.
    """

    def __init__(self, batches: ConfusedBatches, every: int) -> None:
        self._batches, self._every = batches, every

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        assert isinstance(pl_module, Learner)
        if trainer.global_step % self._every == 0 and trainer.global_step < len(pl_module.steps):
            found = trainer.strategy.broadcast(self._table(pl_module, trainer.global_step))
            self._batches.confuse(found, start=pl_module.steps.next)

    def _table(self, learner: Learner, step: int) -> Int[np.ndarray, "c k"]:
        data = learner.steps.data
        some = few_of_each(data.identity, EACH, seed=step)
        vectors, codes = centroids(embedded(learner, data, some).numpy(), data.identity[some])
        return confusion(vectors, codes, self._batches.each, distances.distance(metric_of(learner.recipe)), items=8)


def few_of_each(identity: Int[np.ndarray, " n"], most: int, *, seed: int) -> Int[np.ndarray, " s"]:
    """Positions of at most so many items of every known identity, in order."""
    known = np.flatnonzero(identity != UNKNOWN)
    known = known[np.random.default_rng(seed).permutation(len(known))]
    index = by_identity(identity[known])
    rank = np.arange(len(index.order)) - np.repeat(index.begin[:-1], index.counts)
    return np.sort(known[index.order[rank < most]])
