"""Small pictures of items: series as lines, sounds as outlines, texts as their words; none where none is wanted.

Knows collections and how images are opened; knows no distances.
"""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from gemel.errors import UnreadableItem
from gemel.items import AudioModality, Collection, ImageModality, RecordModality, SeriesModality, TextModality
from gemel.items.signals import interpolated, resampled
from gemel.items.sources import Field
from gemel.report.markup import Markup, joined, tag

if TYPE_CHECKING:
    from jaxtyping import Float, UInt8

SIDE = 112
"""Height and width of a picture, in pixels."""
WORDS = 160
"""Characters of a text that are shown."""
COLORS = ("#2a78b8", "#d06a1f", "#888888")
"""Of the channels of a series, seen on light and on dark; further ones are not shown."""


class Album:
    """What items look like, or say, and what they are called.

    Args:
        items: the embedded items, in the order of the embeddings.
        pictures: whether pictures are wanted.
    """

    def __init__(self, items: Collection, *, pictures: bool) -> None:
        self.items = items
        fields = items.modality.fields if isinstance(items.modality, RecordModality) else {}
        self.fields = [
            Album(items.with_(modality=modality, sources=Field(items.sources, name)), pictures=pictures)
            for name, modality in fields.items()
        ]
        self.modality = _small(items.modality) if pictures and isinstance(items.modality, ImageModality) else None
        self.texts = pictures and isinstance(items.modality, TextModality)
        self.series = pictures and isinstance(items.modality, SeriesModality | AudioModality)

    def whose(self, i: int) -> str:
        """The identity of item i, or what else is known of it."""
        identity, claimed = self.items.identity, self.items.impostor_of
        name = None if identity is None else identity.value(i)
        imitated = None if claimed is None else claimed.value(i)
        if name is None and imitated is not None:
            return f"imitates {imitated}"
        return self.items.name(i) if name is None else name

    def called(self, i: int) -> str:
        """What item i is called, shortened in the middle where it is very long."""
        name = self.items.name(i)
        return name if len(name) <= 80 else f"{name[:38]} … {name[-38:]}"

    def picture(self, i: int) -> Markup | None:
        """Item i as an image element, or its words; of a record, its fields; None where there is nothing to show."""
        if self.fields:
            shown = [part for field in self.fields if (part := field.picture(i)) is not None]
            return joined(*shown) if shown else None
        if self.texts:
            words = self._words(i)
            return None if words is None else tag("p", words, class_="words")
        source = self._source(i)
        if source is None:
            return None
        alt = f"{self.whose(i)}: {self.called(i)}"
        return tag("img", src=source, alt=alt, width=SIDE, height=SIDE, loading="lazy", decoding="async")

    def _words(self, i: int) -> str | None:
        """The beginning of a text; None where it cannot be read."""
        try:
            words = bytes(self.items.load(i)).decode("utf-8")
        except UnreadableItem:
            return None
        return words if len(words) <= WORDS else f"{words[:WORDS]} …"

    @lru_cache(maxsize=256)  # noqa: B019 (an album lives as long as its page is written)
    def _source(self, i: int) -> str | None:
        try:
            if self.modality is not None:
                return _inside(self.modality.load(self.items.source(i)))
            if not self.series:
                return None
            raw = self.items.load(i)
            return _outline(raw) if isinstance(self.items.modality, AudioModality) else _lines(raw)
        except UnreadableItem:
            return None


def _outline(samples: Float[np.ndarray, "t c"]) -> str:
    """A data address: how far a sound swings up and down over time, its loudest point filling the height."""
    mixed = samples.mean(1)
    edges = np.linspace(0, len(mixed), min(SIDE, len(mixed)) + 1).astype(int)[:-1]
    loudest = max(float(np.abs(mixed).max()), 1e-12)
    up, down = (
        SIDE / 2 - (SIDE / 2 - 4) * swing.reduceat(mixed, edges) / loudest for swing in (np.maximum, np.minimum)
    )
    across = np.linspace(2, SIDE - 2, len(edges))
    there, back = zip(across, up, strict=True), zip(across[::-1], down[::-1], strict=True)
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (*there, *back))
    return _drawn(f'<polygon fill="{COLORS[0]}" stroke="{COLORS[0]}" stroke-width="0.5" points="{points}"/>')


def _lines(series: Float[np.ndarray, "t c"]) -> str:
    """A data address: the first channels over time, each between its own extremes."""
    whole = interpolated(np.asarray(series[:, : len(COLORS)], np.float64))
    shown = resampled(whole, SIDE) if len(whole) > SIDE else whole
    low, span = shown.min(0), np.maximum(np.ptp(shown, axis=0), 1e-12)
    across = np.linspace(2, SIDE - 2, len(shown))
    up = SIDE - 4 - (SIDE - 8) * (shown - low) / span
    lines = [
        f'<polyline fill="none" stroke="{color}" stroke-width="1.5" points="'
        + " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, channel, strict=True))
        + '"/>'
        for color, channel in zip(COLORS, up.T, strict=False)
    ]
    return _drawn("".join(lines))


def _drawn(shapes: str) -> str:
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE} {SIDE}">{shapes}</svg>'
    return f"data:image/svg+xml;base64,{base64.b64encode(drawing.encode()).decode()}"


def _small(modality: ImageModality) -> ImageModality:
    """The whole picture as it came, in its own proportions and colours."""
    return replace(
        modality,
        steps=(),
        height=SIDE,
        width=SIDE,
        channels=3,
        resize="pad",
        resize_to=0,
        resample="bicubic",
        mean=(0.5,),
        std=(0.5,),
    )


def _inside(pixels: UInt8[np.ndarray, "h w c"]) -> str:
    """A data address: PNG, or JPEG where that is much smaller, as it is for photographs."""
    from PIL import Image

    grey = bool((pixels == pixels[..., :1]).all())
    image = Image.fromarray(pixels[..., 0] if grey else pixels)
    png, jpeg = io.BytesIO(), io.BytesIO()
    image.save(png, "PNG", optimize=True)
    image.save(jpeg, "JPEG", quality=85, optimize=True)
    kind, file = ("jpeg", jpeg) if 3 * jpeg.tell() < png.tell() else ("png", png)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
