"""Series and sounds at another speed: shorter or longer, and of sounds higher or lower."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gemel.items import AudioModality, RecordModality, SeriesModality, VectorModality, read
from gemel.learn.outset import outset
from gemel.learn.speed import played
from gemel.recipe import Recipe
from tests.learn.test_series import QUICK, assert_resumes, strokes

RATE = 8000


def tone(hertz: float, seconds: float = 0.5) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE).astype(np.float32)[:, None]


def pitch(sound: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(sound[:, 0] * np.hanning(len(sound)))).argmax() * RATE / len(sound))


class Fixed(np.random.Generator):
    """Says the same number always."""

    def __init__(self, value: float) -> None:
        super().__init__(np.random.PCG64(0))
        self._value = value

    def uniform(self, low: float, high: float, size: int) -> np.ndarray:  # type: ignore[override]
        return np.full(size, self._value)


@pytest.mark.parametrize(("at", "speed"), [(1.0, 1.25), (-1.0, 0.8), (0.0, 1.0)])
def test_a_sound_is_as_much_shorter_as_it_is_higher(at: float, speed: float) -> None:
    (sound,) = played([tone(800)], AudioModality(rate=RATE), 0.25, Fixed(at))
    assert len(sound) == pytest.approx(RATE / 2 / speed, abs=2)
    assert pitch(sound) == pytest.approx(800 * speed, abs=4)
    assert sound.dtype == np.float32


def test_a_series_keeps_its_path() -> None:
    line = np.stack([np.arange(10.0), 5 - np.arange(10.0)], 1).astype(np.float32)
    (fast,) = played([line], SeriesModality(channels=2), 1.0, Fixed(1.0))
    np.testing.assert_allclose(fast, line[::2])
    (slow,) = played([line], SeriesModality(channels=2), 1.0, Fixed(-1.0))
    assert len(slow) == 20
    np.testing.assert_allclose(slow[:19], np.stack([np.arange(19) / 2, 5 - np.arange(19) / 2], 1))
    (short,) = played([line[:2]], SeriesModality(channels=2), 4.0, Fixed(1.0))
    assert len(short) == 2


@pytest.mark.parametrize("there", [slice(None, None, 2), slice(3, 4)])
def test_values_that_lack_take_no_others_along(there: slice) -> None:
    line = np.arange(12.0, dtype=np.float32)[:, None]
    series = np.full_like(line, np.nan)
    series[there] = line[there]
    modality = SeriesModality(channels=1)
    (fast,), (whole,) = (played([each], modality, 0.07, Fixed(1.0)) for each in (series, line))
    known = np.isfinite(series[:, 0])
    expected = np.interp(whole[:, 0], line[known, 0], line[known, 0])[:, None]
    np.testing.assert_allclose(fast, expected, rtol=1e-6)
    modality.prepare([fast])


def test_fields_without_time_stay_as_they_are() -> None:
    modality = RecordModality({"sound": AudioModality(rate=RATE), "price": VectorModality(2)})
    price = np.ones(2, np.float32)
    whole, part = played([{"sound": tone(500), "price": price}, {"price": price}], modality, 0.5, Fixed(1.0))
    assert len(whole["sound"]) == pytest.approx(RATE / 2 / 1.5, abs=2)
    assert whole["price"] is price
    assert list(part) == ["price"]


def test_a_killed_run_at_random_speeds_resumes(tmp_path: Path) -> None:
    assert_resumes(strokes, QUICK.but(encoder="delay", steps=12, speed=0.2), 7, tmp_path)


def test_batches_hold_other_lengths_only_where_it_was_asked_for() -> None:
    data = read([strokes(1, 1).load(0)] * 8, labels=list("aabbccdd"))
    lengths = [
        outset(data, Recipe(speed=speed, holdout=0.0)).learner.steps.batch(0).inputs["attention_mask"].sum(1).unique()
        for speed in (0.0, 0.5)
    ]
    assert (len(lengths[0]), len(lengths[1]) > 1) == (1, True)


def test_speed_alone_makes_two_views_differ() -> None:
    views = Recipe(loss="simclr", encoder="delay", steps=2, speed=0.2, holdout=0.0)
    outset(read([strokes(1, 1, seed=i).load(0) for i in range(8)]), views)
