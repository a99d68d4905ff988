"""gemel demo: learns from printed letters, reads handwriting from one example.

Runs the same commands that you would type, on data that ships with dependencies.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from gemel.cli.options import AsJson
from gemel.cli.output import answer, note
from gemel.errors import GemelError, require

RECIPE = Path(__file__).with_name("letters.toml")


def demo(
    folder: Annotated[Path, typer.Option("--out", file_okay=False, help="Where data, models and reports go.")] = Path(
        "demo"
    ),
    steps: Annotated[int | None, typer.Option(min=1, help="Train for fewer steps than the recipe says.")] = None,
    enrolments: Annotated[int, typer.Option(min=1, help="Random enrolments to average over.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """Learn from printed letters, then read handwriting from one example.

    gemel demo
    """
    require("sklearn", extra="train", purpose="run the demo")
    require("matplotlib", extra="train", purpose="run the demo")
    from gemel.cli.demo import digits, letters
    from gemel.siamese import Siamese

    folder.mkdir(parents=True, exist_ok=True)
    note("1. Printed letters, drawn from the typefaces inside matplotlib")
    count = letters.draw(folder / "letters")
    note(f"   {count} letters in {folder / 'letters'}, a folder each; no digits among them\n")

    note("2. Training on them, with this recipe (chosen on held-out letters, never on digits)")
    note("".join(f"   {line}\n" for line in RECIPE.read_text(encoding="utf-8").splitlines()))
    model = folder / "letters.gemel"
    shutil.rmtree(f"{model}.training", ignore_errors=True)  # of a demo that was interrupted
    _gemel("train", folder / "letters", "--out", model, "--recipe", RECIPE, *_steps(steps))

    note("\n3. Handwritten digits, which it has never seen, from one and from five examples of each")
    found = digits.read_from_examples(model, enrolments)
    note(found.words())

    note("4. Two letters that training never saw, under the letters' own decision")
    for a, b in letters.questions(folder / "letters", Siamese.load(model)):
        _gemel("verify", model, a, b, may=(0, 1))

    note("\n5. Handwriting varies more than print: what the letters' decision costs on the digits 5 to 9")
    some, others = digits.write(folder / "digits")
    _gemel("evaluate", model, others)
    note("\n6. So it gets a decision of its own, from the digits 0 to 4, judged on 5 to 9 again")
    tuned = folder / "digits.gemel"
    _gemel("calibrate", model, some, "--out", tuned)
    _gemel("evaluate", tuned, others, "--report", folder / "digits.report.html")
    for a, b in digits.questions(others):
        _gemel("verify", tuned, a, b, may=(0, 1))

    answer(_next(folder), {"model": str(model), "calibrated": str(tuned), **found.json()}, as_json=as_json)


def _gemel(*arguments: Any, may: tuple[int, ...] = (0,)) -> None:
    """Run a command as a person would, and show it."""
    words = [str(argument) for argument in arguments]
    note(f"   $ gemel {shlex.join(words)}")
    code = subprocess.run([sys.executable, "-m", "gemel", *words], check=False, stdout=sys.stderr).returncode
    if code not in may:
        raise GemelError(f"gemel {words[0]} ended with exit code {code}; its message stands above.")


def _steps(steps: int | None) -> list[str]:
    return [] if steps is None else ["--steps", str(steps)]


def _next(folder: Path) -> str:
    return f"""
What is there now
   {folder}/letters.gemel        the twin: runs without PyTorch
   {folder}/letters.report.html  its report: open it in a browser
   {folder}/digits.gemel         the same twin, with a decision for handwriting
   {folder}/digits.report.html   how it does on digits it was not calibrated on

What to type next
   gemel info {folder}/letters.gemel
   gemel enroll people.db six {folder}/digits/judge/6/0006.png --model {folder}/digits.gemel      one example is enough
   gemel identify people.db {folder}/digits/judge/6/0016.png
   gemel serve people.db                        a page at http://127.0.0.1:8000 (pip install 'gemel[serve]')
   gemel train YOUR_FOLDER --out yours.gemel --dry-run      a folder per identity"""
