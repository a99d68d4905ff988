"""Sounds as arrays: read through libsndfile, brought to a rate, trimmed, and turned into log-mel spectra.

Pure functions of files and arrays; the libraries are imported when a sound is read.
"""

from __future__ import annotations

import difflib
import io
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import RecipeError, UnreadableItem, require

if TYPE_CHECKING:
    from jaxtyping import Float

FRAME, HOP = 0.025, 0.010
"""Seconds of a frame, and from one frame to the next."""
LOWEST = 20.0
"""Hertz below which nothing is looked at."""
FLOOR = 1e-10
"""The least power that a logarithm is taken of."""
SILENCE = 40.0
"""Decibels below the loudest frame from which on a frame at either end is silence."""
LEVEL = 0.1
"""Root mean square that `level` brings a sound to."""


def read(source: Any, called: str) -> tuple[Float[np.ndarray, "t c"], int]:
    """The samples of a file, -1 to 1, and how many there are in a second.

    Args:
        source: a path, or bytes of a file.
        called: what it is called in messages.

    Raises:
        UnreadableItem: no file, no sound, an empty one, or one that is cut off.
        MissingExtra: libsndfile's Python package is not installed.
    """
    file: Any = require("soundfile", extra="audio", purpose="read sounds")
    opened = io.BytesIO(source) if isinstance(source, bytes) else str(source)
    if isinstance(opened, str) and not Path(opened).is_file():
        raise UnreadableItem(called, "there is no such file")
    _refuse_cut_off(source, called)
    try:
        with file.SoundFile(opened) as sound:
            samples = sound.read(dtype="float32", always_2d=True)
            if len(samples) < sound.frames < 2**62:
                raise UnreadableItem(called, f"ends after {len(samples):,} of {sound.frames:,} samples")
            return samples, int(sound.samplerate)
    except (file.LibsndfileError, RuntimeError) as error:
        raise UnreadableItem(called, f"is no sound that can be read ({str(error).rpartition(': ')[2]})") from None


def _refuse_cut_off(source: Any, called: str) -> None:
    """Raises UnreadableItem for a WAV file with fewer samples than it claims, which libsndfile passes over.

    A recorder that writes to a pipe knows no size, and claims none or the largest.
    """
    with io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        start = file.read(12)
        if (start[:4], start[8:]) != (b"RIFF", b"WAVE"):
            return
        while len(head := file.read(8)) == 8:
            claimed, there = int.from_bytes(head[4:], "little"), size - file.tell()
            if head[:4] == b"data":
                if there < claimed < 2**31 - 1:
                    raise UnreadableItem(called, f"ends after {there:,} of {claimed:,} bytes of sound")
                return
            file.seek(claimed + claimed % 2, io.SEEK_CUR)


def rate_of(source: Any) -> int | None:
    """Samples in a second of a file, from its header; None where it is no sound."""
    file: Any = require("soundfile", extra="audio", purpose="read sounds")
    try:
        return int(file.info(io.BytesIO(source) if isinstance(source, bytes) else str(source)).samplerate)
    except (file.LibsndfileError, RuntimeError, TypeError):
        return None


def brought(samples: Float[np.ndarray, "t c"], before: int, after: int) -> Float[np.ndarray, "u c"]:
    """The same sound at another rate, without what that rate cannot hold (soxr, high quality)."""
    if before == after:
        return samples
    soxr: Any = require("soxr", extra="audio", purpose="bring sounds to one rate")
    return np.asarray(soxr.resample(samples, before, after, quality="HQ"), np.float32)


def trimmed(samples: Float[np.ndarray, "t c"], rate: int) -> Float[np.ndarray, "u c"]:
    """Without the silence at its ends: frames 40 dB below the loudest one."""
    size = max(1, round(FRAME * rate))
    power = np.add.reduceat((samples**2).sum(1), np.arange(0, len(samples), size)) / size
    loud = np.flatnonzero(power > max(power.max(), FLOOR) / 10 ** (SILENCE / 10))
    return samples if not len(loud) else samples[loud[0] * size : (loud[-1] + 1) * size]


def levelled(samples: Float[np.ndarray, "t c"], rate: int) -> Float[np.ndarray, "t c"]:
    """As loud as every other sound."""
    return samples * np.float32(LEVEL / max(float(np.sqrt((samples**2).mean())), 1e-6))


STEPS: dict[str, Callable[[Float[np.ndarray, "t c"], int], Float[np.ndarray, "u c"]]] = {
    "trim": trimmed,
    "level": levelled,
}
"""What can be done to a sound before it is encoded."""


def refuse_unknown(steps: Sequence[str]) -> None:
    """Raises RecipeError for a step that does not exist."""
    for step in steps:
        if step not in STEPS:
            near = difflib.get_close_matches(step, STEPS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(STEPS)}."
            raise RecipeError(f"There is no step {step!r} that prepares a sound; {hint}")


def log_mel(samples: Float[np.ndarray, " t"], rate: int, mels: int) -> Float[np.ndarray, "f m"]:
    """The logarithm of the power in each band, frame by frame, float32.

    Frames of 25 ms every 10 ms under a Hann window; triangular bands, evenly spaced on the mel scale from 20 Hz to half
    the rate, 2595 log10(1 + f / 700). A sound shorter than a frame is filled up with zeros.
    """
    size, hop = round(FRAME * rate), round(HOP * rate)
    samples = np.pad(samples, (0, max(0, size - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop]
    bands, points = _bands(rate, mels), _points(rate)
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    power = np.abs(np.fft.rfft(frames * window, points)) ** 2
    return np.log(np.maximum(power.astype(np.float32) @ bands, FLOOR))


def _points(rate: int) -> int:
    """Points of a transform: twice a frame, and a power of two, so that narrow bands hold some of them."""
    return int(2 ** np.ceil(np.log2(2 * FRAME * rate)))


def widths(rate: int, mels: int) -> tuple[float, ...]:
    """How much power white noise has in each band, 1 on average."""
    held = _bands(rate, mels).sum(0)
    return tuple(map(float, held / held.mean()))


@lru_cache(maxsize=8)
def _bands(rate: int, mels: int) -> Float[np.ndarray, "p m"]:
    """How much of each point of a spectrum belongs to each band."""
    low, high = (2595 * np.log10(1 + edge / 700) for edge in (LOWEST, rate / 2))
    edges = 700 * (10 ** (np.linspace(low, high, mels + 2) / 2595) - 1)
    at = np.fft.rfftfreq(_points(rate), 1 / rate)[:, None]
    rising, falling = (at - edges[:-2]) / np.diff(edges[:-1]), (edges[2:] - at) / np.diff(edges[1:])
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
