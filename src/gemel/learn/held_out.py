"""The held-out pairs on which a training is watched, and the error on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from gemel.items import Collection
from gemel.items.explicit import between, explicit, side_of, some_of_each
from gemel.items.units import units
from gemel.learn.distances import distance
from gemel.learn.training_set import TrainingSet, Whole
from gemel.measure import eer, pairs_of, rank_error
from gemel.measure.graded import FEWEST
from gemel.recipe import Recipe

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

BATCH = 256
MOST_PAIRS = 20_000
"""At most so many pairs of each kind are watched."""


class HeldOut:
    """Pairs of items that take no part in training, and the error on them: the EER, or the rank error of scores.

    Args:
        data: the held-out items.
        a, b: [m] positions of the two items of each pair.
        value: [m] whether they are the same; or their scores.
        metric: name of the distance that compares embeddings.

    Attributes:
        measure: name of the error: eer, or rank_error where pairs have scores; 0 to 1, ½ is chance.
    """

    def __init__(
        self,
        data: TrainingSet,
        a: Int[np.ndarray, " m"],
        b: Int[np.ndarray, " m"],
        value: Bool[np.ndarray, " m"] | Float[np.ndarray, " m"],
        metric: str,
    ) -> None:
        self.data, self.a, self.b, self.value = data, a, b, value
        self.measure = "eer" if value.dtype == bool else "rank_error"
        self._metric, self._distance = metric, distance(metric)

    def __len__(self) -> int:
        """Batches that hold all items, in order."""
        return -(-len(self.data) // BATCH)

    def __getitem__(self, number: int) -> Whole:
        """Encoder inputs of one batch, prepared anew every time: all together might not fit in memory."""
        start = number * BATCH
        return self.data.whole(np.arange(start, min(start + BATCH, len(self.data))))

    def some(self, most: int) -> HeldOut:
        """The same with at most about so many pairs, evenly spread."""
        step = max(1, -(-len(self.a) // most))
        return HeldOut(self.data, self.a[::step], self.b[::step], self.value[::step], self._metric)

    def distances(self, embeddings: Float[Tensor, "n d"]) -> Float[np.ndarray, " m"]:
        """How far apart the two items of each pair are."""
        a, b = torch.from_numpy(self.a), torch.from_numpy(self.b)
        chunks = [
            self._distance.paired(embeddings[i], embeddings[j])
            for i, j in zip(torch.split(a, 65536), torch.split(b, 65536), strict=True)
        ]
        return torch.cat(chunks).numpy()

    def error(self, embeddings: Float[Tensor, "n d"]) -> float:
        """The error at these embeddings, 0 to 1; ½ is chance."""
        return self.error_of(self.distances(embeddings))

    def error_of(self, distance: Float[np.ndarray, " m"]) -> float:
        """The error at these distances, 0 to 1; ½ is chance, and where all distances are the same."""
        if self.value.dtype == bool:
            return float(eer(distance, self.value))
        return rank_error(distance, self.value) if np.ptp(distance) > 0 else 0.5


def held_out_of(stop: Collection, data: TrainingSet, recipe: Recipe) -> HeldOut | None:
    """The pairs on which training is watched, at most so many of each kind; None where nothing can be told apart."""
    how: dict[str, Any] = {"limit": MOST_PAIRS, "seed": recipe.seed}
    if stop.pairs is not None and stop.pairs.score is not None:
        return _graded(data, recipe, **how)
    a, b, same = data.a, data.b, data.value >= 0.5
    if len(a) and same.any() and not same.all():
        kept = some_of_each(same, **how)
        a, b, same = a[kept], b[kept], same[kept]
    elif len(a):  # only same pairs were given: items that hang together by none of them count as different
        a, b, same = _assumed(stop, data, **how)
    else:
        a, b, same = pairs_of(data.identity, impostor_of=data.impostor_of, **how)
    if not same.any() or same.all():
        return None
    return HeldOut(data, a, b, same, metric=metric_of(recipe))


def _assumed(
    stop: Collection, data: TrainingSet, *, limit: int, seed: int
) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"], Bool[np.ndarray, " m"]]:
    """Pairs of what hangs together by the pairs that were given, and of what does not; of different sides."""
    given = explicit(stop)
    side = None if given is None else side_of(given, len(stop))
    a, b, same = pairs_of(units(stop, content=data.content), limit=4 * limit, seed=seed)
    kept = np.concatenate(
        [rows[between(a[rows], b[rows], side, limit=limit, seed=seed)] for rows in map(np.flatnonzero, (same, ~same))]
    )
    return a[kept], b[kept], same[kept]


def _graded(data: TrainingSet, recipe: Recipe, *, limit: int, seed: int) -> HeldOut | None:
    """Pairs with scores; None where all are the same."""
    if len(data.a) < FEWEST or np.ptp(data.value) == 0:
        return None
    kept = np.arange(len(data.a))
    if len(kept) > limit:
        kept = np.sort(np.random.default_rng(seed).choice(kept, limit, replace=False))
    return HeldOut(data, data.a[kept], data.b[kept], data.value[kept].astype(np.float64), metric=metric_of(recipe))


def metric_of(recipe: Recipe) -> str:
    """The distance that compares embeddings: the learned one is Manhattan after its own last layer."""
    assert recipe.distance is not None
    return "manhattan" if recipe.distance == "learned" else recipe.distance
