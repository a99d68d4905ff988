"""Items as bytes that a gallery can keep, so that another model can embed them later; and back from there."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gemel.items.modality import Modality

ARRAY = b"\x93NUMPY"
"""How a file of a NumPy array begins."""
LIGHT = ("text", "vector")
"""Kinds of items that are kept always: they are no larger than what is kept of them anyway."""


def original_of(source: Any, modality: Modality) -> bytes | None:
    """An item as bytes; None where it is something that has none."""
    if isinstance(source, bytes):
        return source
    if isinstance(source, str) and modality.name == "text":
        return source.encode()
    if isinstance(source, Mapping):
        return _json(source)
    if isinstance(source, str | Path):
        place = Path(source)
        return place.read_bytes() if place.is_file() else None
    if isinstance(source, np.ndarray | list | tuple):
        return _array(source)
    return None


def item_of(original: bytes, modality: Modality) -> Any:
    """What `original_of` had, as something that can be embedded."""
    if original.startswith(ARRAY):
        return np.load(io.BytesIO(original), allow_pickle=False)
    return original.decode() if modality.name in ("text", "record") else original


def _array(values: Any) -> bytes | None:
    file, array = io.BytesIO(), np.asarray(values)
    if array.dtype.kind not in "biuf":
        return None
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _json(record: Mapping[str, Any]) -> bytes | None:
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in record.items()}
    try:
        return json.dumps(plain, ensure_ascii=False).encode()
    except TypeError:
        return None
