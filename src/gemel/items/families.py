"""Sounds as pretrained families want them: the waveform itself, or the spectra of Whisper and of AST; always one size.

What a family's own feature extractor computes, in NumPy (transformers has it in PyTorch and needs much to import).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float

FRAME, HOP = 400, 160
"""Samples of a frame, and from one frame to the next, of both kinds of spectra."""


def wave(samples: Float[np.ndarray, " t"], length: int, mels: int) -> Float[np.ndarray, " l"]:
    """Of mean 0 and variance 1, zeros behind its end: wav2vec 2.0, HuBERT, WavLM."""
    out = np.zeros(length, np.float32)
    out[: len(samples)] = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    return out


def whisper(samples: Float[np.ndarray, " t"], length: int, mels: int) -> Float[np.ndarray, "m f"]:
    """Decibels but for a factor, the loudest 80 of them, around 0; of as much silence as fills the length."""
    whole = np.zeros(length, np.float64)
    whole[: len(samples)] = samples
    padded = np.pad(whole, FRAME // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP][: length // HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(FRAME + 1)[:-1], FRAME)) ** 2
    log = np.log10(np.maximum(power @ _slaney(mels), 1e-10)).T
    return ((np.maximum(log, log.max() - 8) + 4) / 4).astype(np.float32)


def ast(samples: Float[np.ndarray, " t"], length: int, mels: int) -> Float[np.ndarray, "f m"]:
    """Log-mel as Kaldi has it, zeros behind the end; in the units of AudioSet."""
    samples = np.pad(samples.astype(np.float64), (0, max(0, FRAME - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
    frames = frames - frames.mean(1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    power = np.abs(np.fft.rfft((frames - 0.97 * before) * np.hanning(FRAME), 512)) ** 2
    log = np.log(np.maximum(power @ _kaldi(mels), np.finfo(np.float32).eps))
    out = np.zeros((length // HOP, mels))
    out[: len(log)] = log[: len(out)]
    return ((out + 4.2677393) / (2 * 4.5689974)).astype(np.float32)


@dataclass(frozen=True)
class Family:
    """How a family wants a sound.

    Attributes:
        features: samples, the length they are filled up to, and bands → what is encoded.
        shape: length and bands → its shape.
    """

    features: Callable[[Float[np.ndarray, " t"], int, int], np.ndarray]
    shape: Callable[[int, int], tuple[int, ...]]


FAMILIES = {
    "wave": Family(wave, lambda length, mels: (length,)),
    "whisper": Family(whisper, lambda length, mels: (mels, length // HOP)),
    "ast": Family(ast, lambda length, mels: (length // HOP, mels)),
}
RATE = 16_000
"""Samples in a second that all of them want."""


@lru_cache(maxsize=4)
def _slaney(mels: int) -> Float[np.ndarray, "p m"]:
    """Triangles of equal area, linear below 1 kHz and logarithmic above (Slaney's Auditory Toolbox)."""
    top = 15 + np.log(RATE / 2 / 1000) * 27 / np.log(6.4)
    marks = np.linspace(0, top, mels + 2)
    edges = np.where(marks < 15, 200 * marks / 3, 1000 * np.exp(np.log(6.4) / 27 * (marks - 15)))
    at = np.linspace(0, RATE / 2, FRAME // 2 + 1)[:, None]
    rising, falling = (at - edges[:-2]) / np.diff(edges[:-1]), (edges[2:] - at) / np.diff(edges[1:])
    return np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])


@lru_cache(maxsize=4)
def _kaldi(mels: int) -> Float[np.ndarray, "p m"]:
    """Triangles on the mel scale of Kaldi, from 20 Hz, their sides straight on that scale."""
    mel = 1127 * np.log(1 + np.linspace(0, RATE / 2, 257) / 700)[:, None]
    edges = np.linspace(1127 * np.log(1 + 20 / 700), 1127 * np.log(1 + RATE / 2 / 700), mels + 2)
    rising, falling = (mel - edges[:-2]) / np.diff(edges[:-1]), (edges[2:] - mel) / np.diff(edges[1:])
    return np.maximum(0, np.minimum(rising, falling))
