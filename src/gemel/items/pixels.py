"""From a file, bytes, a Pillow image or an array to 8-bit pixels: everything that knows Pillow.

Whatever is wrong with an image becomes an UnreadableItem with a reason in words.
Must not know the modality: sizes and filters are handed in.
"""

from __future__ import annotations

import functools
import io
import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from gemel.errors import UnreadableItem

if TYPE_CHECKING:
    from jaxtyping import UInt8

MOST_PIXELS = 89_478_485
"""Images with more pixels are refused: Pillow's own limit for its warning, a quarter of a GiB in colour."""

USUAL = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""Formats that people send. They are looked for first, so that a file which could be two things is one of these both to
whoever allows no other and to whoever decodes it."""

NOT_READ = frozenset({"EPS"})
"""Formats that are never opened: PostScript is a program, run by Ghostscript."""

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation → what sets the image upright."""

_ORIENTATION = 0x0112


def opened(
    source: Any, channels: int, resized: Callable[[int, int], tuple[int, int]], *, exact: bool = True
) -> Image.Image:
    """The image, upright, 8-bit, grey ("L") or colour ("RGB").

    Args:
        source: a path, bytes, a Pillow image or an array.
        channels: 1 or 3.
        resized: (height, width) → the size it will be scaled to; a JPEG may shrink to twice that while being decoded.
        exact: no such shrinking.

    Raises:
        UnreadableItem: with a reason in words.
    """
    try:
        with _file(source) as file:
            image = _image(source, file)
            _refuse_huge(image.size)
            turn = _turn(image)
            if not exact and file is not None:
                _shrink(image, resized, sideways=turn is not None and turn not in _UPRIGHT)
            image.load()
            upright = image if turn is None else image.transpose(turn)
            return flat(upright, channels)
    except UnreadableItem as bad:
        raise UnreadableItem(called(source), bad.reason) from None
    except Exception as error:  # Pillow's plugins raise anything on damaged files
        raise UnreadableItem(called(source), _reason(error, source)) from error


_UPRIGHT = (TURNS[2], TURNS[3], TURNS[4])


def scaled(image: Image.Image, height: int, width: int, resample: str, *, source: Any) -> UInt8[np.ndarray, "h w c"]:
    """Pixels at another size. Raises UnreadableItem when a long thin image would grow beyond all bounds."""
    if height * width > MOST_PIXELS:
        reason = f"is so long and thin ({image.width} × {image.height}) that it would become {width} × {height} pixels"
        raise UnreadableItem(called(source), reason)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling[resample.upper()])
    array = np.array(image)
    return array[:, :, None] if array.ndim == 2 else array


def within(image: Image.Image, side: int) -> UInt8[np.ndarray, "h w c"]:
    """Pixels of an image, averaged by a whole number until the longer side is less than twice a length."""
    array = np.array(image.reduce(max(1, max(image.size) // side)))
    return array[:, :, None] if array.ndim == 2 else array


def turned(
    array: UInt8[np.ndarray, "h w c"], degrees: float, paper: UInt8[np.ndarray, " c"]
) -> UInt8[np.ndarray, "H W c"]:
    """An image turned anticlockwise, whole, on a larger sheet of the colour of the paper."""
    fill = tuple(int(value) for value in paper)
    image = drawn(array).rotate(degrees, Image.Resampling.BILINEAR, expand=True, fillcolor=fill)
    return np.asarray(image).reshape(image.height, image.width, array.shape[2])


def placed(array: UInt8[np.ndarray, "h w c"], height: int, width: int, *, fill: bool) -> UInt8[np.ndarray, "H W c"]:
    """The middle of an image; where it is smaller than the target it is filled up, with its edge's mean or black.

    The rounding is Hugging Face's `center_crop`.
    """
    above, left = _margin(array.shape[0], height), _margin(array.shape[1], width)
    if (above, left) == (0, 0) and array.shape[:2] == (height, width):
        return array
    canvas = np.zeros((height, width, array.shape[2]), np.uint8)
    if fill:
        edge = np.concatenate([array[0], array[-1], array[:, 0], array[:, -1]])
        canvas[:] = np.rint(edge.mean(axis=0)).astype(np.uint8)
    inner = array[max(0, -above) :, max(0, -left) :][:height, :width]
    above, left = max(0, above), max(0, left)
    canvas[above : above + inner.shape[0], left : left + inner.shape[1]] = inner
    return canvas


def _margin(have: int, want: int) -> int:
    """Pixels to add before (positive) or to cut (negative)."""
    return -((have - want) // 2)


def flat(image: Image.Image, channels: int) -> Image.Image:
    """Any mode as grey ("L") or colour ("RGB"): transparency on white, 16 bits scaled to 8."""
    mode = "L" if channels == 1 else "RGB"
    if image.mode == mode and not image.has_transparency_data:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        array = np.asarray(image)
        fits = image.mode == "I" and array.min() >= 0 and array.max() <= 65535
        image = Image.fromarray(eight_bit(array.astype(np.uint16) if fits else array))
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("RGB")
    return image if image.mode == mode else image.convert(mode)


def eight_bit(array: np.ndarray) -> UInt8[np.ndarray, "..."]:
    """Numbers as 8-bit pixels: uint8 as it is, bool as black and white, floats from 0 to 1, uint16 from 0 to 65,535.

    Other integers must fit into 8 bits. Raises UnreadableItem for anything else.
    """
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind not in "iuf" or not array.size:
        raise UnreadableItem("array", f"holds {array.size} values of type {array.dtype}, not pixels")
    low, high = array.min(), array.max()
    if array.dtype.kind == "f":
        if not (low >= 0 and high <= 1):
            raise UnreadableItem("array", f"holds floats from {low:g} to {high:g}; give 0 to 1, or uint8")
        return np.rint(array * 255).astype(np.uint8)
    if array.dtype.itemsize == 2 and array.dtype.kind == "u":
        return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if low < 0 or high > 255:
        raise UnreadableItem("array", f"holds integers from {low} to {high}; give 0 to 255, or uint16")
    return array.astype(np.uint8)


def called(source: Any) -> str:
    """What a source is called in a message."""
    if isinstance(source, str | os.PathLike):
        return str(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return f"image of {len(source):,} bytes"
    if isinstance(source, np.ndarray):
        return f"array {list(source.shape)}"
    if isinstance(source, Image.Image):
        return f"Pillow image {source.width} × {source.height}"
    return f"{type(source).__name__}"


@functools.cache
def formats() -> tuple[str, ...]:
    """The formats that are read: the usual ones first, the others in Pillow's order."""
    Image.init()
    known = [name for name in Image.ID if name not in NOT_READ]
    return tuple(sorted(known, key=lambda name: USUAL.index(name) if name in USUAL else len(USUAL)))


def _file(source: Any) -> Any:
    """An open binary file for a path or bytes; nothing for a value."""
    if isinstance(source, str | os.PathLike):
        return Path(source).open("rb")
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(source)
    return nullcontext()


def _image(source: Any, file: io.BytesIO | io.BufferedReader | None) -> Image.Image:
    if file is not None:
        if not file.read(1):
            raise UnreadableItem("", "is empty (0 bytes)")
        file.seek(0)
        return Image.open(file, formats=formats())
    if isinstance(source, Image.Image):
        return source.copy() if source.mode == "P" else source
    if isinstance(source, np.ndarray):
        return drawn(source)
    raise UnreadableItem("", "is not a path, bytes, a Pillow image or an array")


def drawn(array: np.ndarray) -> Image.Image:
    """An array as a Pillow image. Raises UnreadableItem when it has another shape than an image."""
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))) or not array.size:
        raise UnreadableItem("", f"has shape {list(array.shape)}; give [h, w], or [h, w, c] with 1, 3 or 4 channels")
    return Image.fromarray(np.ascontiguousarray(eight_bit(array)))


def _refuse_huge(size: tuple[int, int]) -> None:
    if size[0] * size[1] > MOST_PIXELS:
        raise UnreadableItem("", f"claims {size[0]:,} × {size[1]:,} pixels; more than {MOST_PIXELS:,} are not decoded")


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What sets the image upright; a damaged EXIF block counts as none."""
    try:
        return TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        return None


def _shrink(image: Image.Image, resized: Callable[[int, int], tuple[int, int]], *, sideways: bool) -> None:
    width, height = image.size
    if sideways:
        wide, tall = resized(width, height)
    else:
        tall, wide = resized(height, width)
    image.draft(None, (2 * wide, 2 * tall))


def _reason(error: Exception, source: Any) -> str:
    """Why an image cannot be decoded, in words."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "is a folder, not a file"
    if isinstance(error, PermissionError):
        return "may not be opened: permission denied"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"claims more pixels than the {MOST_PIXELS:,} that are decoded"
    if isinstance(error, UnidentifiedImageError):
        return f"is not an image of a known format{_looks_like(source)}"
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return "is truncated: it ends before the picture does"
    return f"is damaged: {text}"


def _looks_like(source: Any) -> str:
    if isinstance(source, str | os.PathLike):
        with Path(source).open("rb") as file:
            start = file.read(64)
    else:
        start = bytes(source[:64])
    return ": it holds text" if start and all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in start) else ""
