"""Series and sounds played faster or slower, before they are prepared: a sound's pitch changes with its speed.

Knows decoded items and their modalities; no tensors and no labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gemel.items import AudioModality, Modality, RecordModality, SeriesModality, signals, sounds
from gemel.items.modality import Raw, Raws

if TYPE_CHECKING:
    from jaxtyping import Float

SHORTEST = 2
"""Points or samples that are left at least."""


def played(raws: Raws, modality: Modality, most: float, rng: np.random.Generator) -> Raws:
    """Each item at a speed of its own, up to `most` faster or as many times slower; what has no time stays as it is.

    Args:
        most: 0.1 is from 1 / 1.1 to 1.1 times as fast.
        rng: one number is drawn for each item, whatever it is.
    """
    speeds = (1 + most) ** rng.uniform(-1, 1, len(raws))
    return [_played(raw, modality, float(speed)) for raw, speed in zip(raws, speeds, strict=True)]


def _played(raw: Raw, modality: Modality, speed: float) -> Raw:
    if isinstance(modality, RecordModality):
        return {name: _played(field, modality.fields[name], speed) for name, field in raw.items()}
    if isinstance(modality, SeriesModality):
        return _sampled(signals.interpolated(np.asarray(raw)), speed)
    if isinstance(modality, AudioModality) and len(raw) > SHORTEST * speed:
        return sounds.brought(np.asarray(raw), round(modality.rate * speed), modality.rate)
    return raw


def _sampled(series: Float[np.ndarray, "t c"], speed: float) -> Float[np.ndarray, "u c"]:
    """A series with fewer points the faster it is, on straight lines between those that there are; none is lost."""
    last = len(series) - 1
    place = np.minimum(np.arange(max(SHORTEST, round(len(series) / speed))) * speed, last)
    channels = [np.interp(place, np.arange(last + 1), channel) for channel in series.T]
    return np.stack(channels, 1).astype(series.dtype)
