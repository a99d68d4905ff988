"""Items as bytes that a gallery can keep, so that another model can embed them later; and back from there."""

from __future__ import annotations

import base64
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
    if isinstance(source, str) and modality.name in ("text", "record"):
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
    if modality.name == "record":
        return {name: _field_of(value) for name, value in json.loads(original).items()}
    return original.decode() if modality.name == "text" else original


def _field_of(value: Any) -> Any:
    return base64.b64decode(value["base64"]) if isinstance(value, dict) and "base64" in value else value


def _array(values: Any) -> bytes | None:
    file, array = io.BytesIO(), np.asarray(values)
    if array.dtype.kind not in "biuf":
        return None
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _json(record: Mapping[str, Any]) -> bytes | None:
    plain = {name: _plain(value) for name, value in record.items()}
    try:
        return json.dumps(plain, ensure_ascii=False).encode()
    except TypeError:
        return None


def _plain(value: Any) -> Any:
    """A field of a record as JSON has it."""
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    return str(value) if isinstance(value, Path) else value
