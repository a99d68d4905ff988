"""How a command ends: its exit code, and the sentence or the JSON object that says what went wrong.

0 is success, 2 anything refused or failed, 130 Ctrl-C; `verify` adds 1 for different and 3 for undecided.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

import typer

from gemel.errors import GemelError

FAILED, INTERRUPTED = 2, 130
TRACEBACK = "GEMEL_TRACEBACK"
"""Environment variable: where it is set, an unexpected error is shown with its traceback."""


def ended(app: Callable[..., Any]) -> int:
    """Run the command that `sys.argv` asks for, say what went wrong, and return the exit code."""
    try:
        code = app(standalone_mode="--json" not in sys.argv) or 0  # standing alone, it tells wrong usage in words
    except SystemExit as end:
        code = _meant(end)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        _tell(type(error).__name__, sentence(error))
        return FAILED
    if code == INTERRUPTED:
        _tell("Interrupted", "Interrupted.")
    return int(code)


def sentence(error: Any) -> str:
    """What went wrong; in one line, and with the way to its traceback, where gemel did not expect it."""
    if isinstance(error, GemelError):
        return str(error)
    if hasattr(error, "format_message"):  # wrong usage, as Typer puts it
        return str(error.format_message())
    what = " ".join(f"{type(error).__name__}: {error}".split())
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
        return f"unexpected {what}"
    return f"unexpected {what} (set {TRACEBACK}=1 to see where it happened)"


def _tell(name: str, message: str) -> None:
    if "--json" in sys.argv:
        print(json.dumps({"error": name, "message": message}, ensure_ascii=False))
    else:
        print(f"gemel: {message}", file=sys.stderr)


def _meant(end: SystemExit) -> int:
    """The exit code that was meant: 1 is a verdict, so only a command that chose it may end in it."""
    cause = end.__context__
    if isinstance(cause, KeyboardInterrupt | typer.Abort):
        return INTERRUPTED
    if isinstance(cause, typer.Exit):
        return cause.exit_code
    return FAILED if end.code else 0
