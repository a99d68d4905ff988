"""How a command speaks: words on standard output, or one JSON object; progress and notes on standard error."""

from __future__ import annotations

import json
import sys
from typing import Any


def answer(words: str, values: dict[str, Any], *, as_json: bool) -> None:
    """The result of a command, in one of its two forms."""
    print(json.dumps(values, ensure_ascii=False, allow_nan=False, default=float) if as_json else words)


def note(sentence: str) -> None:
    """A sentence beside the result."""
    print(sentence, file=sys.stderr, flush=True)
