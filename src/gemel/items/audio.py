"""Sounds as items: voices, calls, machines; log-mel spectra [frames, bands], of any length.

Reads files and makes spectra through `sounds.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from gemel.errors import DataError, RecipeError, UnreadableItem
from gemel.items import sounds
from gemel.items.families import FAMILIES, RATE
from gemel.items.lengths import Moments, alike, filled, starts
from gemel.items.modality import Prepared, Raw, Raws
from gemel.items.sounds import HOP

if TYPE_CHECKING:
    from jaxtyping import Float, Int

BUDGET = 16_384
"""Frames of sounds, padding included, that are prepared together."""
SAMPLE = 20
"""Sounds whose rates are looked at."""
HIGHEST = 16_000
"""The rate to which sounds are brought at most, unless another one is asked for: enough for voices."""


@dataclass(frozen=True, kw_only=True)
class AudioModality:
    """How sounds are read and prepared.

    Attributes:
        rate: samples in a second, to which every sound is brought.
        channels: 1: what a sound has is mixed into one; more: a sound must have so many.
        steps: what is done to a sound before its spectrum is taken, as `sounds.py` names it.
        mels: bands of a spectrum.
        length: most frames, of 10 ms each, that are encoded at once. A longer sound is cut at random in training, and
            in use is the mean of windows that overlap by at least half.
        family: which pretrained family the sound is prepared for, as `families.py` names it; empty: none.
        mean, std: of each band over the training split, without a family; empty before `fit`.
    """

    rate: int = HIGHEST
    channels: int = 1
    steps: tuple[str, ...] = ()
    mels: int = 64
    length: int = 300
    family: str = ""
    mean: tuple[float | int, ...] = ()
    std: tuple[float | int, ...] = ()
    name: ClassVar[str] = "audio"

    def __post_init__(self) -> None:
        if self.rate < 100 or self.channels < 1 or self.mels < 1:
            raise RecipeError(f"Sounds of rate {self.rate}, {self.channels} channels and {self.mels} bands cannot be.")
        if self.length < 2:
            raise RecipeError(f"length = {self.length} must be at least 2 frames.")
        if self.family and (self.family not in FAMILIES or self.rate != RATE or self.channels != 1):
            raise RecipeError(f"family = {self.family!r} takes one channel of {RATE:,} samples; {', '.join(FAMILIES)}.")
        sounds.refuse_unknown(self.steps)

    @property
    def width(self) -> int:
        """Numbers of a frame: the bands of every channel."""
        return self.mels * self.channels

    def load(self, source: Any) -> Float[np.ndarray, "t c"]:
        """One sound at the modality's rate, float32 [samples, channels].

        Args:
            source: a path, bytes of a file, or an array [time] or [time, channels] at that rate: numbers from -1 to 1,
                or PCM, which are whole numbers of 8, 16 or 32 bits.

        Raises:
            UnreadableItem: no sound, none of any length, or other channels than expected.
        """
        called = str(source) if isinstance(source, str | Path) else "sound"
        if source is None:
            raise UnreadableItem(called, "is empty")
        if isinstance(source, str | Path | bytes):
            samples, rate = sounds.read(source, called)
            samples = sounds.brought(samples, rate, self.rate)
        else:
            samples = _of_array(source, called)
        if not samples.size:
            raise UnreadableItem(called, "is a sound of 0 seconds")
        if not np.isfinite(samples).all():
            raise UnreadableItem(called, "holds a NaN or an infinity")
        if self.channels == 1:
            samples = samples.mean(1, keepdims=True)
        if samples.shape[1] != self.channels:
            raise UnreadableItem(called, f"has {samples.shape[1]} channels where {self.channels} are expected")
        return np.ascontiguousarray(samples, np.float32)

    def fit(self, raws: Raws) -> AudioModality:
        """With mean and standard deviation of each band over these sounds, where there are none yet."""
        if self.mean or self.family:
            return self
        moments = Moments(self.width)
        for raw in raws:
            moments.add(self.spectrum(raw))
        return replace(self, mean=moments.mean, std=moments.std)

    def prepare(self, raws: Raws, *, rng: np.random.Generator | None = None) -> Prepared:
        """`series`: float32 [m, l, width], zeros behind the end; `attention_mask`: int64 [m, l], 1 up to it.

        With `rng`, one random cut of each sound that is too long; without, all of its windows. For a family: `sound`,
        as that wants it, all of one size; and `points`: int64 [m], how many samples there were.
        """
        if self.family:
            return self._for_family(raws, rng)
        parts = [self._windows(raw, rng) for raw in raws]
        owner = np.repeat(np.arange(len(raws)), [len(each) for each in parts])
        series, mask = filled([part for each in parts for part in each], self.width)
        return Prepared({"series": series, "attention_mask": mask}, owner.astype(np.int64))

    def _for_family(self, raws: Raws, rng: np.random.Generator | None) -> Prepared:
        family, length = FAMILIES[self.family], self.length * round(HOP * self.rate)
        wholes = [self._stepped(raw)[:, 0] for raw in raws]
        parts = [[whole[a : a + length] for a in starts(len(whole), length, rng)] for whole in wholes]
        owner = np.repeat(np.arange(len(raws)), [len(each) for each in parts])
        flat = [part for each in parts for part in each]
        made = [family.features(part, length, self.mels) for part in flat]
        shape = (len(flat), *family.shape(length, self.mels))
        points = np.array([len(part) for part in flat], np.int64)
        sound = np.reshape(np.array(made, np.float32), shape)
        return Prepared({"sound": sound, "points": points}, owner.astype(np.int64))

    def _stepped(self, raw: Raw) -> Float[np.ndarray, "u c"]:
        """The samples after the steps."""
        samples = np.asarray(raw, np.float32)
        if samples.ndim != 2 or samples.shape[1] != self.channels:
            raise DataError(f"A sound of shape {list(samples.shape)} came where [time, {self.channels}] is expected.")
        for step in self.steps:
            samples = sounds.STEPS[step](samples, self.rate)
        return samples

    def spectrum(self, raw: Raw) -> Float[np.ndarray, "f w"]:
        """The log-mel spectrum after the steps, channel beside channel."""
        samples = self._stepped(raw)
        return np.concatenate([sounds.log_mel(channel, self.rate, self.mels) for channel in samples.T], axis=1)

    def _windows(self, raw: Raw, rng: np.random.Generator | None) -> list[Float[np.ndarray, "u w"]]:
        whole = self.spectrum(raw)
        if self.mean:
            whole = ((whole - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)).astype(np.float32)
        if len(whole) < 2:
            whole = np.concatenate([whole, whole])
        return [whole[a : a + self.length] for a in starts(len(whole), self.length, rng)]

    def together(self, raws: Sequence[Raw]) -> list[Int[np.ndarray, " _"]]:
        """Which sounds to prepare together, so that little is padding: alike in length, and not too many."""
        return alike(1 + np.array([len(raw) for raw in raws]) // round(HOP * self.rate), BUDGET)

    def without(self, raw: Float[np.ndarray, "t c"], part: tuple[int, int]) -> Float[np.ndarray, "t c"]:
        """The sound with silence from sample `part[0]` up to, not including, `part[1]`."""
        changed = np.array(raw, np.float32)
        changed[part[0] : part[1]] = 0
        return changed

    def config(self) -> dict[str, Any]:
        """Plain JSON values; `modality_from` undoes it."""
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {"name": self.name, **values}


def heard(paths: Sequence[Any], origin: str, *, rate: float | None = None) -> tuple[AudioModality, list[str]]:
    """What reads these sounds, and what was found: the rate that most of them have, at most 16,000.

    Raises:
        DataError: none of the sounds looked at can be read.
    """
    if rate is not None:
        return AudioModality(rate=int(rate)), []
    some = [paths[int(i)] for i in np.linspace(0, len(paths) - 1, min(SAMPLE, len(paths))).astype(int)]
    rates = Counter(found for path in some if path is not None and (found := sounds.rate_of(path)))
    if not rates:
        raise DataError(f"{origin}: none of the sounds looked at can be read; the first is {some[0]}.")
    usual = min(rates.most_common(1)[0][0], HIGHEST)
    had = ", ".join(f"{each:,} a second ({count} of {len(some)})" for each, count in rates.most_common())
    note = f"{origin}: samples: {had}; all are brought to {usual:,}. Another rate: rate={usual} (--rate)."
    return AudioModality(rate=usual), [note] if len(rates) > 1 or usual not in rates else []


def _of_array(source: Any, called: str) -> Float[np.ndarray, "t c"]:
    try:
        given = np.asarray(source)
        samples = given.astype(np.float32)
    except (ValueError, TypeError):
        raise UnreadableItem(
            called, "is no sound: a file, or an array [time] or [time, channels], is expected"
        ) from None
    if samples.ndim not in (1, 2) or 0 < len(samples) < samples.size // len(samples):
        raise UnreadableItem(called, f"has shape {list(samples.shape)} where [time] or [time, channels] is expected")
    if given.dtype.kind in "iu" and given.dtype.itemsize < 8:
        kinds = np.iinfo(given.dtype)
        samples = np.float32(2) * (samples - (kinds.min + kinds.max + 1) // 2) / np.float32(kinds.max - kinds.min + 1)
    return samples[:, None] if samples.ndim == 1 else samples
