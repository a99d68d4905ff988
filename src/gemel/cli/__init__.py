"""From the shell: one file per command, thin over the library.

Only what the help needs is imported here; each command imports the rest when it runs.
"""

from __future__ import annotations

import sys

import typer

from gemel.cli.calibrate import calibrate
from gemel.cli.compare import compare
from gemel.cli.demo import demo
from gemel.cli.duplicates import duplicates
from gemel.cli.embed import embed
from gemel.cli.ending import ended
from gemel.cli.enroll import enroll
from gemel.cli.evaluate import evaluate
from gemel.cli.forget import forget
from gemel.cli.gallery import gallery
from gemel.cli.identify import identify
from gemel.cli.info import info
from gemel.cli.key import key
from gemel.cli.search import search
from gemel.cli.serve import serve
from gemel.cli.train import train
from gemel.cli.verify import verify

app = typer.Typer(
    name="gemel",
    help="Learn what makes two things the same, and answer questions with it.\n\n"
    "Start with [bold]gemel demo[/bold], or with a folder of images, a folder per identity:\n\n"
    "[bold]gemel train faces/ --out faces.gemel[/bold]\n\n"
    "[bold]gemel verify faces.gemel a.jpg b.jpg[/bold]",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
for command in (
    demo,
    train,
    compare,
    evaluate,
    calibrate,
    verify,
    duplicates,
    embed,
    info,
    enroll,
    identify,
    search,
    forget,
    serve,
):
    app.command()(command)
app.add_typer(gallery, name="gallery")
app.add_typer(key, name="key")


def main() -> None:
    """The `gemel` command."""
    sys.exit(ended(app))
