"""Named steps from a scanned page to the writing on it. Functions of pixels alone; no files.

Ink is what Otsu's threshold sets apart from the paper; paper is the more frequent of the two, dark or light.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gemel.errors import RecipeError, UnreadableItem

if TYPE_CHECKING:
    from jaxtyping import Bool, Int, UInt8

FAINT = 24
"""Grey levels from the paper's mean to the ink's below which a page counts as blank: noise of a scanner is less."""
STEEPEST = 45.0
"""Degrees: what rises more steeply is no line of writing that came in askew."""
LEVEL = 0.25
"""Degrees that are level enough: turning blurs."""
ROUND = 1.5
"""Ink less than so many times as long as wide has no direction."""
STRAY = 200
"""One pixel of ink in so many may lie beyond each edge of a box: specks of dust."""
MARGIN = 0.05
"""What a box gets on every side, as a share of its longer side."""

LUMA = (19595, 38470, 7471)
"""Red, green and blue in 65,536 parts of grey (ITU-R 601), as Pillow weighs them."""


@dataclass(frozen=True)
class Page:
    """Where on a page the ink is, and what the paper looks like.

    Attributes:
        ink: whether each pixel is ink.
        paper: the mean colour of all others.
    """

    ink: Bool[np.ndarray, "h w"]
    paper: UInt8[np.ndarray, " c"]


def prepared(image: UInt8[np.ndarray, "h w c"], steps: Sequence[str], called: str) -> UInt8[np.ndarray, "H W c"]:
    """An image after some steps. Raises UnreadableItem where a step finds no ink."""
    for step in steps:
        image = STEPS[step](image, page_of(image, called))
    return image


def refuse_unknown(steps: Sequence[str]) -> None:
    """Raises RecipeError for a step that does not exist."""
    for step in steps:
        if step not in STEPS:
            near = difflib.get_close_matches(step, STEPS, n=1)
            hint = f"did you mean {near[0]}? There" if near else "there"
            raise RecipeError(f"There is no step {step!r} that prepares an image; {hint} are {', '.join(STEPS)}.")


def page_of(image: UInt8[np.ndarray, "h w c"], called: str) -> Page:
    """What is ink and what is paper. Raises UnreadableItem for a blank page."""
    grey = grey_of(image)
    dark = grey <= otsu(np.bincount(grey.ravel(), minlength=256))
    ink = dark if 2 * np.count_nonzero(dark) <= dark.size else ~dark
    if not ink.any() or abs(float(grey[ink].mean()) - float(grey[~ink].mean())) < FAINT:
        raise UnreadableItem(called, "is blank: no ink stands out from the paper")
    return Page(ink, np.rint(image[~ink].mean(axis=0)).astype(np.uint8))


def grey_of(image: UInt8[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "h w"]:
    """How bright each pixel is."""
    if image.shape[2] == 1:
        return image[:, :, 0]
    red, green, blue = (np.uint32(part) * image[:, :, i] for i, part in enumerate(LUMA))
    return ((red + green + blue + np.uint32(1 << 15)) >> np.uint32(16)).astype(np.uint8)


def otsu(counts: Int[np.ndarray, " k"]) -> int:
    """The level up to which a histogram is one class and above which it is the other, so that they lie farthest apart.

    Of levels that part it alike, the middle one.

    Source: Otsu (1979), A threshold selection method from gray-level histograms, equation 18.
    """
    share = counts / counts.sum()
    below, mean = np.cumsum(share), np.cumsum(share * np.arange(len(counts)))
    both = below * (1 - below)
    apart = np.divide((mean[-1] * below - mean) ** 2, both, out=np.zeros(len(counts)), where=both > 0)
    best = np.flatnonzero(apart == apart.max())
    return int(best[len(best) // 2])


def lifted(image: UInt8[np.ndarray, "h w c"], page: Page) -> UInt8[np.ndarray, "h w c"]:
    """The ink alone, as far from the paper as it was: light strokes on 0."""
    apart = np.abs(image.astype(np.int16) - page.paper).astype(np.uint8)
    return apart * page.ink[:, :, None]


def binarised(image: UInt8[np.ndarray, "h w c"], page: Page) -> UInt8[np.ndarray, "h w c"]:
    """Ink 255 and paper 0: how hard a pen was pressed, and in which colour it wrote, is gone."""
    return np.repeat(page.ink[:, :, None], image.shape[2], axis=2) * np.uint8(255)


def levelled(image: UInt8[np.ndarray, "h w c"], page: Page) -> UInt8[np.ndarray, "H W c"]:
    """Turned so that the ink's longer axis lies level; what it was where that axis is steep or there is none."""
    from gemel.items import pixels

    degrees = slope(page.ink)
    return image if abs(degrees) < LEVEL else pixels.turned(image, degrees, page.paper)


def slope(ink: Bool[np.ndarray, "h w"]) -> float:
    """Degrees by which the longer axis falls to the right; 0 where it is steep, or the ink about as long as wide.

    Source: Hu (1962), Visual pattern recognition by moment invariants, section V.
    """
    y, x = np.nonzero(ink)
    if len(x) < 2:
        return 0.0
    (along, both), (_, down) = np.cov(x, y)
    degrees = float(np.degrees(np.arctan2(2 * both, along - down) / 2))
    middle, reach = (along + down) / 2, np.hypot((along - down) / 2, both)
    lengthy = middle + reach >= ROUND**2 * (middle - reach)
    return degrees if lengthy and abs(degrees) <= STEEPEST else 0.0


def cropped(image: UInt8[np.ndarray, "h w c"], page: Page) -> UInt8[np.ndarray, "H W c"]:
    """The box that holds the ink, with a margin that is paper where it lies outside the page."""
    (top, bottom), (left, right) = _reach(page.ink.sum(1)), _reach(page.ink.sum(0))
    margin = max(1, round(MARGIN * max(bottom - top, right - left)))
    top, bottom, left, right = top - margin, bottom + margin, left - margin, right + margin
    box = np.full((bottom - top, right - left, image.shape[2]), page.paper)
    inside = image[max(top, 0) : bottom, max(left, 0) : right]
    above, before = max(-top, 0), max(-left, 0)
    box[above : above + inside.shape[0], before : before + inside.shape[1]] = inside
    return box


def _reach(counts: Int[np.ndarray, " k"]) -> tuple[int, int]:
    """Where the ink begins and ends along one side, but for strays."""
    so_far = np.cumsum(counts)
    stray = so_far[-1] // STRAY
    return int(np.searchsorted(so_far, stray, "right")), int(np.searchsorted(so_far, so_far[-1] - stray)) + 1


STEPS: dict[str, Callable[[np.ndarray, Page], np.ndarray]] = {
    "ink": lifted,
    "binary": binarised,
    "deskew": levelled,
    "crop": cropped,
}
