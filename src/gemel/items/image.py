"""Images as items: their size, how they are brought to it, and how pixels become numbers.

The settings are those of Hugging Face image processors, so that theirs can be taken over exactly; before them come
the named steps of `ink.py`.
Pillow is reached through `pixels.py`, and only when an image is decoded.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from gemel.errors import DataError, RecipeError
from gemel.items import ink
from gemel.items.modality import Prepared, Raws

if TYPE_CHECKING:
    from jaxtyping import UInt8

RESIZES = ("stretch", "pad", "crop", "shortest")
RESAMPLES = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
"""Names of Pillow's filters, in the order of its codes 0 to 5 (which Hugging Face configurations hold)."""

PAGE = 2048
"""Pixels along the longer side of a page that is prepared by steps, at least, where it has as many; less than twice
as many at most. A JPEG shrinks to no less while being decoded, for how little a crop leaves is not known before."""


@dataclass(frozen=True, kw_only=True)
class ImageModality:
    """How images are read and prepared.

    EXIF orientation is applied, transparency is laid on white, 16 bits are scaled to 8, and of several
    frames the first is taken. Colour profiles are not applied.

    Attributes:
        steps: what is done to an image before it is brought to its size, as `ink.py` names it.
        height, width: of the prepared image, in pixels.
        channels: 3 for colour, 1 for grey (ITU-R 601 luma).
        resize: how the image gets there: `stretch` ignores its proportions; `pad` fits it in and fills up with
            the mean of its edge; `crop` covers the target and cuts from the middle; `shortest` scales the shorter
            edge to `resize_to` and cuts the target from the middle (with black where the image is smaller).
        resize_to: the shorter edge for `shortest`, in pixels; 0: the shorter one of `height` and `width`.
        resample: Pillow's filter: nearest, lanczos, bilinear, bicubic, box or hamming.
        rescale: what pixels 0 to 255 are multiplied with before `mean` and `std`.
        mean, std: per channel, or one value for all: prepared = (pixel · rescale - mean) / std.
        exact: decode JPEGs in full. Otherwise they shrink while being decoded, to no less than twice the target:
            several times faster, and a few grey levels apart.
    """

    steps: tuple[str, ...] = ()
    height: int = 64
    width: int = 64
    channels: int = 3
    resize: str = "stretch"
    resize_to: int = 0
    resample: str = "bilinear"
    rescale: float | int = 1 / 255
    mean: tuple[float | int, ...] = (0.5,)
    std: tuple[float | int, ...] = (0.5,)
    exact: bool = False
    name: ClassVar[str] = "image"

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 1 or self.resize_to < 0:
            raise RecipeError(
                f"An image of {self.height} × {self.width} pixels (resize_to {self.resize_to}) cannot be."
            )
        if self.channels not in (1, 3):
            raise RecipeError(f"channels = {self.channels} must be 1 (grey) or 3 (colour).")
        for name, allowed in (("resize", RESIZES), ("resample", RESAMPLES)):
            if getattr(self, name) not in allowed:
                raise RecipeError(
                    f"{name} = {getattr(self, name)!r} does not exist; choose one of {', '.join(allowed)}."
                )
        ink.refuse_unknown(self.steps)
        object.__setattr__(self, "mean", self._per_channel("mean"))
        object.__setattr__(self, "std", self._per_channel("std"))
        if min(self.std) <= 0:
            raise RecipeError(f"std = {self.std} must be above 0.")

    def _per_channel(self, name: str) -> tuple[float, ...]:
        values = tuple(float(value) for value in getattr(self, name))
        if len(values) not in (1, self.channels):
            raise RecipeError(f"{name} has {len(values)} values for {self.channels} channels; give one, or one each.")
        return values * self.channels if len(values) == 1 else values

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of a decoded item: height, width, channels."""
        return (self.height, self.width, self.channels)

    @property
    def dtype(self) -> np.dtype:
        """The type of a decoded item's numbers."""
        return np.dtype(np.uint8)

    def resized(self, height: int, width: int) -> tuple[int, int]:
        """Height and width that an image is scaled to, before cutting or filling up; Hugging Face's rounding."""
        if self.resize == "stretch":
            return self.height, self.width
        if self.resize == "shortest":
            short = self.resize_to or min(self.height, self.width)
            long = int(short * max(height, width) / min(height, width))
            return (long, short) if width <= height else (short, long)
        scales = self.height / height, self.width / width
        scale = max(scales) if self.resize == "crop" else min(scales)
        return max(1, round(height * scale)), max(1, round(width * scale))

    def load(self, source: Any) -> UInt8[np.ndarray, "h w c"]:
        """Decode one image to uint8 [height, width, channels].

        Args:
            source: a path, bytes of a file, a Pillow image, or an array [h, w] or [h, w, c] with 1, 3 or 4 channels:
                uint8, uint16, bool, or floats from 0 to 1.

        Raises:
            UnreadableItem: with a reason in words, such as a blank page where a step looks for ink; too many pixels are
                refused before they are decoded.
        """
        from gemel.items import pixels

        image = pixels.opened(source, self.channels, _page if self.steps else self.resized, exact=self.exact)
        if self.steps:
            image = pixels.drawn(ink.prepared(pixels.within(image, PAGE), self.steps, pixels.called(source)))
        height, width = self.resized(image.height, image.width)
        array = pixels.scaled(image, height, width, self.resample, source=source)
        return pixels.placed(array, self.height, self.width, fill=self.resize == "pad")

    def fit(self, raws: Raws) -> ImageModality:
        """Images are prepared with fixed numbers: nothing to learn."""
        return self

    def prepare(self, raws: Raws, *, rng: np.random.Generator | None = None) -> Prepared:
        """`image`: float32 [m, channels, height, width]. Nothing is random here, so `rng` changes nothing."""
        batch = np.stack(list(raws)) if len(raws) else np.zeros((0, *self.shape), np.uint8)
        if batch.shape[1:] != self.shape:
            raise DataError(f"Images of shape {list(batch.shape[1:])} came where {list(self.shape)} is expected.")
        std = np.array(self.std)
        slope = (self.rescale / std).astype(np.float32)
        offset = (np.array(self.mean) / std).astype(np.float32)
        numbers = batch.transpose(0, 3, 1, 2).astype(np.float32, order="C")
        numbers *= slope[:, None, None]
        numbers -= offset[:, None, None]
        return Prepared({"image": numbers}, np.arange(len(batch)))

    def without(self, raw: UInt8[np.ndarray, "h w c"], part: tuple[int, int, int, int]) -> UInt8[np.ndarray, "h w c"]:
        """The image with a box blanked with its own mean.

        Args:
            part: (top, left, height, width) in pixels of the decoded image; what lies outside is cut off.
        """
        top, left, height, width = part
        changed = raw.copy()
        box = slice(max(0, top), max(0, top + height)), slice(max(0, left), max(0, left + width))
        changed[box] = np.rint(raw.mean(axis=(0, 1))).astype(np.uint8)
        return changed

    def config(self) -> dict[str, Any]:
        """Plain JSON values; `modality_from` undoes it. Without `steps` where there are none: what was embedded before
        there were any can still be compared."""
        values = asdict(self) | {"mean": list(self.mean), "std": list(self.std), "steps": list(self.steps)}
        if not self.steps:
            del values["steps"]
        return {"name": self.name, **values}


def _page(height: int, width: int) -> tuple[int, int]:
    """Half of the size that a page is needed at: a JPEG keeps twice its target."""
    scale = PAGE / 2 / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))
