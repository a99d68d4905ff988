"""From the values of a request to items, within limits; never a path, whatever a text says.

Looks at no more of a file than its header. Knows modalities; knows no HTTP.
"""

from __future__ import annotations

import base64
import binascii
import io
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, NoReturn

import numpy as np
import orjson

from gemel.errors import UnreadableItem, require
from gemel.items import AudioModality, ImageModality, RecordModality, SeriesModality, TextModality, VectorModality
from gemel.items.decoded import Bad
from gemel.items.modality import Modality
from gemel.items.series_files import sheet
from gemel.serve.batching import Item
from gemel.serve.bodies import Upload, len_in_json, printable
from gemel.serve.problems import Problem
from gemel.serve.settings import Limits

LAYERS = 32
"""A JPEG may come in layers, each of which is drawn over the whole picture, be there anything in it or not: all of them
together have at most so many times the pixels of a picture."""
SCAN, TILE, COMPRESSION, JPEG = b"\xff\xda", (322, 323), 259, (6, 7)
"""How a layer begins in a JPEG; tags of a TIFF: width and height of a tile, and how it is compressed, if as JPEG."""
MARKS = 100
"""Accents on one letter, at most: bringing them into their order takes the square of the time, and nobody else is
served meanwhile."""
SAMPLES = 50_000_000
"""Numbers of a sound, of all its channels, as it came and at the rate of the twin: two minutes of eight channels."""
LONGEST_CELL = 32
"""Bytes of a number in a table, at most, on average."""
SOUNDS = ("WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3", "AIFF", "AU")
"""Formats of sounds that are opened: of all that libsndfile knows, those that people send."""
FASTEST = 768_000
"""Samples in a second that a sound may have."""


@dataclass(frozen=True)
class Reader:
    """Turns what came into items.

    Attributes:
        modality: of the twin.
        limits: what an item may be.
    """

    modality: Modality
    limits: Limits

    def item(self, value: Any, field: str) -> Item:
        """One item.

        Args:
            value: as JSON or a form has it.
            field: where in the request it stood, for messages.

        Raises:
            Problem: it is something else, or beyond a limit.
        """
        source, name = self._source(value, self.modality, field)
        return Item(source, name)

    def items(self, value: Any, field: str) -> list[Item | Bad]:
        """Several items, or one; those that cannot be used do not keep the others out.

        Raises:
            Problem: none came, or too many, or one is something else than an item.
        """
        given = value if isinstance(value, list) else [value]
        if not 0 < len(given) <= self.limits.items:
            raise Problem("invalid", f"{field}: give 1 to {self.limits.items} items; {len(given)} came.")
        return [self._item_or_bad(one, f"{field}[{row}]", row) for row, one in enumerate(given)]

    def _item_or_bad(self, value: Any, field: str, row: int) -> Item | Bad:
        try:
            return self.item(value, field)
        except Problem as problem:
            if problem.name not in ("unreadable-item", "too-large"):
                raise
            return Bad(_name(value) or field, problem.detail.removeprefix(f"{field}: ").removesuffix("."), row)

    def _source(self, value: Any, modality: Modality, field: str) -> tuple[Any, str]:
        if isinstance(modality, RecordModality):
            return self._record(value, modality, field), ""
        if isinstance(modality, TextModality):
            return self._text(value, field)
        if isinstance(value, str):
            value = self._json(value, field)
        content, name = _bytes(value, field)
        if content is not None:
            self._look(content, modality, field)
            return (_array(content, field) if isinstance(modality, VectorModality) else content), name
        if isinstance(modality, SeriesModality | VectorModality) and isinstance(value, list) and value:
            return self._numbers(value, modality, field), ""
        raise _refused(value, modality, field)

    def _record(self, value: Any, modality: RecordModality, field: str) -> dict[str, Any]:
        if isinstance(value, str | Upload):
            value = self._json(value if isinstance(value, str) else value.content, field)
        if not isinstance(value, Mapping):
            raise _refused(value, modality, field)
        if strange := [name for name in value if name not in modality.fields]:
            known = ", ".join(modality.fields)
            raise Problem("invalid", f"{field}: there is no field {strange[0]!r}; there are {known}.")
        there = {name: part for name, part in value.items() if part is not None and part != ""}
        return {name: self._source(part, modality.fields[name], f"{field}.{name}")[0] for name, part in there.items()}

    def _text(self, value: Any, field: str) -> tuple[str, str]:
        if isinstance(value, Upload):
            value = value.content.decode("utf-8", "replace")
        if not isinstance(value, str):
            raise Problem("invalid", f"{field}: expected a text; a {_kind(value)} came.")
        if len(value) > self.limits.characters:
            _beyond(field, f"{len(value):,} characters", self.limits.characters)
        if not value.isascii() and (marks := _marks(value)) > MARKS:
            _beyond(field, f"{marks:,} accents on one letter", MARKS)
        return value, ""

    def _numbers(self, value: Any, modality: Modality, field: str) -> Any:
        if isinstance(modality, VectorModality):
            return value
        try:
            array = np.array(value, np.float64)  # null becomes NaN, which is missing
        except (ValueError, TypeError, OverflowError):
            raise Problem("invalid", f"{field}: rows of numbers of one length are expected.") from None
        if array.size > self.limits.points:
            _beyond(field, f"{array.size:,} numbers", self.limits.points)
        return array

    def _json(self, text: str | bytes, field: str) -> Any:
        if (values := len_in_json(text)) > 2 * self.limits.points:
            _beyond(field, f"about {values:,} values", 2 * self.limits.points)
        try:
            return orjson.loads(text)
        except ValueError:
            raise Problem("invalid", f"{field}: a text came, where a file or JSON is expected.") from None

    def _look(self, content: bytes, modality: Modality, field: str) -> None:
        """Refuse what would take too long or too much room to decode."""
        if isinstance(modality, ImageModality):
            width, height, layers = _pixels(content, field)
            if width * height > self.limits.pixels:
                _beyond(field, f"{width:,} × {height:,} pixels", self.limits.pixels)
            if width * height * layers > LAYERS * self.limits.pixels:
                _beyond(field, f"{width:,} × {height:,} pixels in {layers:,} layers", LAYERS * self.limits.pixels)
        elif isinstance(modality, AudioModality):
            frames, rate, channels = _sound(content, field)
            if (seconds := frames / rate) > self.limits.seconds:
                _beyond(field, f"{seconds:,.0f} seconds", self.limits.seconds)
            if (numbers := channels * max(frames, round(seconds * modality.rate))) > SAMPLES:
                _beyond(field, f"{numbers:,} samples in {channels} channels", SAMPLES)
        elif len(content) > LONGEST_CELL * self.limits.points:
            _beyond(field, f"{len(content):,} bytes", LONGEST_CELL * self.limits.points)


def _name(value: Any) -> str:
    """What a file is called by whoever sent it, without folders."""
    if isinstance(value, Upload):
        return value.name
    name = value.get("name", "") if isinstance(value, Mapping) else ""
    return printable(name.replace("\\", "/").rpartition("/")[2]) if isinstance(name, str) else ""


def bounded(modality: Modality, limits: Limits) -> Modality:
    """What loads the same items, and none that become larger than the limits while they are read: two lines with time
    stamps can be a series of millions."""
    if isinstance(modality, SeriesModality):
        return replace(modality, most=max(2, limits.points // modality.channels))
    if isinstance(modality, RecordModality):
        return replace(modality, fields={name: bounded(field, limits) for name, field in modality.fields.items()})
    return modality


def _bytes(value: Any, field: str) -> tuple[bytes | None, str]:
    """The content and the name of a file; None: it is no file."""
    if isinstance(value, Upload):
        return value.content, value.name
    if not isinstance(value, Mapping):
        return None, ""
    text, name = value.get("base64"), value.get("name", "")
    if not isinstance(text, str) or not isinstance(name, str) or value.keys() - {"base64", "name"}:
        raise Problem("invalid", f'{field}: expected {{"base64": "…", "name": "…"}}.')
    try:
        return base64.b64decode(text, validate=True), _name(value)
    except (binascii.Error, ValueError) as error:
        raise Problem("invalid", f"{field}: is no base64: {error}.") from None


def _pixels(content: bytes, field: str) -> tuple[int, int, int]:
    """Width and height of what has to be decoded, and in how many layers it comes."""
    from PIL import Image

    from gemel.items.pixels import USUAL

    try:
        with Image.open(io.BytesIO(content), formats=USUAL) as image:
            tags = getattr(image, "tag_v2", {})  # of a TIFF: a tile is decoded whole, however little of it is seen
            width, height = max(image.width, tags.get(TILE[0], 0)), max(image.height, tags.get(TILE[1], 0))
            in_layers = image.format in ("JPEG", "MPO") or tags.get(COMPRESSION) in JPEG
            return width, height, content.count(SCAN) if in_layers else 1
    except Exception:  # Pillow's plugins raise anything on damaged files
        raise _unreadable(field, f"is no picture that can be read ({', '.join(USUAL)})") from None


def _sound(content: bytes, field: str) -> tuple[int, int, int]:
    """How many samples a sound has, how many in a second, and in how many channels."""
    file: Any = require("soundfile", extra="audio", purpose="read sounds")
    try:
        about = file.info(io.BytesIO(content))
    except Exception:  # libsndfile's errors, and those of its wrapper
        raise _unreadable(field, "is no sound that can be read") from None
    if about.format not in SOUNDS:
        raise _unreadable(field, f"is a sound of a kind that is not taken ({', '.join(SOUNDS)})")
    if not 0 < about.samplerate <= FASTEST or not 0 < about.channels <= 64:
        raise _unreadable(field, f"claims {about.samplerate:,} samples in a second, {about.channels} channels")
    return int(about.frames), int(about.samplerate), int(about.channels)


def _array(content: bytes, field: str) -> Any:
    """The vector of a `.npy` file or of a table."""
    try:
        return sheet(content, "vector").values.reshape(-1)
    except UnreadableItem as error:
        raise _unreadable(field, error.reason) from None


def _kind(value: Any) -> str:
    names = {dict: "JSON object", list: "list", str: "text", Upload: "file", bool: "yes or no", type(None): "null"}
    return names.get(type(value), "number")


EXPECTED = {
    "image": 'a picture as a file of a form, or {"base64": "…"}',
    "audio": 'a sound as a file of a form, or {"base64": "…"}',
    "series": 'rows of numbers, a file (CSV or .npy) of a form, or {"base64": "…"}',
    "vector": "a list of numbers",
    "record": "a JSON object of fields",
}


def _marks(text: str) -> int:
    """How many accents the letter has that has most."""
    runs = groupby(text, key=lambda letter: unicodedata.combining(letter) > 0)
    return max((sum(1 for _ in run) for accents, run in runs if accents), default=0)


def _refused(value: Any, modality: Modality, field: str) -> Problem:
    return Problem("invalid", f"{field}: expected {EXPECTED[modality.name]}; a {_kind(value)} came.")


def _beyond(field: str, had: str, most: float) -> NoReturn:
    raise Problem("too-large", f"{field}: has {had}; at most {most:,} are taken.")


def _unreadable(field: str, reason: str) -> Problem:
    return Problem(
        "unreadable-item", f"{field}: {reason}.", items=[{"field": field, "row": 0, "name": "", "reason": reason}]
    )
