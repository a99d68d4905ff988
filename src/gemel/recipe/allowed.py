"""What a field of a recipe may be: one of a few words, a number in a range, and only with some losses. Data only."""

from __future__ import annotations

import math
from dataclasses import dataclass

CHOICES: dict[str, tuple[str, ...]] = {
    "loss": tuple(
        "supcon infonce decoupled multiplenegatives npair contrastive bce sigmoid multisimilarity circle lifted "
        "triplet softmax cosface arcface proxyanchor doublemargin regression cosent pearson simclr vicreg clip "
        "own".split()
    ),
    "distance": ("cosine", "euclidean", "manhattan", "learned", "auto"),
    "miner": ("all", "hard", "semihard", "weighted"),
    "tune": ("full", "frozen", "warmup", "lora"),
    "norm": ("batch", "group"),
    "fusion": ("concat", "gated", "attention"),
    "cell": ("lstm", "gru"),
    "pooling": ("mean", "cls", "max", "last", "attention", "statistics"),
    "aspect": ("stretch", "pad", "crop"),
    "precision": ("fp32", "bf16", "fp16"),
    "protocol": ("open", "closed"),
}
"""What a field may be, where it is one of a few words."""
PROXIES = ("softmax", "cosface", "arcface", "proxyanchor")
"""Losses with a learned point for each identity; they learn most from batches of many."""
BUDGETS = ("steps", "epochs", "minutes")
"""What a budget can be given in."""


@dataclass(frozen=True)
class Range:
    """Numbers between two bounds, each of which may belong to them or not; neither infinite nor NaN."""

    low: float = 0.0
    high: float = math.inf
    without_low: bool = False
    without_high: bool = False
    reason: str = ""

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.without_low else value >= self.low
        return above and (value < self.high if self.without_high or self.high == math.inf else value <= self.high)

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"be {'above' if self.without_low else 'at least'} {self.low:g}, and finite"
        return f"lie in [{self.low:g}, {self.high:g}{')' if self.without_high else ']'}{self.reason}"


def _each(names: str, allowed: Range) -> dict[str, Range]:
    return dict.fromkeys(names.split(), allowed)


RANGES = {
    **_each("size width depth dim temperature margin sampled identities items batch_pairs", Range(without_low=True)),
    **_each("chunk length vocabulary", Range(without_low=True)),
    **_each("steps epochs minutes lr checks patience", Range(without_low=True)),
    **_each("groups unlabelled mined skip memory degrees translate elastic brightness blur weight_decay", Range()),
    **_each("jitter", Range()),
    **_each("seed", Range(high=2**63, without_high=True)),
    **_each("shear", Range(high=90, without_high=True)),
    **_each("cut", Range(high=1, without_low=True)),
    **_each("snr", Range(low=-20, high=40, without_high=True)),
    **_each("bands gaps hide dropout average warmup scale confused", Range(high=1, without_high=True)),
    **_each("gain crop warp bend speed", Range(high=1, without_high=True)),
    **_each("hue erase", Range(high=1)),
    **_each("holdout", Range(high=0.5, reason=": training keeps at least half")),
}
"""What numbers a field may be."""

ONLY: dict[str, tuple[str, ...]] = {
    "miner": ("triplet",),
    "soft": ("triplet",),
    "sampled": PROXIES,
}
"""Choices that only some losses look at."""
