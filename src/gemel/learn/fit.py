"""The steps of a run on Lightning's Trainer, and the trained network as a twin that needs no PyTorch."""

from __future__ import annotations

import contextlib
import logging
import math
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import safetensors.torch
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, TQDMProgressBar
from torch import distributed

from gemel.items import UNKNOWN
from gemel.learn.confuse import Confuse
from gemel.learn.encoders import Branch, Branches, Encoder
from gemel.learn.encoders.lora import merged
from gemel.learn.export import export
from gemel.learn.held_out import metric_of
from gemel.learn.keep import BEST, LAST, Keep, stop_on_interrupt
from gemel.learn.learner import Learner, held_out_rows
from gemel.learn.outset import Outset
from gemel.siamese import Siamese, Trained

PRECISION: dict[str | None, Any] = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


def fit(
    begun: Outset,
    folder: Path,
    callbacks: Sequence[Callback] = (),
    *,
    logger: Any = False,
    progress: bool = True,
    resume: bool = False,
) -> float | None:
    """Run the steps, and leave the best weights, and everything with them, in the learner.

    Returns:
        Their held-out error; None when nothing is held out.
    """
    learner, recipe = begun.learner, begun.recipe
    total, processes = len(learner.steps), learner.steps.processes
    every = max(1, total // recipe.checks)
    watched = learner.held_out is not None
    if not resume and processes.first:
        for name in (LAST, BEST):
            (folder / name).unlink(missing_ok=True)
    keep = Keep(folder, every)
    own: list[Callback] = [keep]
    if learner.steps.told is not None:
        own.append(Confuse(learner.steps.told, every))
    if progress:
        own.append(TQDMProgressBar(refresh_rate=max(1, total // 200)))
    if learner.held_out is not None and recipe.patience is not None:
        own.append(EarlyStopping(learner.held_out.measure, patience=recipe.patience))
    with _quiet():
        trainer = pl.Trainer(
            accelerator=begun.device,
            devices=processes.here,
            num_nodes=processes.count // processes.here,
            strategy="ddp" if processes.several else "auto",
            use_distributed_sampler=False,
            sync_batchnorm=processes.several and begun.device == "cuda",
            max_epochs=1,
            precision=PRECISION[recipe.precision],
            callbacks=[*own, *callbacks],
            logger=logger,
            val_check_interval=every,
            limit_val_batches=1.0 if watched else 0,
            num_sanity_val_steps=0,
            enable_model_summary=False,
            enable_progress_bar=progress,
            default_root_dir=folder,
        )
        with stop_on_interrupt(trainer, learner):
            trainer.fit(learner, ckpt_path=folder / LAST if resume else None, weights_only=True)
    learner.cpu().eval()
    lowest = _best_kept(learner, keep, looked=0 < keep.looked == trainer.global_step, best=folder / BEST)
    if processes.several:
        distributed.barrier()  # nobody removes the folder while another still reads the best weights
    return lowest


def _best_kept(learner: Learner, keep: Keep, *, looked: bool, best: Path) -> float | None:
    """Put the best weights into the learner, and say their held-out error.

    Args:
        looked: whether the last look was at the last step; its weights are judged now where it was not.
    """
    if learner.held_out is None:
        return None
    last = math.inf if looked else learner.held_out.error(held_out_rows(learner))
    if keep.lowest <= last:
        state = torch.load(best, map_location="cpu", weights_only=True)
        learner.load_state_dict(state["state_dict"])
        learner.eval()
    return min(keep.lowest, last)


def exported(begun: Outset, lowest: float | None) -> Siamese:
    """The trained network as a twin that needs no PyTorch."""
    learner, network = begun.learner, merged(begun.learner.network)
    backbone = network.backbone
    onnx: bytes | dict[str, bytes]
    if isinstance(backbone, Branches):
        onnx = {name: _onnx(Encoder(Branch(backbone, name), network.head)) for name in backbone.names}
    else:
        onnx = _onnx(network)
    watched = [] if learner.held_out is None else [learner.held_out.data.content]
    looked_at = np.unique(np.concatenate([begun.training.content, *watched, begun.seen]))
    known = begun.training.identity[begun.training.identity != UNKNOWN]
    return Siamese.from_training(
        onnx,
        modality=begun.modality,
        distance=metric_of(begun.recipe),
        dim=network.dim,
        trained=Trained(
            recipe=begun.recipe.chosen(),
            weights=safetensors.torch.save({name: x.contiguous() for name, x in network.state_dict().items()}),
            content=looked_at,
            encoder=f"{begun.recipe.encoder}, {sum(p.numel() for p in network.parameters()):,} weights",
            measures=_measured(learner, lowest),
            data=begun.origin,
            identities=len(np.unique(known)),
            versions={"torch": torch.__version__, "lightning": version("lightning")},
            backbone=getattr(learner.encoder.backbone, "config_json", {}),
        ),
    )


def _onnx(network: Encoder) -> bytes:
    """The network as one ONNX file, which agrees with it."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "encoder.onnx"
        export(network, file)
        return file.read_bytes()


def _measured(learner: Learner, lowest: float | None) -> dict[str, float]:
    if learner.held_out is None or lowest is None:
        return {}
    graded = learner.held_out.measure == "rank_error"
    return {"held_out_spearman": 1 - 2 * lowest} if graded else {"held_out_eer": lowest}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's advice on workers, devices and products."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric", "lightning")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
