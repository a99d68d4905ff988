"""From a kept item to what a browser can show: never the file itself, always something made anew from what was decoded.

So no upload comes back as a script, and nothing is larger than a screen needs.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from gemel.errors import require
from gemel.items import AudioModality, ImageModality, RecordModality, SeriesModality, TextModality, pixels
from gemel.items.modality import Modality
from gemel.items.signals import interpolated, resampled

SIDE = 320
"""Pixels of a picture's longer side, at most."""
POINTS = 400
"""Points of a series, at most."""
SECONDS = 30
"""Of a sound, at most."""
LETTERS = 2000
"""Of a text, at most."""


def preview(item: Any, modality: Modality, field: str = "") -> list[dict[str, Any]]:
    """What each field of an item looks like; of one that is no record, the one field without a name.

    Raises:
        UnreadableItem: it cannot be read any more.
    """
    if isinstance(modality, RecordModality):
        there = item if isinstance(item, Mapping) else {}
        return [
            part
            for name, inner in modality.fields.items()
            if there.get(name) is not None
            for part in preview(there[name], inner, name)
        ]
    return [{"field": field, "kind": modality.name, "data": _data(item, modality)}]


def _data(item: Any, modality: Modality) -> Any:
    if isinstance(modality, ImageModality):
        return _picture(item)
    if isinstance(modality, TextModality):
        text = bytes(modality.load(item)).decode("utf-8")
        return text if len(text) <= LETTERS else f"{text[:LETTERS]} …"
    raw = modality.load(item)
    if isinstance(modality, AudioModality):
        return _sound(raw, modality.rate)
    if isinstance(modality, SeriesModality):
        whole = interpolated(np.asarray(raw, np.float64))
        return (resampled(whole, POINTS) if len(whole) > POINTS else whole).round(6).tolist()
    return np.asarray(raw, np.float64).tolist()


def _picture(item: Any) -> str:
    image = pixels.opened(item, 3, _small, exact=False)
    image.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    if max(image.size) <= 96:  # small and often of few colours: nothing is to be blurred
        image.save(file, "PNG")
        return _address(file.getvalue(), "image/png")
    image.save(file, "JPEG", quality=85)
    return _address(file.getvalue(), "image/jpeg")


def _small(height: int, width: int) -> tuple[int, int]:
    scale = SIDE / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _sound(samples: np.ndarray, rate: int) -> str:
    writer: Any = require("soundfile", extra="audio", purpose="write sounds")
    file = io.BytesIO()
    writer.write(file, np.clip(samples[: SECONDS * rate], -1, 1), rate, format="WAV", subtype="PCM_16")
    return _address(file.getvalue(), "audio/wav")


def _address(content: bytes, media: str) -> str:
    return f"data:{media};base64,{base64.b64encode(content).decode()}"
