"""One training run as Lightning sees it: network, average, loss, optimiser, and the held-out check.

Everything that a run changes lives in this module's state, so that a checkpoint holds all of it.
"""

from __future__ import annotations

import copy
import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from gemel.learn.chunks import in_chunks
from gemel.learn.encoders import Encoder
from gemel.learn.gather import gather
from gemel.learn.held_out import BATCH, HeldOut
from gemel.learn.losses import Loss, Term
from gemel.learn.training_set import Batch, Steps, TrainingSet, Whole
from gemel.recipe import Recipe

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class Learner(pl.LightningModule):
    """The network that learns and everything that changes with it.

    Args:
        encoder: the shared subnetwork.
        loss: what it minimises; its own parameters are optimised too.
        recipe: a chosen recipe, `steps` included.
        steps: the training batches.
        held_out: pairs to watch; None when nothing is held out.

    Attributes:
        last: what the last step saw.
        interrupted: whether Ctrl-C ended the run before its budget did.
    """

    def __init__(self, encoder: Encoder, loss: Loss, recipe: Recipe, steps: Steps, held_out: HeldOut | None) -> None:
        super().__init__()
        self.encoder = encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.loss = loss
        self.average = (
            AveragedModel(encoder, multi_avg_fn=_Decay(recipe.average), use_buffers=True) if recipe.average else None
        )
        self.recipe, self.steps, self.held_out = recipe, steps, held_out
        self.last: LastStep | None = None
        self.interrupted = False
        if self.average is not None:
            self.average.requires_grad_(requires_grad=False)
        self._collected: list[Tensor] = []

    @property
    def network(self) -> Encoder:
        """The encoder to keep: the averaged one when there is an average."""
        return self.encoder if self.average is None else cast(Encoder, self.average.module)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """A pretrained backbone that was frozen for the warm-up thaws when the learning rate has risen."""
        if self.recipe.tune == "warmup" and self.encoder.backbone.frozen and self.global_step >= self._rise:
            self.encoder.backbone.thaw()
            self.encoder.train()

    def training_step(self, batch: Batch, index: int) -> Tensor:
        seed = batch.plan.seed % 2**62
        torch.manual_seed(seed + self.steps.processes.rank)  # every process drops other features …
        embeddings = gather(in_chunks(self.encoder, self.recipe.chunk)(**_distorted(self.steps, batch)), batch.plan)
        torch.manual_seed(seed)  # … and all draw the same triplets and proxies
        term: Term = self.loss(embeddings, embeddings, batch.relation)
        self.last = LastStep(batch, embeddings.detach(), term.value.detach(), term.counted)
        rows = len(batch.plan)
        self.log("loss", term.value, prog_bar=True, batch_size=rows)
        self.log("counted", float(term.counted), batch_size=rows)
        return term.value

    def optimizer_step(self, *given: Any, **named: Any) -> None:
        """The average follows at once: a checkpoint of this step, whoever writes it, holds it too."""
        super().optimizer_step(*given, **named)
        if self.average is not None:
            self.average.update_parameters(self.encoder)

    def on_validation_epoch_start(self) -> None:
        self._collected = []
        self.network.eval()

    def validation_step(self, batch: Whole, index: int) -> None:
        with _full_precision(self.device):
            self._collected.append(batch.pooled(self.network(**batch.inputs)).cpu())

    def on_validation_epoch_end(self) -> None:
        assert self.held_out is not None
        error = self.held_out.error(torch.cat(self._collected))
        self.log(self.held_out.measure, error, prog_bar=True, sync_dist=self.steps.processes.several)
        self._collected = []

    def configure_optimizers(self) -> Any:
        assert self.recipe.lr is not None
        optimizer = torch.optim.AdamW(_weight_groups(self, self.recipe.weight_decay), lr=self.recipe.lr)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self._pace(step))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    @property
    def _rise(self) -> int:
        """Steps over which the learning rate rises."""
        return max(1, round(self.recipe.warmup * len(self.steps)))

    def _pace(self, step: int) -> float:
        """Learning rate as a share of its peak: a linear rise, then half a cosine."""
        total, rise = len(self.steps), self._rise
        if step < rise:
            return (step + 1) / rise
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rise) / max(1, total - rise))))

    def train_dataloader(self) -> Steps:
        return self.steps

    def val_dataloader(self) -> DataLoader[Whole]:
        batches: Any = [] if self.held_out is None else self.held_out
        return DataLoader(batches, batch_size=None)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return _moved(batch, device) if isinstance(batch, Batch) else batch.to(device)


class LastStep:
    """What the last training step saw, for diagnosis."""

    def __init__(self, batch: Batch, embeddings: Tensor, value: Tensor, counted: int) -> None:
        self.batch, self.embeddings, self.value, self.counted = batch, embeddings, value, counted


class _Decay:
    """An exponential average that follows quickly at first: decay min(d, (1 + t) / (10 + t))."""

    def __init__(self, decay: float) -> None:
        self._decay = decay

    def __call__(self, averaged: Any, current: Any, count: Tensor | int) -> None:
        """Move a list of tensors of one kind towards the current ones, in place."""
        if not averaged[0].is_floating_point():
            for mean, now in zip(averaged, current, strict=True):
                mean.copy_(now)
            return
        t = float(count)
        torch._foreach_lerp_(averaged, current, 1 - min(self._decay, (1 + t) / (10 + t)))


def _distorted(steps: Steps, batch: Batch) -> dict[str, Tensor]:
    """The inputs of a step: distorted in full precision, laid out as convolutions like it."""
    with _full_precision(next(iter(batch.inputs.values())).device):
        inputs = steps.distorted(batch)
    return {name: x.to(memory_format=torch.channels_last) if x.dim() == 4 else x for name, x in inputs.items()}


def _full_precision(device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, enabled=False)


def _moved(batch: Batch, device: torch.device) -> Batch:
    inputs = {name: x.to(device, non_blocking=True) for name, x in batch.inputs.items()}
    return replace(batch, inputs=inputs, relation=batch.relation.to(device))


def _weight_groups(module: Learner, decay: float) -> list[dict[str, Any]]:
    """Matrices and kernels decay; biases, norms and the loss's own parameters do not; frozen ones stand still.

    The loss's own parameters learn at its own pace.
    """
    assert module.recipe.lr is not None
    own = list(module.encoder.parameters())
    groups: list[dict[str, Any]] = [
        {"params": [p for p in own if p.dim() >= 2], "weight_decay": decay},
        {"params": [p for p in own if p.dim() < 2], "weight_decay": 0.0},
    ]
    losses = [part for part in module.loss.modules() if isinstance(part, Loss)]
    pace = {parameter: loss.pace for loss in losses for parameter in loss.parameters()}  # the innermost one's counts
    for each in sorted(set(pace.values())):
        learned = [parameter for parameter in module.loss.parameters() if pace[parameter] == each]
        groups.append({"params": learned, "weight_decay": 0.0, "lr": each * module.recipe.lr})
    return groups


def rehearse(learner: Learner, device: str, precision: str | None, steps: int = 6) -> float:
    """Seconds per step on a device, measured on copies of the network and its loss: nothing of the run changes."""
    place = torch.device(device)
    encoder, loss = copy.deepcopy(learner.encoder).to(place), copy.deepcopy(learner.loss).to(place)
    if learner.recipe.tune == "warmup":
        encoder.backbone.thaw()
    encoder.train()
    optimizer = torch.optim.AdamW([*encoder.parameters(), *loss.parameters()], lr=0.0)
    low = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision or "")
    seconds = []
    for step in range(steps):
        begin = time.perf_counter()
        batch = _moved(learner.steps.batch(step), place)
        with torch.autocast(place.type, dtype=low or torch.bfloat16, enabled=low is not None):
            embeddings = in_chunks(encoder, learner.recipe.chunk)(**_distorted(learner.steps, batch))
            value = loss(embeddings, embeddings, batch.relation).value
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        float(value.detach())  # waits for the device
        seconds.append(time.perf_counter() - begin)
    return float(np.median(seconds[steps // 3 :]))


def held_out_rows(learner: Learner) -> Float[Tensor, "n d"]:
    """Embeddings of the held-out items, by the network to keep."""
    assert learner.held_out is not None
    return embedded(learner, learner.held_out.data, np.arange(len(learner.held_out.data)))


@torch.inference_mode()
def embedded(learner: Learner, data: TrainingSet, rows: Int[np.ndarray, " n"]) -> Float[Tensor, "n d"]:
    """Embeddings of some items, undistorted and in full precision, by the network to keep."""
    network, training = learner.network, learner.network.training
    device = next(network.parameters()).device
    network.eval()
    chunks = (data.whole(rows[start : start + BATCH]).to(device) for start in range(0, len(rows), BATCH))
    found = [chunk.pooled(network(**chunk.inputs)).cpu() for chunk in chunks]
    network.train(training)
    return torch.cat(found)
