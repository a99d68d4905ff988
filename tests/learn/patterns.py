"""Small images with known identities: a random pattern each, seen shifted and with noise. Learned in seconds."""

from __future__ import annotations

import numpy as np

from gemel.items import Collection, read
from gemel.recipe import Recipe

QUICK = Recipe(
    size=16,
    color=False,
    width=8,
    depth=2,
    dim=16,
    identities=8,
    items=4,
    steps=40,
    checks=4,
    precision="fp32",
    average=0.9,
)


def patterns(
    identities: int = 40, items: int = 6, *, noise: float = 0.05, shift: int = 3, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Images [n, 16, 16] in uint8 and the identity of each."""
    rng = np.random.default_rng(seed)
    centres = rng.random((identities, 4, 4)).repeat(4, 1).repeat(4, 2)
    images = centres[:, None] + rng.normal(0, noise, (identities, items, 16, 16))
    flat = (images.clip(0, 1) * 255).astype(np.uint8).reshape(-1, 16, 16)
    moved = [np.roll(x, rng.integers(-shift, shift + 1, 2), (0, 1)) for x in flat]
    return np.stack(moved), np.repeat(np.arange(identities), items)


def collection(identities: int = 40, items: int = 6, **how: float) -> Collection:
    images, labels = patterns(identities, items, **how)  # type: ignore[arg-type]
    return read(images, labels=[f"p{i}" for i in labels])
