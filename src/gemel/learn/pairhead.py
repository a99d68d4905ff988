"""Learning a pair head: what the embeddings of a finished encoder still say of two items, beyond their distance.

It starts as the distance itself and learns corrections to it. Knows embeddings and pairs; nothing of items.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from gemel import distances
from gemel.errors import NotEnoughData
from gemel.items import UNKNOWN
from gemel.learn.distances import distance as kernel
from gemel.learn.doubt import Doubt
from gemel.learn.encoders import Frames
from gemel.learn.export import as_onnx
from gemel.learn.held_out import HeldOut, metric_of
from gemel.learn.learner import Learner, embedded, held_out_rows
from gemel.learn.losses import Knows
from gemel.learn.negatives import hard_negatives
from gemel.learn.training_set import TrainingSet
from gemel.learn.warping import learned_warping
from gemel.measure import pairs_of
from gemel.siamese.pairhead import A, B

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

EPOCHS, BATCH, LR, DECAY, HIDDEN, DROPOUT = 40, 256, 1e-3, 1e-2, 128, 0.3
NEGATIVES = 4
"""Hard negatives of each item, where only the same ones are known."""
MOST = 200_000
"""At most so many pairs of either kind are learned from."""


class PairNetwork(nn.Module):
    """Log-odds that two embeddings are the same, from their distance and a small network over (|a - b|, a · b).

    Args:
        dim: dimensions of an embedding.
        metric: name of the distance of the embeddings.
    """

    def __init__(self, dim: int, metric: str) -> None:
        super().__init__()
        self.distance, self.typical = kernel(metric), distances.distance(metric).typical(dim)
        self.steep = nn.Parameter(torch.tensor(4.0))
        self.middle = nn.Parameter(torch.tensor(0.5))
        self.scale = math.sqrt(dim)  # numbers of a unit-length embedding are about 1 / √dim
        self.more = nn.Sequential(
            nn.Dropout(DROPOUT), nn.Linear(2 * dim, HIDDEN), nn.GELU(), nn.Dropout(DROPOUT), nn.Linear(HIDDEN, 1)
        )
        last = self.more[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, a: Float[Tensor, "n d"], b: Float[Tensor, "n d"]) -> Float[Tensor, "n 1"]:
        closeness = softplus(self.steep) * (self.middle - self.distance.paired(a, b) / self.typical)
        features = torch.cat([(a - b).abs() * self.scale, a * b * self.scale**2], 1)
        return closeness[:, None] + self.more(features)


class _Pairs:
    """Pairs of both kinds to learn from: positions, and 1 for same, 0 for different, or a score.

    Args:
        skilled: which of the different ones are of an impostor with the identity that it imitates; None: none.
    """

    def __init__(
        self,
        a: Int[np.ndarray, " m"],
        b: Int[np.ndarray, " m"],
        value: Float[np.ndarray, " m"],
        skilled: Bool[np.ndarray, " m"] | None = None,
    ) -> None:
        _refuse_one_kind(value)
        self.a, self.b, self.value = torch.from_numpy(a), torch.from_numpy(b), torch.from_numpy(value)
        same = value > 0.5
        different = [~same] if skilled is None or not skilled.any() else [~same & ~skilled, skilled]
        weight = np.zeros(len(value), np.float32)
        for kind, share in ((same, 0.5), *((each, 0.5 / len(different)) for each in different)):
            weight[kind] = share * len(value) / max(1, kind.sum())  # same and different weigh alike, and so do theirs
        self.weight = torch.from_numpy(weight)


def learned_head(learner: Learner) -> bytes:
    """A pair head for a finished encoder, as `head_of` reads it: of frames, one that aligns them; otherwise a network,
    and that with the lowest held-out error is kept.

    Raises:
        NotEnoughData: nothing is known of any pair, or all are the same and no other item is there to differ from.
    """
    data, recipe = learner.steps.data, learner.recipe
    vectors = embedded(learner, data, np.arange(len(data)))
    pairs = _pairs_of(learner, vectors.numpy())
    if isinstance(learner.encoder.backbone, Frames):
        return learned_warping(learner.encoder.backbone, vectors.numpy(), pairs.a, pairs.b, pairs.value, pairs.weight)
    torch.manual_seed(recipe.seed)
    network = PairNetwork(vectors.shape[1], metric_of(recipe))
    watched = None if learner.held_out is None else (learner.held_out, held_out_rows(learner))
    best = _fit(network, vectors, pairs, watched, recipe.seed)
    return _onnx(best, vectors.shape[1])


def _pairs_of(learner: Learner, vectors: Float[np.ndarray, "n d"]) -> _Pairs:
    """The pairs that were given, with hard negatives where all of them are the same; or what identities give."""
    data, seed = learner.steps.data, learner.recipe.seed
    if len(data.value) and data.told is not Knows.POSITIVES:
        return _Pairs(data.a, data.b, data.value.astype(np.float32))
    unit, skilled = data.identity, np.zeros((2, 0), np.int64)
    if len(data.value):
        unit = data.chains
        a, b = data.a, data.b
    else:
        both = pairs_of(unit, impostor_of=data.impostor_of, limit=MOST, seed=seed)
        a, b = both.a[both.same], both.b[both.same]
        skilled = np.stack([both.a, both.b])[:, (unit[both.a] < 0) | (unit[both.b] < 0)]
    metric = distances.distance(metric_of(learner.recipe))
    side, codes = data.side, np.where(unit >= 0, unit, UNKNOWN)
    hard = hard_negatives(vectors, codes, NEGATIVES, metric, doubt=Doubt(within=0.0), side=side)
    rng = np.random.default_rng(seed)
    easy = rng.integers(len(data), size=(2, len(hard)))
    easy = easy[:, (unit[easy[0]] != unit[easy[1]]) & (unit[easy] >= 0).all(axis=0)]
    easy = easy if side is None else easy[:, side[easy].sum(axis=0) == 1]
    left = np.concatenate([a, hard.anchor, easy[0], skilled[0]])
    right = np.concatenate([b, hard.negative, easy[1], skilled[1]])
    number = np.arange(len(left))
    return _Pairs(left, right, (number < len(a)).astype(np.float32), number >= len(left) - skilled.shape[1])


def refuse_one_kind(data: TrainingSet) -> None:
    """Refuse pairs of one kind, unless they are all the same: then other items are there to differ.

    Raises:
        NotEnoughData: all given pairs are different, or all scores on one side of ½.
    """
    if len(data.value) and data.told is not Knows.POSITIVES:
        _refuse_one_kind(data.value)


def _refuse_one_kind(value: Float[np.ndarray, " m"]) -> None:
    if not 0 < np.count_nonzero(value > 0.5) < len(value):
        raise NotEnoughData(
            "A pair head learns from same and different pairs, and the training items hold one kind. Give both, or "
            "train without head."
        )


def _fit(
    network: PairNetwork, vectors: Tensor, pairs: _Pairs, watched: tuple[HeldOut, Tensor] | None, seed: int
) -> PairNetwork:
    optimizer = torch.optim.AdamW(network.parameters(), lr=LR, weight_decay=DECAY)
    chance = torch.Generator().manual_seed(seed)
    best, lowest = copy.deepcopy(network), _error(network, watched)
    for _ in range(EPOCHS):
        network.train()
        for rows in torch.split(torch.randperm(len(pairs.value), generator=chance), BATCH):
            logit = network(vectors[pairs.a[rows]], vectors[pairs.b[rows]])[:, 0]
            loss = binary_cross_entropy_with_logits(logit, pairs.value[rows], pairs.weight[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        error = _error(network, watched)
        if watched is None or error < lowest:
            best, lowest = copy.deepcopy(network), error
    return best.eval()


@torch.inference_mode()
def _error(network: PairNetwork, watched: tuple[HeldOut, Tensor] | None) -> float:
    if watched is None:
        return 0.0
    held_out, rows = watched
    network.eval()
    logit = network(rows[torch.from_numpy(held_out.a)], rows[torch.from_numpy(held_out.b)])[:, 0]
    return held_out.error_of(-logit.numpy())


def _onnx(network: PairNetwork, dim: int) -> bytes:
    n = torch.export.Dim("n", min=1)
    return as_onnx(network.eval(), (torch.randn(3, dim), torch.randn(3, dim)), [A, B], "log_odds", ({0: n}, {0: n}))
