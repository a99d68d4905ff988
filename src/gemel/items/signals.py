"""Named steps from a series as it was read to the one that is encoded. Pure functions of one array; no files.

A step is written as its name, or as name=number; several are done in the order they are written in.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gemel.errors import RecipeError

if TYPE_CHECKING:
    from jaxtyping import Float

TINY = 1e-8
"""What is divided by at least, so that a constant channel becomes zero and not NaN."""


def prepared(series: Float[np.ndarray, "t c"], steps: Sequence[str]) -> Float[np.ndarray, "u d"]:
    """A series after some steps.

    >>> prepared(np.array([[1.0], [3.0]]), ["centre", "velocity"])
    array([[-1.,  2.],
           [ 1.,  2.]])
    """
    for step in steps:
        name, _, number = step.partition("=")
        series = NUMBERED[name](series, int(number)) if number else PLAIN[name](series)
    return series


def refuse_unknown(steps: Sequence[str], channels: int) -> None:
    """Raises RecipeError for a step that does not exist, lacks its number, or needs more channels."""
    for step in steps:
        name, mark, number = step.partition("=")
        if name not in PLAIN and name not in NUMBERED:
            near = difflib.get_close_matches(name, [*PLAIN, *NUMBERED], n=1)
            hint = f"did you mean {near[0]}? There" if near else "there"
            raise RecipeError(
                f"There is no step {name!r} that prepares a series; {hint} are {', '.join([*PLAIN, *NUMBERED])}."
            )
        if bool(mark) != (name in NUMBERED) or (mark and not (number.isdecimal() and int(number) > 1)):
            wanted = f"{name}=NUMBER, above 1" if name in NUMBERED else f"{name}, without a number"
            raise RecipeError(f"The step {step!r} that prepares a series must be written {wanted}.")
        if name in ("origin", "angle", "speed", "acceleration") and channels < 2:
            raise RecipeError(f"The step {name!r} is about a path of two channels, x and y; this series has one.")


def centred(series: Float[np.ndarray, "t c"]) -> Float[np.ndarray, "t c"]:
    """Each channel without its mean."""
    return series - series.mean(0)


def at_origin(series: Float[np.ndarray, "t c"]) -> Float[np.ndarray, "t c"]:
    """The path of the first two channels moved to a mean of 0, its size kept; other channels as they are."""
    return np.concatenate([centred(series[:, :2]), series[:, 2:]], 1)


def standardised(series: Float[np.ndarray, "t c"]) -> Float[np.ndarray, "t c"]:
    """Each channel with mean 0 and standard deviation 1 over this series; a constant one is 0."""
    return centred(series) / np.maximum(series.std(0), TINY * (1 + np.abs(series).max(0)))


def in_proportion(series: Float[np.ndarray, "t c"]) -> Float[np.ndarray, "t c"]:
    """All channels divided by the largest of their standard deviations, so that their proportions stay."""
    return series / np.maximum(series.std(0).max(), TINY)


def detrended(series: Float[np.ndarray, "t c"]) -> Float[np.ndarray, "t c"]:
    """Each channel without the straight line that fits it best."""
    if len(series) < 2:
        return centred(series)
    time = np.arange(len(series)) - (len(series) - 1) / 2
    return centred(series) - time[:, None] * (time @ series) / (time @ time)


def derivative(series: Float[np.ndarray, "t c"]) -> Float[np.ndarray, "t c"]:
    """How much each channel changes from point to point, by central differences."""
    return np.gradient(series, axis=0) if len(series) > 1 else np.zeros_like(series)


def with_velocity(series: Float[np.ndarray, "t c"]) -> Float[np.ndarray, "t d"]:
    """With the derivative of each channel as further channels."""
    return np.concatenate([series, derivative(series)], 1)


def with_speed(series: Float[np.ndarray, "t c"]) -> Float[np.ndarray, "t d"]:
    """With the speed along the path of the first two channels as a further one, as log(1 + speed)."""
    moved = derivative(series[:, :2])
    return np.concatenate([series, np.log1p(np.hypot(moved[:, :1], moved[:, 1:]))], 1)


def with_acceleration(series: Float[np.ndarray, "t c"]) -> Float[np.ndarray, "t d"]:
    """With the acceleration along and across the path of the first two channels as a further one, as log(1 + a)."""
    pushed = derivative(derivative(series[:, :2]))
    return np.concatenate([series, np.log1p(np.hypot(pushed[:, :1], pushed[:, 1:]))], 1)


def with_duration(series: Float[np.ndarray, "t c"]) -> Float[np.ndarray, "t d"]:
    """With the logarithm of how many points there are as a further channel, the same at every point."""
    return np.concatenate([series, np.full((len(series), 1), np.log(len(series)))], 1)


def with_angle(series: Float[np.ndarray, "t c"]) -> Float[np.ndarray, "t d"]:
    """With cosine and sine of the direction in which the path of the first two channels goes; 0 and 0 at rest."""
    moved = derivative(series[:, :2])
    return np.concatenate([series, moved / np.maximum(np.hypot(moved[:, :1], moved[:, 1:]), TINY)], 1)


def compressed(series: Float[np.ndarray, "t c"]) -> Float[np.ndarray, "t c"]:
    """Large values made smaller, with their sign: sign(x) · log(1 + |x|)."""
    return np.sign(series) * np.log1p(np.abs(series))


def spectrum(series: Float[np.ndarray, "t c"]) -> Float[np.ndarray, "f c"]:
    """How strong each frequency is, from none to half the rate, as log(1 + magnitude); phase is dropped."""
    return np.log1p(np.abs(np.fft.rfft(centred(series) * np.hanning(len(series) + 2)[1:-1, None], axis=0)))


def spectrogram(series: Float[np.ndarray, "t c"], size: int) -> Float[np.ndarray, "w d"]:
    """The spectra of windows of so many points, half of them overlapping; channels are frequencies of channels."""
    if len(series) < size:
        series = np.concatenate([series, np.zeros((size - len(series), series.shape[1]), series.dtype)])
    windows = np.lib.stride_tricks.sliding_window_view(series, size, axis=0)[:: max(1, size // 2)]
    strength = np.log1p(np.abs(np.fft.rfft(windows * np.hanning(size + 2)[1:-1], axis=2)))
    return strength.reshape(len(windows), -1)


def resampled(series: Float[np.ndarray, "t c"], points: int) -> Float[np.ndarray, "p c"]:
    """So many points for any length: each the mean of its share of the time, in straight lines between what is given.

    Averages where points become fewer, so that nothing aliases, and interpolates where they become more.
    """
    t = len(series)
    if t == points:
        return series
    if t < points:
        place = np.linspace(0, t - 1, points)
        return np.stack([np.interp(place, np.arange(t), channel) for channel in series.T], 1)
    total = np.concatenate([np.zeros((1, series.shape[1])), np.cumsum(series, 0, np.float64)])
    edges = np.linspace(0, t, points + 1)
    up_to = np.stack([np.interp(edges, np.arange(t + 1), channel) for channel in total.T], 1)
    return np.diff(up_to, axis=0) * (points / t)


def regular(series: Float[np.ndarray, "t c"], stamps: Float[np.ndarray, " t"], rate: float) -> Float[np.ndarray, "u c"]:
    """A series with time stamps at a regular rate, in straight lines between what is given.

    Args:
        stamps: when each point was taken, never falling.
        rate: points in one unit of the stamps.
    """
    kept = np.concatenate([[True], np.diff(stamps) > 0])
    stamps, series = stamps[kept], series[kept]
    times = stamps[0] + np.arange(int((stamps[-1] - stamps[0]) * rate + 1e-6) + 1) / rate
    return np.stack([np.interp(times, stamps, channel) for channel in series.T], 1)


def interpolated(series: Float[np.ndarray, "t c"]) -> Float[np.ndarray, "t c"]:
    """Missing values (NaN) on the straight line between their neighbours, at the ends as the nearest one.

    Each channel must hold at least one value.
    """
    if not np.isnan(series).any():
        return series
    time = np.arange(len(series))
    filled = series.copy()
    for channel in filled.T:
        lost = np.isnan(channel)
        channel[lost] = np.interp(time[lost], time[~lost], channel[~lost])
    return filled


PLAIN: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "centre": centred,
    "origin": at_origin,
    "zscore": standardised,
    "proportion": in_proportion,
    "detrend": detrended,
    "difference": derivative,
    "velocity": with_velocity,
    "speed": with_speed,
    "acceleration": with_acceleration,
    "angle": with_angle,
    "duration": with_duration,
    "log": compressed,
    "spectrum": spectrum,
}
"""Steps without a number."""

NUMBERED: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {"resample": resampled, "spectrogram": spectrogram}
"""Steps with a number."""
