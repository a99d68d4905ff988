"""train(data, recipe) → Siamese: from a collection to a calibrated twin, on Lightning's Trainer.

What a run needs to go on lies in its folder of checkpoints; what comes out is exported to ONNX and
calibrated on identities that the run never saw.
"""

from __future__ import annotations

import contextlib
import logging
import math
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import safetensors.torch
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, TQDMProgressBar
from torch import distributed

from gemel.errors import GemelError, NotEnoughData, Overlap, RecipeError
from gemel.items import Collection, read
from gemel.learn.batches import UNKNOWN
from gemel.learn.confuse import Confuse
from gemel.learn.diagnose import Diagnose, worse_than_raw
from gemel.learn.export import export
from gemel.learn.held_out import metric_of
from gemel.learn.keep import BEST, LAST, Keep, stop_on_interrupt
from gemel.learn.learner import Learner, held_out_rows
from gemel.learn.outset import Outset, outset
from gemel.learn.processes import Processes
from gemel.recipe import Recipe
from gemel.siamese import Siamese, Trained

LOG = logging.getLogger("gemel")
PRECISION: dict[str | None, Any] = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
RECIPE, DATA = "recipe.toml", "data.txt"


def train(
    data: Collection | str | Path,
    recipe: Recipe | None = None,
    *,
    start: Siamese | None = None,
    checkpoints: str | Path | None = None,
    resume: bool = False,
    allow_bad: float = 0.01,
    callbacks: Sequence[Callback] = (),
    logger: Any = False,
    progress: bool = True,
    say: Callable[[str], None] = LOG.info,
    **choices: Any,
) -> Siamese:
    """Learn what makes two items the same.

    Args:
        data: a collection, or what `gemel.read` takes.
        recipe: what was chosen; everything left open is chosen from the data.
        start: a trained twin to start from: its weights, and its shape where the recipe leaves it open.
        checkpoints: a folder that keeps the run's state, so that it can be resumed. When None, a temporary one, which
            is kept only where the run fails; the error names it.
        resume: go on from the last checkpoint in `checkpoints`; the result equals that of the uninterrupted run.
        allow_bad: share of items that may be unreadable, 0 to 1.
        callbacks, logger: handed to Lightning's Trainer.
        progress: show a bar with loss, held-out EER and throughput.
        say: takes each sentence on what was chosen and found; the `gemel` logger when not given.
        **choices: fields of the recipe, by keyword; they win over `recipe`.

    Under `torchrun`, all of its processes train together, and each returns the twin.

    Returns:
        The twin with the best held-out EER, calibrated on identities that neither training nor stopping saw;
        without a decision when too few identities could be held out.

    Raises:
        NotEnoughData, TooManyBad, RecipeError, TrainingFailed: with what to do.
    """
    if checkpoints is None and resume:
        raise RecipeError("To resume a run, say where it left its state: checkpoints=FOLDER.")
    if checkpoints is None and Processes.launched().several:
        raise RecipeError("Several processes need a folder that all of them see: checkpoints=FOLDER.")
    recipe = (recipe or Recipe()).but(**choices)
    data = data if isinstance(data, Collection) else read(data)
    with _folder(checkpoints) as folder:
        begun = outset(data, resumed(folder, recipe) if resume else recipe, start=start, allow_bad=allow_bad)
        return run(begun, folder, resume=resume, callbacks=callbacks, logger=logger, progress=progress, say=say)


def run(
    begun: Outset,
    folder: Path,
    *,
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
    logger: Any = False,
    progress: bool = True,
    say: Callable[[str], None] = LOG.info,
) -> Siamese:
    """Carry out what `outset` decided, keeping the run's state in `folder`; arguments as those of `train`."""
    if not begun.learner.steps.processes.first:
        say = _silent
    for line in (*begun.notes, *begun.describe().splitlines()):
        say(line)
    if resume:
        _refuse_other_data(folder, begun)
    if begun.learner.steps.processes.first:
        (folder / RECIPE).write_text(begun.recipe.toml(), encoding="utf-8")
        (folder / DATA).write_text(begun.fingerprint, encoding="utf-8")
    eer = fit(begun, folder, [Diagnose(say), *callbacks], logger=logger, progress=progress, resume=resume)
    if sentence := worse_than_raw(begun.learner):
        say(sentence)
    return _calibrated(_twin(begun, eer), begun, say)


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
        Their held-out EER; None when nothing is held out.
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
    if learner.steps.confused is not None:
        own.append(Confuse(learner.steps.confused, every))
    if progress:
        own.append(TQDMProgressBar(refresh_rate=max(1, total // 200)))
    if watched and recipe.patience is not None:
        own.append(EarlyStopping("eer", patience=recipe.patience))
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
    """Put the best weights into the learner, and say their held-out EER.

    Args:
        looked: whether the last look was at the last step; its weights are judged now where it was not.
    """
    if learner.held_out is None:
        return None
    last = math.inf if looked else learner.held_out.eer(held_out_rows(learner))
    if keep.lowest <= last:
        state = torch.load(best, map_location="cpu", weights_only=True)
        learner.load_state_dict(state["state_dict"])
        learner.eval()
    return min(keep.lowest, last)


def _twin(begun: Outset, eer: float | None) -> Siamese:
    """The trained network as a twin that needs no PyTorch."""
    learner, network = begun.learner, begun.learner.network
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "encoder.onnx"
        export(network, file)
        onnx = file.read_bytes()
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
            measures={} if eer is None else {"held_out_eer": eer},
            data=begun.origin,
            identities=len(np.unique(known)),
            versions={"torch": torch.__version__, "lightning": version("lightning")},
            backbone=getattr(learner.encoder.backbone, "config_json", {}),
        ),
    )


def _calibrated(twin: Siamese, begun: Outset, say: Callable[[str], None]) -> Siamese:
    """Fit the decision on what was held out for it; without one when that is too little."""
    if begun.calibrating is None:
        return twin
    try:
        return twin.calibrate(begun.calibrating, seed=begun.recipe.seed)
    except (NotEnoughData, Overlap) as reason:
        say(f"The twin comes without a decision: {reason}")
        return twin


def resumed(folder: Path, recipe: Recipe) -> Recipe:
    """The closed recipe of the interrupted run; another choice now would not continue it."""
    if not (folder / LAST).exists():
        raise GemelError(f"There is nothing to resume in {folder}: it has no {LAST}. Train without resume.")
    before = Recipe.read(folder / RECIPE)
    changed = {
        k: v for k, v in recipe.chosen().items() if v != Recipe().chosen().get(k) and v != before.chosen().get(k)
    }
    budget = {"minutes", "epochs"} & changed.keys()
    if changed.keys() - budget:
        raise RecipeError(
            f"The run in {folder} was begun with another recipe; {', '.join(changed)} cannot change half-way. "
            "Resume without these choices, or train anew."
        )
    return before


def _refuse_other_data(folder: Path, begun: Outset) -> None:
    """Refuse to go on with other items, or with the same ones in other roles."""
    if (folder / DATA).exists() and (folder / DATA).read_text(encoding="utf-8") != begun.fingerprint:
        raise GemelError(
            f"The run in {folder} was begun on other data (or from another twin): items were added, removed or "
            "changed since. Bring them back to resume it, or train anew."
        )


def _silent(sentence: str) -> None:
    """What the first process says is not said again."""


@contextlib.contextmanager
def _folder(given: str | Path | None) -> Iterator[Path]:
    if given is not None:
        Path(given).mkdir(parents=True, exist_ok=True)
        yield Path(given)
        return
    made = Path(tempfile.mkdtemp(prefix="gemel-"))
    try:
        yield made
    except BaseException as error:
        if (made / LAST).exists():
            error.add_note(f"The run so far is kept: train(..., checkpoints={str(made)!r}, resume=True) goes on.")
        else:
            shutil.rmtree(made)
        raise
    shutil.rmtree(made)


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
