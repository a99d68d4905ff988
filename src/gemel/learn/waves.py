"""What may change in a series without changing the identity: random distortions of a batch, on its device.

All random numbers come from the step's seed. Everything is off unless asked for: whether speed or strength belong to
the identity, only the user knows. Knows tensors, no files and no labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gemel.learn.noise import Noise
from gemel.recipe import Recipe

if TYPE_CHECKING:
    from jaxtyping import Float, Int

KNOTS = 6
"""Points that warping and bending move, smoothly in between."""


@dataclass(frozen=True, kw_only=True)
class Waves:
    """Random changes to prepared series [n, l, c], whose channels have a standard deviation of about 1.

    Attributes:
        jitter: normal noise with a standard deviation of up to this much; other noise in other numbers of processes.
        gain: a factor for each channel, up to this share either way.
        crop: up to this share of a series is left out at its ends, and the rest drawn out to its length.
        warp: time runs unevenly: points come from up to this share of the length further on or back.
        bend: a slow factor along the series, up to this share either way.
    """

    jitter: float = 0.0
    gain: float = 0.0
    crop: float = 0.0
    warp: float = 0.0
    bend: float = 0.0

    @classmethod
    def of(cls, recipe: Recipe) -> Waves:
        """The distortions that a recipe asks for."""
        return cls(**{name: getattr(recipe, name) for name in cls.__dataclass_fields__})

    def __call__(
        self,
        series: Float[Tensor, "n l c"],
        mask: Int[Tensor, "n l"],
        seed: int,
        own: slice | None = None,
        total: int | None = None,
    ) -> Float[Tensor, "n l c"]:
        """The distorted batch: the same for the same seed; what is behind the end of a series stays zero.

        Args:
            mask: 1 up to the end of each series.
            own, total: which rows of a batch of how many these are, where other processes have the rest.
        """
        if self == Waves():
            return series
        noise = Noise(seed, len(series) if total is None else total, own or slice(None), series.device)
        _, length, channels = series.shape
        if self.crop or self.warp:
            series = _sampled(series, self._places(mask, noise))
        if self.gain:
            series = series * (1 + self.gain * noise.uniform(1, channels))
        if self.bend:
            series = series * (1 + self.bend * _smooth(noise.uniform(KNOTS), mask))[..., None]
        if self.jitter:
            strength = self.jitter * noise.uniform(1, 1).abs()
            series = series + strength * noise.normal(length, channels)
        return series * mask[..., None].to(series.dtype)

    def _places(self, mask: Int[Tensor, "n l"], noise: Noise) -> Float[Tensor, "n l"]:
        """Where each point of the distorted series comes from, in points; never falling."""
        last = (mask.sum(1, keepdim=True) - 1).clamp(min=1).to(torch.float32)
        share = torch.arange(mask.shape[1], device=mask.device) / last
        if self.warp:
            share = share + self.warp * _smooth(noise.uniform(KNOTS), mask)
            share = share.cummax(1).values
        if self.crop:
            lost = self.crop * noise.uniform(1).abs()
            begin = lost * noise.uniform(1).abs()
            share = begin + share * (1 - lost)
        return share.clamp(0, 1) * last


def _smooth(knots: Float[Tensor, "n k"], mask: Int[Tensor, "n l"]) -> Float[Tensor, "n l"]:
    """Straight lines through knots that are spread evenly over each series."""
    last = (mask.sum(1, keepdim=True) - 1).clamp(min=1)
    place = (torch.arange(mask.shape[1], device=mask.device) / last).clamp(0, 1) * (knots.shape[1] - 1)
    return _sampled(knots[..., None], place)[..., 0]


def _sampled(x: Float[Tensor, "n k c"], place: Float[Tensor, "n l"]) -> Float[Tensor, "n l c"]:
    """Values between the rows of x, on straight lines."""
    below = place.floor().long().clamp(0, x.shape[1] - 1)
    above = (below + 1).clamp(max=x.shape[1] - 1)
    share = (place - below)[..., None]
    wide = (-1, -1, x.shape[2])
    low, high = (x.gather(1, index[..., None].expand(wide)) for index in (below, above))
    return low + share * (high - low)
