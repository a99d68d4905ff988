"""What an image is before it is decoded: its size and whether it has colour, read from the header where possible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gemel.errors import UnreadableItem


@dataclass(frozen=True)
class Look:
    """What an image looks like from outside.

    Attributes:
        height, width: in pixels, as stored.
        color: whether red, green and blue differ anywhere.
    """

    height: int
    width: int
    color: bool


def probe(source: Any) -> Look | None:
    """Look at one image; None when it cannot be read."""
    from gemel.items import pixels

    try:
        image = pixels.opened(source, 3, lambda height, width: (height, width), exact=False)
    except UnreadableItem:
        return None
    small = np.asarray(image.convert("RGB").resize((16, 16)), np.int16)
    return Look(image.height, image.width, bool(np.ptp(small, axis=2).max() > 8))
