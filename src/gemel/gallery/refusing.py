"""What a gallery does not take: names, metadata, items. Each is said before anything is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gemel.errors import DataError, GemelError, TooManyBad, UnreadableItem
from gemel.items.decoded import Bad, listed


def refuse_name(identity: str) -> None:
    """Raises DataError for what no identity can be called."""
    if not identity.strip():
        raise DataError("An identity needs a name; it came empty.")
    if not _is_storable(identity):
        raise DataError(f"An identity is called by a text that UTF-8 has, without NUL; {identity!r} came.")


def refuse_metadata(metadata: Mapping[str, Any] | None) -> None:
    """Raises DataError for what no store can keep beside an item."""
    try:
        if not _is_storable(
            json.dumps(dict(metadata or {}), allow_nan=False, ensure_ascii=False).replace(r"\u0000", "\0")
        ):
            raise ValueError("a text that UTF-8 does not have, or NUL")
    except RecursionError:
        raise DataError("Metadata are plain JSON values; these lie too deep in one another.") from None
    except (TypeError, ValueError) as error:
        raise DataError(f"Metadata are plain JSON values, and {metadata!r} came ({error}).") from None


def _is_storable(text: str) -> bool:
    """Whether every store can keep a text: half a surrogate pair is in no encoding, and PostgreSQL takes no NUL."""
    return "\0" not in text and text == text.encode("utf-8", "replace").decode("utf-8")


def unreadable(bad: tuple[Bad, ...]) -> GemelError:
    """The error of items of which not one can be used."""
    if not bad:
        return DataError("Expected at least one item; none came.")
    if len(bad) == 1:
        return UnreadableItem(bad[0].name, bad[0].reason)
    return TooManyBad(f"Not one of {len(bad)} items can be used: {listed(bad)}.")
