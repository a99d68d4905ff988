"""How a command speaks: words on standard output, or one JSON object; progress and notes on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Progress = Callable[[int, int], None]
"""Called with (items done, items in all)."""


def answer(words: str, values: dict[str, Any], *, as_json: bool) -> None:
    """The result of a command, in one of its two forms."""
    print(json.dumps(values, ensure_ascii=False, allow_nan=False, default=float) if as_json else words)


def note(sentence: str) -> None:
    """A sentence beside the result."""
    print(sentence, file=sys.stderr, flush=True)


@contextmanager
def progress(what: str) -> Iterator[Progress | None]:
    """A bar on standard error while something long runs; nothing where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what)
        yield lambda done, total: bar.update(task, completed=done, total=total)
