"""What may change without changing the identity: random distortions of a batch of images, on its device.

One geometric resampling per image, whatever is asked; all random numbers come from the step's seed.
Knows tensors, no files and no labels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from gemel.learn.noise import Noise
from gemel.recipe import Recipe

if TYPE_CHECKING:
    from jaxtyping import Float, Int

ELASTIC_CELLS = 5
"""An elastic distortion moves this many control points along each side, smoothly in between."""


@dataclass(frozen=True, kw_only=True)
class Augment:
    """Random changes to images [n, c, h, w]; every field at 0 or False changes nothing.

    Attributes:
        degrees: rotation, up to this many degrees either way.
        translate: shift, up to this share of the side either way.
        scale: zoom, up to this share either way.
        shear: up to this many degrees either way.
        elastic: standard deviation of the control points' shift, as a share of the side.
        flip: mirror left and right, half of the time.
        brightness: brightness and contrast, up to this share either way.
        hue: mixing of the colour channels, up to this share (at most 1); grey stays grey.
        blur: Gaussian blur with a standard deviation up to this many pixels.
        erase: a box up to this share of the area is filled with the image's mean.
    """

    degrees: float = 0.0
    translate: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    elastic: float = 0.0
    flip: bool = False
    brightness: float = 0.0
    hue: float = 0.0
    blur: float = 0.0
    erase: float = 0.0

    @classmethod
    def of(cls, recipe: Recipe) -> Augment:
        """The distortions that a recipe asks for."""
        return cls(**{name: getattr(recipe, name) for name in cls.__dataclass_fields__})

    def __call__(
        self, images: Float[Tensor, "n c h w"], seed: int, own: slice | None = None, total: int | None = None
    ) -> Float[Tensor, "n c h w"]:
        """The distorted batch: the same for the same seed.

        Args:
            own, total: which rows of a batch of how many these are, where other processes have the rest.
        """
        noise = Noise(seed, len(images) if total is None else total, own or slice(None), images.device)
        images = self._moved(images, noise)
        images = self._recoloured(images, noise)
        if self.blur:
            images = _blurred(images, self.blur * noise.once())
        if self.erase:
            images = _erased(images, self.erase, noise)
        return images

    def _moved(self, images: Tensor, noise: Noise) -> Tensor:
        if not any((self.degrees, self.translate, self.scale, self.shear, self.elastic, self.flip)):
            return images
        grid = functional.affine_grid(self._affine(noise), list(images.shape), align_corners=False)
        if self.elastic:
            grid = grid + self._bend(images, noise)
        return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)

    def _affine(self, noise: Noise) -> Float[Tensor, "n 2 3"]:
        angle = noise.uniform() * math.radians(self.degrees)
        lean = (noise.uniform() * math.radians(self.shear)).tan()
        zoom = 1 / (1 + noise.uniform() * self.scale)
        mirror = torch.where(noise.uniform() < 0, -1.0, 1.0) if self.flip else torch.ones_like(zoom)
        cos, sin = angle.cos() * zoom, angle.sin() * zoom
        shift_x, shift_y = noise.uniform() * 2 * self.translate, noise.uniform() * 2 * self.translate
        top = torch.stack([cos * mirror, cos * lean - sin, shift_x], 1)
        bottom = torch.stack([sin * mirror, sin * lean + cos, shift_y], 1)
        return torch.stack([top, bottom], 1)

    def _bend(self, images: Tensor, noise: Noise) -> Float[Tensor, "n h w 2"]:
        points = noise.normal(2, ELASTIC_CELLS, ELASTIC_CELLS) * 2 * self.elastic
        smooth = functional.interpolate(points, size=images.shape[-2:], mode="bicubic", align_corners=True)
        return smooth.permute(0, 2, 3, 1)

    def _recoloured(self, images: Tensor, noise: Noise) -> Tensor:
        if self.brightness:
            gain, offset = (1 + noise.uniform(1, 1, 1) * self.brightness for _ in range(2))
            mean = images.mean((1, 2, 3), keepdim=True)
            images = (images - mean) * gain + mean + (offset - 1)
        if self.hue and images.shape[1] == 3:
            share = self.hue * noise.uniform(1, 1).abs()
            mix = torch.lerp(torch.eye(3, device=images.device), noise.normal(3, 3).softmax(2), share)
            images = torch.einsum("nij,njhw->nihw", mix, images)
        return images


def _blurred(images: Tensor, sigma: float) -> Tensor:
    reach = math.ceil(2 * sigma)
    if reach < 1:
        return images
    taps = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=images.device) / sigma) ** 2)
    taps = (taps / taps.sum()).expand(images.shape[1], 1, 1, -1)
    padded = functional.pad(images, (reach,) * 4, mode="replicate")
    across = functional.conv2d(padded, taps, groups=images.shape[1])
    return functional.conv2d(across, taps.transpose(2, 3), groups=images.shape[1])


def _erased(images: Tensor, share: float, noise: Noise) -> Tensor:
    """Boxes of up to `share` of the area, anywhere, filled with each image's mean."""
    height, width = images.shape[2:]
    side = (share * (noise.uniform(1, 1) + 1) / 2).sqrt()
    centre_y, centre_x = noise.uniform(1, 1), noise.uniform(1, 1)
    y = torch.linspace(-1, 1, height, device=images.device)[None, :, None]
    x = torch.linspace(-1, 1, width, device=images.device)[None, None, :]
    inside = ((y - centre_y).abs() < side) & ((x - centre_x).abs() < side)
    return torch.where(inside[:, None], images.mean((1, 2, 3), keepdim=True), images)


def turned(images: Float[Tensor, "n c s s"], variant: Int[Tensor, " n"]) -> Float[Tensor, "n c s s"]:
    """Each image turned by its number of quarter turns; images must be square."""
    if not bool(variant.any()):
        return images
    out = images.clone()
    for turns in (1, 2, 3):
        chosen = variant == turns
        out[chosen] = images[chosen].rot90(turns, (2, 3))
    return out
