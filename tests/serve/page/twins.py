"""For every modality a calibrated twin that takes no training, and items of identities that it never met.

Nothing here depends on chance but on seeds.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from gemel.items import AudioModality, ImageModality, RecordModality, SeriesModality, TextModality, VectorModality, read
from gemel.items.modality import Modality
from gemel.siamese import Method, Siamese
from gemel.siamese.branches import BranchEncoders
from gemel.siamese.onnx import OnnxEncoder
from tests.serve.page.encoders import DIM, mean, projection, words

SIDE, POINTS, RATE = 12, 64, 8000
IDENTITIES, ITEMS = 60, 4
ADA, BEA, CLEO, STRANGER = range(IDENTITIES, IDENTITIES + 4)
"""Identities that no twin met."""
KINDS = ("image", "text", "series", "audio", "vector", "record")


@dataclass(frozen=True)
class File:
    """An item that is chosen as a file."""

    name: str
    media: str
    content: bytes

    @property
    def payload(self) -> dict[str, Any]:
        """As a browser is given it."""
        return {"name": self.name, "mimeType": self.media, "buffer": self.content}


Given = File | str | Mapping[str, "File | str"]
"""An item as a person gives it: a file, something typed, or a record of those."""


@dataclass(frozen=True)
class World:
    """A twin, and what it can be asked about.

    Attributes:
        kind: modality of the twin.
        twin: calibrated on identities below `IDENTITIES`.
        item: (identity, which) → an item; identities from `IDENTITIES` on are new to the twin.
    """

    kind: str
    twin: Siamese
    item: Callable[[int, int], Given]


@cache
def world(kind: str) -> World:
    """The world of a modality, made once."""
    make, modality, encoder = _MADE[kind]()
    items = [source(make(i, j)) for i in range(IDENTITIES) for j in range(ITEMS)]
    fitted = modality.fit([modality.load(one) for one in items])
    raw = Siamese.from_onnx(encoder, modality=fitted) if encoder else Siamese.from_vectors(DIM)
    labels = [f"c{i}" for i in range(IDENTITIES) for _ in range(ITEMS)]
    if kind == "vector":
        data = read(np.array(items, np.float32), labels=labels)
    else:
        data = read(items, labels=labels, modality=fitted)
    return World(kind, raw.calibrate(data), make)


def raw(kind: str) -> Siamese:
    """The twin without a decision."""
    return world(kind).twin.but(decisions=())


@cache
def crossing() -> Siamese:
    """A twin that compares a picture with a vector of its pixels: two branches into one space."""
    fields = {"photo": _image()[1], "pixels": VectorModality(SIDE * SIDE)}
    encoders = {
        "photo": OnnxEncoder(projection({"image": [1, SIDE, SIDE]}, SIDE * SIDE)),
        "pixels": OnnxEncoder(projection({"vector": [SIDE * SIDE]}, SIDE * SIDE)),
    }
    twin = Siamese(
        modality=RecordModality(fields, single=True),
        encoder=BranchEncoders(encoders),
        method=Method("cosine", DIM, branches=tuple(fields)),
    )
    items = [{"photo": picture(i, j).content, "pixels": pixels(i, j)} for i in range(IDENTITIES) for j in range(ITEMS)]
    labels = [f"c{i}" for i in range(IDENTITIES) for _ in range(ITEMS)]
    return twin.calibrate(read(items, labels=labels, modality=RecordModality(fields)))


def pixels(identity: int, which: int) -> list[float]:
    """The picture as numbers."""
    with Image.open(io.BytesIO(picture(identity, which).content)) as image:
        return (np.asarray(image, np.float64).reshape(-1) / 255).round(4).tolist()


def rng_of(identity: int, which: int = -1) -> np.random.Generator:
    return np.random.default_rng([identity, which + 1])


def picture(identity: int, which: int) -> File:
    """A pattern of the identity, and noise."""
    pattern = rng_of(identity).integers(40, 215, size=(SIDE, SIDE))
    noisy = np.clip(pattern + rng_of(identity, which).integers(-15, 16, size=pattern.shape), 0, 255)
    file = io.BytesIO()
    Image.fromarray(noisy.astype(np.uint8)).save(file, "PNG")
    return File(f"{identity}-{which}.png", "image/png", file.getvalue())


def text(identity: int, which: int) -> str:
    """Five of the identity's six words."""
    own = [_word(rng) for rng in rng_of(identity).spawn(6)]
    return " ".join(np.delete(own, which % 6))


def series(identity: int, which: int) -> File:
    """Two channels of the identity's waves, as CSV."""
    values = _waves(rng_of(identity), 2) + 0.15 * rng_of(identity, which).normal(size=(POINTS, 2))
    rows = "\n".join(",".join(f"{value:.4f}" for value in row) for row in values)
    return File(f"{identity}-{which}.csv", "text/csv", rows.encode())


def sound(identity: int, which: int) -> File:
    """Half a second of the identity's four tones."""
    t, own, now = np.arange(RATE // 2) / RATE, rng_of(identity), rng_of(identity, which)
    tones, loud = own.uniform(200, 3600, 4), own.uniform(0.5, 1, 4)
    wave_ = sum(a * np.sin(2 * np.pi * f * t + now.uniform(0, 6)) for f, a in zip(tones, loud, strict=True))
    samples = (4000 * (wave_ + 0.1 * now.normal(size=len(t)))).clip(-32768, 32767).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.tobytes())
    return File(f"{identity}-{which}.wav", "audio/wav", file.getvalue())


def vector(identity: int, which: int) -> str:
    values = rng_of(identity).normal(size=DIM) + 0.2 * rng_of(identity, which).normal(size=DIM)
    return ", ".join(f"{value:.4f}" for value in values)


def record(identity: int, which: int) -> Mapping[str, File | str]:
    return {"photo": picture(identity, which), "taste": vector(identity, which)}


def _word(rng: np.random.Generator) -> str:
    return "".join(rng.choice([*"bdfgklmnprst"]) + rng.choice([*"aeiou"]) for _ in range(3))


def _waves(rng: np.random.Generator, channels: int) -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, POINTS)[:, None, None]
    height, shift = rng.normal(size=(2, 1, channels, 6))
    return (height * np.sin(t * np.arange(1, 7) + 3 * shift)).sum(-1)


def source(given: Given) -> Any:
    """As the library takes it."""
    if isinstance(given, File):
        return given.content
    if isinstance(given, str):
        return [float(part) for part in given.split(",")] if "," in given else given
    return {name: source(part) for name, part in given.items()}


Made = tuple[Callable[[int, int], Given], Modality, "bytes | None"]


def _image() -> Made:
    return (
        picture,
        ImageModality(height=SIDE, width=SIDE, channels=1),
        projection({"image": [1, SIDE, SIDE]}, SIDE * SIDE),
    )


def _text() -> Made:
    fitted = TextModality(length=32, vocabulary=2000).fit(
        [TextModality.load(TextModality(), text(i, j)) for i in range(IDENTITIES + 10) for j in range(2)]
    )
    return text, fitted, words(fitted.pieces)


def _series() -> Made:
    return series, SeriesModality(channels=2), projection({"series": [POINTS, 2]}, POINTS * 2)


def _audio() -> Made:
    return sound, AudioModality(rate=RATE, mels=32), mean(32)


def _vector() -> Made:
    return vector, VectorModality(DIM), None


def _record() -> Made:
    fields = {"photo": _image()[1], "taste": VectorModality(DIM)}
    shapes = {"photo.image": [1, SIDE, SIDE], "taste.vector": [DIM]}
    return record, RecordModality(fields), projection(shapes, SIDE * SIDE + DIM)


_MADE: dict[str, Callable[[], Made]] = {
    "image": _image,
    "text": _text,
    "series": _series,
    "audio": _audio,
    "vector": _vector,
    "record": _record,
}
