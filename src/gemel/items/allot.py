"""How many of what go where: quotas, and units spread evenly over strata or by weight. Pure arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Int


def quotas(n: int, shares: Sequence[float], *, least: int = 1) -> Int[np.ndarray, " k"]:
    """Whole numbers in proportion to the shares that sum to n, none below `least`, which n has to allow.

    >>> quotas(37, [0.8, 0.1, 0.1])
    array([29,  4,  4])
    """
    exact = np.array(shares) * n / np.sum(shares)
    counts = np.maximum(np.floor(exact).astype(np.int64), least)
    while (lacking := n - counts.sum()) > 0:
        counts[np.argsort(counts - exact, kind="stable")[:lacking]] += 1
    while counts.sum() > n:
        counts[np.argmax(np.where(counts > least, counts, 0))] -= 1
    return counts


def evenly(counts: Int[np.ndarray, " k"]) -> Int[np.ndarray, " n"]:
    """A sequence with `counts[j]` times j, each spread as evenly as can be.

    >>> evenly(np.array([4, 2]))
    array([0, 1, 0, 0, 1, 0])
    """
    kinds = np.repeat(np.arange(len(counts)), counts)
    places = np.concatenate([(np.arange(c) + 0.5) / max(1, c) for c in counts])
    return kinds[np.argsort(places, kind="stable")]


def stratified(
    strata: Int[np.ndarray, " n"], counts: Int[np.ndarray, " k"], rng: np.random.Generator
) -> Int[np.ndarray, " n"]:
    """Where each unit goes: `counts[j]` units to j, drawn at random, in like shares from every stratum.

    Strata are codes from -1 on.
    """
    lowest = strata.min(initial=0)
    shuffled = rng.permutation(strata.max(initial=0) - lowest + 1)[strata - lowest]
    order = np.argsort(shuffled + rng.random(len(strata)))
    out = np.empty(len(strata), np.int64)
    out[order] = evenly(counts)
    return out


def weighted(
    weights: Int[np.ndarray, " n"], shares: Sequence[float], rng: np.random.Generator
) -> Int[np.ndarray, " n"]:
    """Where each unit goes when units differ in weight: the heaviest first, each to where most is lacking."""
    order = rng.permutation(len(weights))
    order = order[np.argsort(-weights[order], kind="stable")]
    lacking = [float(share) * float(weights.sum()) / float(np.sum(shares)) for share in shares]
    out = np.empty(len(weights), np.int64)
    for unit in order.tolist():
        j = max(range(len(lacking)), key=lacking.__getitem__)
        lacking[j] -= weights[unit]
        out[unit] = j
    return out


def in_order(values: Float[np.ndarray, " n"], shares: Sequence[float]) -> Int[np.ndarray, " n"]:
    """Where each unit goes by its value: the smallest to 0, and so on; equal values stay together."""
    ranks = np.searchsorted(np.sort(values), values)
    edges = np.cumsum(shares)[:-1] / np.sum(shares) * len(values)
    return np.searchsorted(edges, ranks, side="right")
