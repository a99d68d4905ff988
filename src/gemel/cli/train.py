"""gemel train: from a folder or a table to a calibrated twin."""

from __future__ import annotations

import shlex
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from gemel.cli.ending import sentence
from gemel.cli.options import AsJson, Data, choices, reading, reading_flags, recipe_flags, with_options
from gemel.cli.output import answer, note, progress
from gemel.cli.targets import refuse_model
from gemel.errors import DataError, require
from gemel.recipe import Recipe

if TYPE_CHECKING:
    from gemel.items import Collection
    from gemel.learn.outset import Outset
    from gemel.siamese import Siamese


@with_options(reading_flags, recipe_flags)
def train(
    data: Data,
    out: Annotated[Path, typer.Option(help="The model folder to write: NAME.gemel.")],
    recipe: Annotated[
        Optional[Path], typer.Option(dir_okay=False, help="A TOML file of recipe fields; flags win over it.")
    ] = None,
    start: Annotated[Optional[str], typer.Option("--from", help="A trained twin to start from.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the interrupted run of OUT.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be trained, in what time; train nothing.")
    ] = False,
    pictures: Annotated[bool, typer.Option(help="Show the hardest mistakes in the report.")] = True,
    as_json: AsJson = False,
    **more: Any,
) -> None:
    """Learn what makes two items the same, and calibrate it on identities held out.

    gemel train faces/ --out f.gemel                       a folder per identity

    gemel train faces/ --out f.gemel --minutes 10          within a budget

    gemel train omniglot/ --out o.gemel --grouped          GROUP/IDENTITY/FILE

    gemel train photos.csv --out p.gemel --identity sku    a table

    gemel train faces/ --out f.gemel --dry-run             how long would it take?

    torchrun --nproc-per-node 2 -m gemel train …           in several processes

    Ctrl-C ends a run early, with the best weights so far; --resume goes on with it.
    """
    refuse_model(out)
    plan = (Recipe() if recipe is None else Recipe.read(recipe)).but(**choices(more))
    require("torch", extra="train", purpose="train a twin")
    require("lightning", extra="train", purpose="train a twin")
    from gemel.items import read
    from gemel.learn.compare import settle
    from gemel.learn.outset import outset
    from gemel.learn.train import resumed
    from gemel.siamese import Siamese

    running = out.with_name(out.name + ".training")
    if resume:
        plan = resumed(running, plan)
    elif not dry_run:
        _refuse_to_lose(running)
    before = None if start is None else Siamese.load(start)
    collection = read(data, **reading(more))
    if dry_run and plan.distance == "auto":
        note("distance = auto will be decided by four short trainings; what follows is for one distance.")
        plan = plan.but(distance=None)
    plan = settle(collection, plan, start=before, allow_bad=more["allow_bad"], say=note)
    with progress("decoding") as bar:
        begun = outset(collection, plan, start=before, allow_bad=more["allow_bad"], measure=dry_run, progress=bar)
    if dry_run:
        words = "\n".join([*begun.notes, begun.describe(), "", begun.recipe.toml()])
        values: dict[str, Any] = {
            "recipe": begun.recipe.chosen(),
            "notes": list(begun.notes),
            "costs": asdict(begun.costs),
        }
        answer(words, values, as_json=as_json)
        return
    twin = _trained(begun, running, out, resume=resume)
    if not begun.learner.steps.processes.first:
        return
    report = _report(twin, begun.calibrating, out, pictures=pictures)
    words = "\n".join([twin.describe(), f"Model:  {out}", f"Report: {report}", f"Next:   {_next(twin, out)}"])
    written = str(report) if isinstance(report, Path) else None
    values = {"model": str(out), "report": written, "interrupted": begun.learner.interrupted, **twin.json()}
    answer(words, values, as_json=as_json)


def _trained(begun: Outset, running: Path, out: Path, *, resume: bool) -> Siamese:
    """The twin, saved. The checkpoints in `running` stay, with a word on how to go on, unless the run finished."""
    from gemel.learn.train import run

    running.mkdir(exist_ok=True)
    try:
        twin = run(begun, running, resume=resume, progress=sys.stderr.isatty(), say=note)
        if not begun.learner.steps.processes.first:
            return twin
        twin.save(out)
    except BaseException:
        _say_kept(running)
        raise
    if begun.learner.interrupted:
        note("Interrupted: the twin has the best weights so far.")
        _say_kept(running)
    else:
        shutil.rmtree(running)
    return twin


def _refuse_to_lose(running: Path) -> None:
    """Refuse to begin anew over the checkpoints of a run that did not finish."""
    if _has_checkpoint(running):
        raise DataError(
            f"{running} keeps the checkpoints of a run that did not finish. Go on with it: {_resuming()}\n"
            "To begin anew, remove that folder first."
        )


def _say_kept(running: Path) -> None:
    if _has_checkpoint(running):
        note(f"The run did not finish; its checkpoints are kept in {running}. Go on with it: {_resuming()}")
    else:
        note("The run ended before its first checkpoint, so there is nothing to resume.")


def _has_checkpoint(running: Path) -> bool:
    from gemel.learn.keep import LAST

    return (running / LAST).exists()


def _resuming() -> str:
    """The command that goes on with this one."""
    return shlex.join(["gemel", *(word for word in sys.argv[1:] if word != "--resume"), "--resume"])


def _report(twin: Siamese, held_out: Collection | None, out: Path, *, pictures: bool) -> Path | str:
    """The report beside the model, on the identities held out for calibration; or why there is none.

    By now the model is saved, so nothing that happens here may make the training a failure.
    """
    if held_out is None:
        return "none, for nothing was held out"
    from gemel.report import write_report

    try:
        return write_report(out.with_suffix(".report.html"), twin, held_out, pictures=pictures)
    except Exception as reason:
        return f"none, {sentence(reason)}"


def _next(twin: Siamese, out: Path) -> str:
    if twin.grades is not None and twin.decision is None:
        return f"gemel verify {out} A B --score"
    return f"gemel calibrate {out} DATA" if twin.decision is None else f"gemel verify {out} A B"
