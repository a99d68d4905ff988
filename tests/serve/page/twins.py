"""For every modality a calibrated twin that takes no training, and items of identities that it never met.

Encoders are made by hand: projections and means, so that nothing here depends on chance but on seeds.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from gemel.items import AudioModality, ImageModality, RecordModality, SeriesModality, TextModality, VectorModality, read
from gemel.items.modality import Modality
from gemel.siamese import Siamese

SIDE, POINTS, DIM, RATE = 12, 64, 16, 8000
IDENTITIES, ITEMS = 60, 4
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
    items = [_source(make(i, j)) for i in range(IDENTITIES) for j in range(ITEMS)]
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
    words = [_word(rng_of(identity).spawn(6)[k]) for k in range(6)]
    return " ".join(np.delete(words, which % 6))


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


def _source(given: Given) -> Any:
    """As the library takes it."""
    if isinstance(given, File):
        return given.content
    if isinstance(given, str):
        return [float(part) for part in given.split(",")] if "," in given else given
    return {name: _source(part) for name, part in given.items()}


Made = tuple[Callable[[int, int], Given], Modality, "bytes | None"]


def _image() -> Made:
    return picture, ImageModality(height=SIDE, width=SIDE, channels=1), _onnx({"image": [1, SIDE, SIDE]}, SIDE * SIDE)


def _text() -> Made:
    words = TextModality(length=32, vocabulary=2000).fit(
        [TextModality.load(TextModality(), text(i, j)) for i in range(IDENTITIES + 10) for j in range(2)]
    )
    return text, words, _words(words.pieces)


def _series() -> Made:
    return series, SeriesModality(channels=2), _onnx({"series": [POINTS, 2]}, POINTS * 2)


def _audio() -> Made:
    return sound, AudioModality(rate=RATE, mels=32), _mean(32)


def _vector() -> Made:
    return vector, VectorModality(DIM), None


def _record() -> Made:
    fields = {"photo": _image()[1], "taste": VectorModality(DIM)}
    shapes = {"photo.image": [1, SIDE, SIDE], "taste.vector": [DIM]}
    return record, RecordModality(fields), _onnx(shapes, SIDE * SIDE + DIM)


_MADE: dict[str, Callable[[], Made]] = {
    "image": _image,
    "text": _text,
    "series": _series,
    "audio": _audio,
    "vector": _vector,
    "record": _record,
}


def _onnx(shapes: Mapping[str, list[int]], width: int) -> bytes:
    """Inputs side by side as one row, projected."""
    nodes = [helper.make_node("Flatten", [name], [f"flat-{name}"]) for name in shapes]
    nodes += [helper.make_node("Concat", [f"flat-{name}" for name in shapes], ["row"], axis=1)]
    nodes += [helper.make_node("MatMul", ["row", "w"], ["embedding"])]
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", *shape]) for n, shape in shapes.items()]
    weight = np.random.default_rng(0).normal(size=(width, DIM)).astype(np.float32)
    return _model(nodes, inputs, DIM, {"w": weight - weight.mean(0)})


def _mean(width: int) -> bytes:
    """The mean over time."""
    nodes = [helper.make_node("ReduceMean", ["series"], ["embedding"], axes=[1], keepdims=0)]
    return _model(nodes, [helper.make_tensor_value_info("series", TensorProto.FLOAT, ["n", "t", width])], width, {})


def _words(pieces: int) -> bytes:
    """The sum of the pieces' own vectors."""
    nodes = [
        helper.make_node("Gather", ["w", "input_ids"], ["each"]),
        helper.make_node("Cast", ["attention_mask"], ["there"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["there", "last"], ["column"]),
        helper.make_node("Mul", ["each", "column"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "second"], ["embedding"], keepdims=0),
    ]
    weight = np.random.default_rng(0).normal(size=(pieces, 2 * DIM)).astype(np.float32)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "t"]) for name in ("input_ids", "attention_mask")
    ]
    axes = {"last": np.array([-1], np.int64), "second": np.array([1], np.int64)}
    return _model(nodes, inputs, 2 * DIM, {"w": weight, **axes})


def _model(nodes: list[Any], inputs: list[Any], width: int, constants: Mapping[str, np.ndarray]) -> bytes:
    out = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", width])
    kept = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "made", inputs, [out], kept)
    opset = helper.make_opsetid("", 17)
    return bytes(helper.make_model(graph, opset_imports=[opset], ir_version=9).SerializeToString())
