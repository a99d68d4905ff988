"""gemel train: from a folder or a table to a calibrated twin."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from gemel.cli.options import AsJson, Data, choices, reading, reading_flags, recipe_flags, with_options
from gemel.cli.output import answer, note, progress
from gemel.errors import DataError, RecipeError, require
from gemel.recipe import Recipe

if TYPE_CHECKING:
    from gemel.items import Collection
    from gemel.siamese import Siamese


@with_options(reading_flags, recipe_flags)
def train(
    data: Data,
    out: Annotated[Path, typer.Option(help="The model folder to write: NAME.gemel.")],
    recipe: Annotated[Optional[Path], typer.Option(help="A TOML file of recipe fields; flags win over it.")] = None,
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

    gemel train faces/ --out faces.gemel                      a folder per identity

    gemel train faces/ --out faces.gemel --minutes 10         within a budget

    gemel train omniglot/ --out o.gemel --grouped             GROUP/IDENTITY/FILE

    gemel train photos.csv --out p.gemel --identity sku       a table

    gemel train faces/ --out faces.gemel --dry-run            how long would it take?
    """
    require("torch", extra="train", purpose="train a twin")
    require("lightning", extra="train", purpose="train a twin")
    from gemel.items import read
    from gemel.learn.outset import outset
    from gemel.learn.train import resumed, run
    from gemel.siamese import Siamese

    _refuse_bad_target(out)
    plan = (Recipe() if recipe is None else Recipe.read(recipe)).but(**choices(more))
    running = out.with_name(out.name + ".training")
    if resume:
        plan = resumed(running, plan)
    before = None if start is None else Siamese.load(start)
    collection = read(data, **reading(more))
    with progress("decoding") as bar:
        begun = outset(collection, plan, start=before, allow_bad=more["allow_bad"], measure=dry_run, progress=bar)
    if dry_run:
        words = "\n".join([*begun.notes, begun.describe(), "", begun.recipe.toml()])
        answer(words, {"recipe": begun.recipe.chosen(), "notes": list(begun.notes)}, as_json=as_json)
        return
    running.mkdir(exist_ok=True)
    twin = run(begun, running, resume=resume, progress=sys.stderr.isatty(), say=note)
    twin.save(out)
    shutil.rmtree(running)
    report = _report(twin, begun.calibrating, out, pictures=pictures)
    lines = [twin.describe(), f"Model:  {out}", f"Report: {report or 'none, for nothing was held out'}"]
    lines.append(f"Next:   gemel verify {out} A B")
    answer("\n".join(lines), {"model": str(out), "report": report and str(report), **twin.json()}, as_json=as_json)


def _refuse_bad_target(out: Path) -> None:
    if out.suffix != ".gemel":
        raise RecipeError(f"--out must end in .gemel, and is {out}. Call it {out.with_suffix('.gemel')}.")
    if not out.absolute().parent.is_dir():
        raise DataError(f"The folder {out.absolute().parent} for --out does not exist. Make it first.")


def _report(twin: Siamese, held_out: Collection | None, out: Path, *, pictures: bool) -> Path | None:
    """The report beside the model, on the identities held out for calibration."""
    if held_out is None:
        return None
    from gemel.report import write_report

    return write_report(out.with_suffix(".report.html"), twin, held_out, pictures=pictures)
