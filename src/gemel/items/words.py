"""Numbers, lists and sizes as people say them, for summaries and messages."""

from __future__ import annotations

from collections.abc import Sequence

NOUNS = {"audio": "sound"}
"""What one item of a modality is called, where that is not the modality's name."""


def many(count: int, what: str) -> str:
    """A number with its noun.

    >>> many(2000, "identity")
    '2,000 identities'
    >>> many(2, "series"), many(2, "class")
    ('2 series', '2 classes')
    """
    return f"{count:,} {NOUNS.get(what, what) if count == 1 else plural(what)}"


def plural(what: str) -> str:
    """Several of a noun.

    >>> plural("series")
    'series'
    """
    what = NOUNS.get(what, what)
    return what[:-1] + "ies" if what.endswith("y") else what + "es" if what.endswith("ss") else what.rstrip("s") + "s"


def first(names: Sequence[str], most: int = 5) -> str:
    """The first few names, and how many more there are; long ones that are texts, not paths, are shortened.

    >>> first(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    shown = ", ".join(f"{name[:59]}…" if len(name) > 60 and " " in name else name for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def size(count: float | int) -> str:
    """A number of bytes, rounded for reading.

    >>> size(3 * 2**30)
    '3.0 GiB'
    """
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
