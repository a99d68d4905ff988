"""What does the network confuse by now? Between two looks at the held-out pairs, batches are told.

Of identities a few items each are embedded and the nearest other identities found; of pairs all items, and the nearest
items that no chain of pairs connects, of the other branch where there are two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import numpy as np

from gemel import distances
from gemel.items import UNKNOWN
from gemel.learn.confusion import centroids, confusion
from gemel.learn.doubt import Doubt
from gemel.learn.held_out import metric_of
from gemel.learn.learner import Learner, embedded
from gemel.learn.mined_batches import MinedBatches
from gemel.learn.negatives import hard_negatives
from gemel.learn.tables import Told
from gemel.measure.by_identity import by_identity

if TYPE_CHECKING:
    from jaxtyping import Int

EACH = 4
"""At most so many items of an identity are embedded."""
SHARE = 0.95
"""Items at least so similar to an item as this share of its own pair's similarity are no negatives of it: they may be
the same after all. The share is that of Moreira et al. (2024)."""


class Confuse(pl.Callback):
    """Tells the batches of a run, every so many steps, what is near each other by now.

    Args:
        batches: those that the run draws.
        every: steps between two looks.
    """

    def __init__(self, batches: Told, every: int) -> None:
        self._batches, self._every = batches, every

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if isinstance(self._batches, MinedBatches) and trainer.global_step == 0:
            self._tell(trainer, pl_module)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        assert isinstance(pl_module, Learner)
        if trainer.global_step % self._every == 0 and trainer.global_step < len(pl_module.steps):
            self._tell(trainer, pl_module)

    def _tell(self, trainer: pl.Trainer, learner: pl.LightningModule) -> None:
        assert isinstance(learner, Learner)
        each = self._batches.each
        if isinstance(self._batches, MinedBatches):
            found = mined(learner, each)
        else:
            found = confused(learner, each, seed=trainer.global_step)
        self._batches.tables.add(trainer.strategy.broadcast(found), start=learner.steps.next)


def confused(learner: Learner, each: int, *, seed: int) -> Int[np.ndarray, "c k"]:
    """For each code the identities that it is confused with."""
    data = learner.steps.data
    some = few_of_each(data.identity, EACH, seed=seed)
    vectors, codes = centroids(embedded(learner, data, some).numpy(), data.identity[some])
    return confusion(vectors, codes, each, distances.distance(metric_of(learner.recipe)), items=8)


def mined(learner: Learner, each: int) -> Int[np.ndarray, "n k"]:
    """For each item that begins a pair its hard negatives among all training items; UNKNOWN where there are fewer."""
    data = learner.steps.data
    vectors = embedded(learner, data, np.arange(len(data))).numpy()
    doubt = Doubt(skip=learner.recipe.skip, max_share=SHARE, within=0.0)
    chains = data.chains
    metric = distances.distance(metric_of(learner.recipe))
    found = hard_negatives(vectors, chains, each, metric, anchors=np.unique(data.a), doubt=doubt, side=data.side)
    table = np.full((len(data), each), UNKNOWN)
    table[found.anchor, np.arange(len(found)) - np.searchsorted(found.anchor, found.anchor)] = found.negative
    return table


def few_of_each(identity: Int[np.ndarray, " n"], most: int, *, seed: int) -> Int[np.ndarray, " s"]:
    """Positions of at most so many items of every known identity, in order."""
    known = np.flatnonzero(identity != UNKNOWN)
    known = known[np.random.default_rng(seed).permutation(len(known))]
    index = by_identity(identity[known])
    rank = np.arange(len(index.order)) - np.repeat(index.begin[:-1], index.counts)
    return np.sort(known[index.order[rank < most]])
