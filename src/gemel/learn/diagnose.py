"""What is going wrong with a training, in words, while it happens. Advice only: nothing is changed.

collapse      every embedding is the same
dead miner    no pair or triplet of a batch has counted for many steps
all easy      the loss is all but zero early on: nothing is left to learn from
one class     batches hold nothing that is different, or nothing that is the same
NaN           and where it first appeared; the run ends
worse than raw   the raw features separate the held-out pairs better than the network does
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor

from gemel import distances
from gemel.errors import TrainingFailed
from gemel.items import RecordModality
from gemel.items.signals import resampled
from gemel.learn.held_out import HeldOut
from gemel.learn.learner import LastStep, Learner, held_out_rows

COLLAPSED = 0.02
"""Embeddings are one point when their mean distance is below this share of a typical distance."""
IN_A_ROW = 20
"""Steps that a fault must last before it is spoken of."""
RAW_PAIRS = 4_000
"""Held-out pairs on which the network is compared with raw features."""
POINTS = 64
"""Points that raw series are brought to."""
ALL_EASY = 1e-3
"""A loss below this, while most of the budget is left, teaches nothing."""


class Diagnose(pl.Callback):
    """Watches every step; each finding is said once and kept in `findings`.

    Args:
        say: takes each sentence as it is found.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.findings: dict[str, str] = {}
        self._say = say
        self._streak: dict[str, int] = {}

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        assert isinstance(pl_module, Learner)
        assert pl_module.last is not None
        self._refuse_nan(pl_module, pl_module.last, trainer.global_step)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, Learner)
        seen = pl_module.last
        if seen is None:
            return
        early = batch_idx < len(pl_module.steps) / 2
        for fault, present in self._faults(pl_module, seen, early=early):
            self._streak[fault] = self._streak.get(fault, 0) + 1 if present else 0
            if self._streak[fault] >= min(IN_A_ROW, max(2, len(pl_module.steps) // 4)):
                self._found(fault, _SENTENCES[fault])

    def _faults(self, learner: Learner, seen: LastStep, *, early: bool) -> list[tuple[str, bool]]:
        block = seen.batch.relation.block(slice(0, 64))
        same, different = bool(block.same.any()), bool(block.different.any())
        graded = block.score is not None and not bool(block.score.isnan().all())
        taught = (same and different) or graded
        return [
            ("one class", not (same and different) and seen.batch.relation.pairs is None),
            ("collapse", taught and _spread(seen.embeddings, learner) < COLLAPSED),
            ("dead miner", taught and seen.counted == 0),
            ("all easy", taught and early and seen.counted > 0 and float(seen.value) < ALL_EASY),
        ]

    def _found(self, fault: str, sentence: str) -> None:
        if fault not in self.findings:
            self.findings[fault] = sentence
            self._say(sentence)

    def _refuse_nan(self, learner: Learner, seen: LastStep, step: int) -> None:
        if torch.isfinite(seen.value) and torch.isfinite(seen.embeddings).all():
            return
        self._found("NaN", f"Step {step}: {nan_source(learner, seen)}")
        raise TrainingFailed(self.findings["NaN"])


_SENTENCES = {
    "one class": (
        "Batch after batch holds only one identity, or no two items of any: there is nothing to tell apart. "
        "Raise `identities` and `items`, or give data with more identities."
    ),
    "collapse": (
        "All embeddings are the same: the network has collapsed. Lower the learning rate, "
        "use another miner than `hard`, or the supcon loss."
    ),
    "dead miner": (
        "No pair or triplet has counted for many steps: the miner finds nothing. "
        "Use miner = all, a larger margin, or batches of more identities."
    ),
    "all easy": (
        "The loss is all but zero early on: every pair is easy. Draw batches from fewer groups (`groups`), "
        "raise the margin, or distort more."
    ),
}


def _spread(embeddings: Tensor, learner: Learner) -> float:
    """Mean distance between neighbouring rows of a batch, in units of a typical distance."""
    rows = embeddings.float()
    order = torch.arange(len(rows)).roll(len(rows) // 2)
    metric = learner.loss.distance
    return float(metric.paired(rows, rows[order]).mean()) / metric.typical(rows.shape[1])


def nan_source(learner: Learner, seen: LastStep) -> str:
    """Where a NaN or an infinity first appeared: input, weights, network or loss."""
    for name, array in seen.batch.inputs.items():
        broken = ~torch.isfinite(array.float()).flatten(1).all(1)
        if broken.any():
            items = seen.batch.plan.item[seen.batch.own][broken.cpu().numpy()][:5]
            named = ", ".join(learner.steps.data.names[i] for i in items)
            return f"the input {name!r} holds NaN or infinity, in: {named}. Mend or leave out these items."
    for name, parameter in learner.named_parameters():
        if not torch.isfinite(parameter).all():
            return f"the weights {name!r} are NaN or infinite. Lower the learning rate, or use precision fp32."
    if not torch.isfinite(seen.embeddings).all():
        return "the network turned finite inputs into NaN or infinity. Use precision fp32, or lower the learning rate."
    return "the loss is NaN or infinite for finite embeddings. Use precision fp32, or a higher temperature."


def worse_than_raw(learner: Learner) -> str | None:
    """What there is to say when raw features tell the held-out pairs apart better than the trained network does."""
    if learner.held_out is None or isinstance(learner.held_out.data.modality, RecordModality):
        return None  # of records, raw features of several kinds have no distance
    pairs = learner.held_out.some(RAW_PAIRS)
    trained, raw = pairs.error(held_out_rows(learner)), raw_error(pairs)
    if trained <= raw:
        return None
    return (
        f"On {len(pairs.a)} held-out pairs the trained network has {_NAMES[pairs.measure]} of {trained:.3f}, and the "
        f"raw features, compared by Euclidean distance, {raw:.3f}: training has not helped. Train for longer, "
        "distort less, or check that the identities mean what you think."
    )


_NAMES = {"eer": "an EER", "rank_error": "a rank error (½ is chance)"}


def raw_error(held_out: HeldOut) -> float:
    """The error of the prepared inputs themselves, flattened, by Euclidean distance: what training must beat."""
    metric = distances.distance("euclidean")
    chunks = np.array_split(np.arange(len(held_out.a)), max(1, len(held_out.a) // 256))
    apart = []
    for chunk in chunks:
        items, place = np.unique(np.concatenate([held_out.a[chunk], held_out.b[chunk]]), return_inverse=True)
        rows = _raw(held_out.data.whole(items).firsts())
        a, b = place[: len(chunk)], place[len(chunk) :]
        apart.append(metric.paired(rows[a], rows[b]))
    return held_out.error_of(np.concatenate(apart))


def _raw(inputs: dict[str, Tensor]) -> np.ndarray:
    """Prepared inputs as rows of numbers: as they are; series drawn out to one length; of texts, how often they hold
    each piece, at unit length."""
    if "series" in inputs:
        lengths = inputs["attention_mask"].sum(1).tolist()
        rows = zip(inputs["series"].numpy(), lengths, strict=True)
        return np.stack([resampled(series[:length], POINTS).ravel() for series, length in rows]).astype(np.float32)
    if "input_ids" not in inputs:
        return np.concatenate([x.flatten(1).numpy() for x in inputs.values()], axis=1)
    ids, mask = inputs["input_ids"], inputs["attention_mask"].float()
    pieces, place = torch.unique(ids, return_inverse=True)
    counts = torch.zeros(len(ids), len(pieces)).scatter_add(1, place, mask)
    return torch.nn.functional.normalize(counts).numpy()
