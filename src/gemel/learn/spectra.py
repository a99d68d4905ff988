"""What may change in a sound without changing the identity: random distortions of log-mel spectra, on their device.

All random numbers come from the step's seed. Everything is off unless asked for. Knows tensors, no files and no labels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gemel.items.audio import AudioModality
from gemel.items.sounds import widths
from gemel.learn.noise import Noise
from gemel.learn.waves import Waves
from gemel.recipe import Recipe

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

QUIETEST = 40.0
"""Decibels of the sound above the noise that is added least."""


@dataclass(frozen=True, kw_only=True)
class Spectra:
    """Random changes to prepared spectra [n, l, channels * mels], whose bands have a standard deviation of about 1.

    Attributes:
        bands: a stretch of up to this share of the bands is blanked (SpecAugment: Park et al. 2019).
        gaps: a stretch of up to this share of a sound's time is blanked.
        snr: white noise is added, at a signal-to-noise ratio between so many decibels and 40; None: none is.
        waves: distortions along time, as of any series.
        mean, std: of each band of each channel, to know what power is.
        wide: how much power white noise has in each band of a channel.
    """

    bands: float = 0.0
    gaps: float = 0.0
    snr: float | None = None
    waves: Waves = field(default_factory=Waves)
    mean: tuple[float | int, ...] = ()
    std: tuple[float | int, ...] = ()
    wide: tuple[float, ...] = ()

    @staticmethod
    def fields() -> tuple[str, ...]:
        """The fields of a recipe that ask for such distortions."""
        return ("bands", "gaps", "snr", *Waves.__dataclass_fields__)

    @classmethod
    def of(cls, recipe: Recipe, modality: AudioModality) -> Spectra:
        """The distortions that a recipe asks for."""
        return cls(
            bands=recipe.bands,
            gaps=recipe.gaps,
            snr=recipe.snr,
            waves=Waves.of(recipe),
            mean=modality.mean,
            std=modality.std,
            wide=widths(modality.rate, modality.mels),
        )

    def __call__(
        self,
        series: Float[Tensor, "n l w"],
        mask: Int[Tensor, "n l"],
        seed: int,
        own: slice | None = None,
        total: int | None = None,
    ) -> Float[Tensor, "n l w"]:
        """The distorted batch: the same for the same seed; what is behind the end of a sound stays zero."""
        series = self.waves(series, mask, seed, own, total)
        if not self.bands and not self.gaps and self.snr is None:
            return series
        noise = Noise(seed + 1, len(series) if total is None else total, own or slice(None), series.device)
        if self.snr is not None and self.mean:
            series = self._noisy(series, mask, noise)
        if self.bands:
            band = torch.arange(series.shape[2], device=series.device) % len(self.wide)
            series = series.masked_fill(_stretch(band, self.bands, noise, len(self.wide))[:, None], 0.0)
        if self.gaps:
            frame = torch.arange(series.shape[1], device=series.device)
            series = series.masked_fill(_stretch(frame, self.gaps, noise, mask.sum(1, keepdim=True))[..., None], 0.0)
        return series * mask[..., None].to(series.dtype)

    def _noisy(self, series: Tensor, mask: Int[Tensor, "n l"], noise: Noise) -> Tensor:
        """With the power that white noise has in each band, at a ratio to the mean power of the sound."""
        assert self.snr is not None
        mean, std, wide = (series.new_tensor(values) for values in (self.mean, self.std, self.wide))
        power = (series * std + mean).exp() * mask[..., None]
        loud = power.sum((1, 2), keepdim=True) / mask.sum(1)[:, None, None] / series.shape[2]
        ratio = self.snr + (QUIETEST - self.snr) * (noise.uniform(1, 1) + 1) / 2
        added = loud / 10 ** (ratio / 10) * wide.repeat(series.shape[2] // len(wide))
        return ((power + added).clamp(min=1e-10).log() - mean) / std


def _stretch(
    place: Int[Tensor, " k"], most: float, noise: Noise, length: int | Int[Tensor, "n 1"]
) -> Bool[Tensor, "n k"]:
    """A random stretch of up to this share of each item's length."""
    share = most * (noise.uniform(1) + 1) / 2
    begin = (noise.uniform(1) + 1) / 2 * (1 - share)
    at = (place + 0.5) / length
    return (at >= begin) & (at < begin + share)
