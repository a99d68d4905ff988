"""train(data, recipe) → Siamese: from a collection to a calibrated twin, on Lightning's Trainer.

What a run needs to go on lies in its folder of checkpoints; what comes out is exported to ONNX and
calibrated on identities that the run never saw.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback
from torch import nn

from gemel.errors import GemelError, NotEnoughData, Overlap, RecipeError
from gemel.items import Collection, read
from gemel.learn.compare import settle
from gemel.learn.diagnose import Diagnose, worse_than_raw
from gemel.learn.fit import exported, fit
from gemel.learn.keep import LAST
from gemel.learn.outset import Outset, outset
from gemel.learn.pairhead import learned_head, refuse_one_kind
from gemel.learn.processes import Processes
from gemel.learn.quantize import quantized
from gemel.recipe import Recipe
from gemel.siamese import Siamese

LOG = logging.getLogger("gemel")
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
    loss: str | nn.Module | None = None,
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
        loss: by name, or an object: a Loss, or one of `pytorch_metric_learning.losses` (`PytorchMetricLearning` takes
            their miners and classes too).
        **choices: fields of the recipe, by keyword; they win over `recipe`.

    Under `torchrun`, all of its processes train together, and each returns the twin.

    Returns:
        The twin with the best held-out EER (or rank correlation, of scores), calibrated on identities that neither
        training nor stopping saw; without a decision when too few identities could be held out.

    Raises:
        NotEnoughData, TooManyBad, RecipeError, TrainingFailed: with what to do.
    """
    if checkpoints is None and resume:
        raise RecipeError("To resume a run, say where it left its state: checkpoints=FOLDER.")
    if checkpoints is None and Processes.launched().several:
        raise RecipeError("Several processes need a folder that all of them see: checkpoints=FOLDER.")
    own = loss if isinstance(loss, nn.Module) else None
    named = {} if loss is None else {"loss": "own" if own is not None else loss}
    recipe = (recipe or Recipe()).but(**choices, **named)
    data = data if isinstance(data, Collection) else read(data)
    with _folder(checkpoints) as folder:
        recipe = resumed(folder, recipe) if resume else settle(data, recipe, start=start, allow_bad=allow_bad, say=say)
        begun = outset(data, recipe, start=start, own=own, allow_bad=allow_bad)
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
    _refuse_what_comes_after(begun)
    lowest = fit(begun, folder, [Diagnose(say), *callbacks], logger=logger, progress=progress, resume=resume)
    if sentence := worse_than_raw(begun.learner):
        say(sentence)
    twin = exported(begun, lowest)
    if begun.recipe.int8:
        twin = quantized(twin)
    if begun.recipe.head:
        twin = _with_head(twin, begun, say)
    return _calibrated(twin, begun, say)


def _refuse_what_comes_after(begun: Outset) -> None:
    """Refuse before the first step what could not be done after the last one."""
    if begun.recipe.int8:
        quantized(exported(begun, None))
    if begun.recipe.head:
        refuse_one_kind(begun.training)


def _with_head(twin: Siamese, begun: Outset, say: Callable[[str], None]) -> Siamese:
    """The twin with a pair head; without one where the data turns out to be too little for it."""
    try:
        return twin.with_head(learned_head(begun.learner))
    except NotEnoughData as reason:
        say(f"The twin comes without a pair head: {reason}")
        return twin


def _calibrated(twin: Siamese, begun: Outset, say: Callable[[str], None]) -> Siamese:
    """Fit the decision on what was held out for it; without one when that is too little."""
    if begun.calibrating is None:
        return twin
    try:
        return twin.calibrate(begun.calibrating, seed=begun.recipe.seed, cut=begun.recipe.cut)
    except (NotEnoughData, Overlap) as reason:
        say(f"The twin comes without a decision: {reason}")
        return twin


def resumed(folder: Path, recipe: Recipe) -> Recipe:
    """The closed recipe of the interrupted run; another choice now would not continue it."""
    if not (folder / LAST).exists():
        raise GemelError(f"There is nothing to resume in {folder}: it has no {LAST}. Train without resume.")
    before = Recipe.read(folder / RECIPE)
    changed = {
        k: v
        for k, v in recipe.chosen().items()
        if v not in (Recipe().chosen().get(k), before.chosen().get(k)) and (k, v) != ("distance", "auto")
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
