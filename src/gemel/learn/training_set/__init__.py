"""The items to learn from, and batches of them.

training_set(part, …)   what a split knows of its items → TrainingSet
batches_of(data, …)     how batches are drawn
Steps                   the batches of a run, as tensors, from any step on
identities_of(data, …)  the codes of identities that occur in batches
"""

from __future__ import annotations

from gemel.learn.training_set.drawn import batches_of
from gemel.learn.training_set.known import TrainingSet, Whole, training_set
from gemel.learn.training_set.steps import Batch, Steps, identities_of

__all__ = ["Batch", "Steps", "TrainingSet", "Whole", "batches_of", "identities_of", "training_set"]
