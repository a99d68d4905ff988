"""Learning how two aligned series are compared: which channels say that two items are the same.

A logistic regression on the logarithms of how far apart the channels are along the best path. The path is that of the
embeddings, so that these numbers are computed once. Knows embeddings and pairs; nothing of items.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from gemel.learn.encoders import Frames
from gemel.siamese.warping import Warping, warped

if TYPE_CHECKING:
    from jaxtyping import Float, Int

MOST = 30_000
"""At most so many pairs are aligned; a sample of more, each as likely as it weighs, so that no kind is lost."""
TOGETHER = 1024
"""Pairs that are gathered at once."""
BAND = 6
"""Two points that meet are at most this part of the series apart."""
LEAST = 0.1
"""What is added to a distance before its logarithm is taken, in units of the channel's median distance; or of its
mean one, where most are 0."""
NOTHING = 1e-6
"""What is added at least: a channel that is constant differs by rounding only, and that says nothing."""
DECAY = 0.05
"""What a squared weight costs, in units of the mean cross-entropy of a pair, for channels of deviation 1."""


def learned_warping(
    frames: Frames,
    vectors: Float[np.ndarray, "n d"],
    a: Tensor,
    b: Tensor,
    value: Float[Tensor, " m"],
    weight: Float[Tensor, " m"],
) -> bytes:
    """The content of a warped head.

    Args:
        frames: what made the embeddings.
        vectors: embeddings.
        a, b: positions of the two items of each pair.
        value: 1 for same, 0 for different, or a score.
        weight: of each pair.
    """
    chosen, weight = _some(weight)
    series, own, band = vectors.reshape(len(vectors), frames.points, -1), frames.own, max(1, frames.points // BAND)
    parts = [(a[rows].numpy(), b[rows].numpy()) for rows in torch.split(chosen, TOGETHER)]
    apart = np.concatenate([warped(series[left], series[right], own=own, band=band) for left, right in parts])
    usual = np.median(apart, 0)
    least = np.maximum(LEAST * np.where(usual > 0, usual, apart.mean(0)), NOTHING)
    slope, bias = _regression(torch.from_numpy(np.log(least + apart)), value[chosen], weight)
    return Warping(
        points=frames.points, own=own, band=band, least=tuple(least.tolist()), weight=slope, bias=bias
    ).content


def _some(weight: Float[Tensor, " m"]) -> tuple[Int[Tensor, " k"], Float[Tensor, " k"]]:
    """Which pairs are aligned, and what each of them weighs."""
    if len(weight) <= MOST:
        return torch.arange(len(weight)), weight
    share = weight.double().numpy()
    drawn = np.random.default_rng(0).choice(len(share), MOST, p=share / share.sum())
    return torch.from_numpy(drawn), torch.ones(MOST)


def _regression(
    logs: Float[Tensor, "m c"], value: Float[Tensor, " m"], weight: Float[Tensor, " m"]
) -> tuple[tuple[float, ...], float]:
    """Weights and bias of log-odds = bias - logs · weight, with the smallest cross-entropy."""
    middle, scale = logs.double().mean(0), logs.double().std(0).clamp(min=1e-6)
    normal = (logs.double() - middle) / scale
    slope = torch.zeros(logs.shape[1], dtype=torch.double, requires_grad=True)
    start = torch.zeros((), dtype=torch.double, requires_grad=True)
    optimizer = torch.optim.LBFGS([slope, start], max_iter=200, line_search_fn="strong_wolfe")

    def error() -> Tensor:
        optimizer.zero_grad()
        odds = start - normal @ slope
        entropy = binary_cross_entropy_with_logits(odds, value.double(), weight.double())
        total = entropy + DECAY * slope.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(error)  # type: ignore[no-untyped-call]
    found = (slope / scale).detach()
    return tuple(found.tolist()), float(start.detach() + found @ middle)
