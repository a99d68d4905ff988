"""Twins of series: trained, saved and asked; padding and windows change nothing; distortions keep what they promise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import gemel
from gemel.errors import RecipeError
from gemel.items import Collection, SeriesModality, read
from gemel.items.lengths import starts
from gemel.learn.encoders import build
from gemel.learn.encoders.text import Pooling
from gemel.learn.outset import outset
from gemel.learn.parts import shares_identities
from gemel.learn.train import train
from gemel.learn.waves import Waves
from gemel.recipe import Recipe
from tests.learn.killing import assert_resumes

QUICK = Recipe(width=8, depth=2, dim=16, steps=60, checks=4, lr=5e-3, precision="fp32", identities=8)
CHOSEN = QUICK.but(norm="batch", cell="gru", pooling="mean", distance="cosine")


def strokes(identities: int = 24, items: int = 6, seed: int = 0) -> Collection:
    """Every identity is two tones; an item is a stretch of them of any length, with noise."""
    rng = np.random.default_rng(seed)
    series, labels = [], []
    for identity in range(identities):
        rate, phase = rng.uniform(0.1, 1.2, 2), rng.uniform(0, 2 * np.pi, 2)
        for _ in range(items):
            time = np.arange(int(rng.integers(40, 60)))[:, None]
            series.append(np.sin(time * rate + phase) + 0.2 * rng.normal(size=(len(time), 2)))
            labels.append(f"p{identity}")
    return read(series, labels=labels)


@pytest.mark.parametrize("encoder", ["residual", "delay", "recurrent"])
def test_a_twin_of_series_is_trained_saved_and_asked(encoder: str, tmp_path: Path) -> None:
    data = strokes()
    twin = train(data, QUICK.but(encoder=encoder, prepare="velocity"), progress=False)
    twin.save(tmp_path / "s.gemel")
    back = gemel.Siamese.load(tmp_path / "s.gemel")
    others = strokes(12, seed=7)
    assert gemel.evaluate(back, others).verification.auc > 0.85
    one, other = others.load(0), others.load(1)
    assert back.verify(one, other).distance == pytest.approx(float(twin.distance(one, other)), abs=1e-6)
    assert back.distance(one[:, :2].copy(), one) == pytest.approx(0, abs=1e-6)
    np.save(tmp_path / "a.npy", one)
    assert back.distance(str(tmp_path / "a.npy"), one) == pytest.approx(0, abs=1e-6)
    assert "Compares series by" in back.describe()


@pytest.mark.parametrize("encoder", ["residual", "delay", "recurrent"])
@pytest.mark.parametrize("norm", ["batch", "group"])
@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("pooling", ["mean", "statistics"])
def test_an_embedding_does_not_depend_on_padding(encoder: str, norm: str, mode: str, pooling: str) -> None:
    torch.manual_seed(0)
    modality = SeriesModality(channels=2)
    network = build(CHOSEN.but(encoder=encoder, norm=norm, pooling=pooling), modality)
    chance = np.random.default_rng(0)
    raws = [chance.normal(size=(n, 2)).astype(np.float32) for n in (5, 12, 9)]
    inputs = {name: torch.from_numpy(x) for name, x in modality.prepare(raws).arrays.items()}
    network.train(mode == "train")
    wanted = network(**inputs)
    noisy = torch.where(inputs["attention_mask"][..., None] > 0, inputs["series"], 0.0)
    padded = {
        "series": torch.nn.functional.pad(noisy, (0, 0, 0, 6)),
        "attention_mask": torch.nn.functional.pad(inputs["attention_mask"], (0, 6)),
    }
    torch.testing.assert_close(network(**padded), wanted, atol=2e-6, rtol=1e-5)


def test_statistics_are_mean_and_deviation_of_what_is_there() -> None:
    x = torch.randn(2, 11, 3)
    mask = (torch.arange(11) < torch.tensor([[8], [11]])).long()
    found = Pooling("statistics", 3)(x, mask)
    for row, length in enumerate((8, 11)):
        there = x[row, :length]
        wanted = torch.cat([there.mean(0), there.std(0, correction=0)])
        torch.testing.assert_close(found[row], wanted, atol=1e-4, rtol=1e-4)


def test_an_item_longer_than_a_window_is_the_mean_of_its_windows() -> None:
    twin = train(strokes(), QUICK.but(encoder="delay", steps=10, length=20), progress=False)
    raw = strokes(1, 1, seed=3).load(0)
    parts = [twin.embed(raw[start : start + 20]).vectors[0] for start in starts(len(raw), 20, None)]
    assert len(parts) > 2
    np.testing.assert_allclose(twin.embed(raw).vectors[0], np.mean(parts, 0), atol=1e-5)


def test_a_killed_run_resumes(tmp_path: Path) -> None:
    recipe = QUICK.but(encoder="delay", steps=20, length=30, warp=0.1, crop=0.2, jitter=0.1, gain=0.2, bend=0.2)
    assert_resumes(strokes, recipe, 11, tmp_path)


def test_a_killed_run_resumes_where_nothing_is_held_out(tmp_path: Path) -> None:
    begun = assert_resumes(lambda: strokes(6), QUICK.but(encoder="delay", steps=12), 7, tmp_path)
    assert begun.learner.held_out is None


def test_what_is_lacking_and_what_is_long_is_said() -> None:
    data = strokes(6)
    holed = [data.load(i).copy() for i in range(len(data))]
    holed[0][3, 0] = np.nan
    begun = outset(read(holed, labels=[f"p{i // 6}" for i in range(len(holed))]), QUICK.but(length=30))
    said = "\n".join(begun.notes)
    assert "1 of 36 training series looked at lack values, which are interpolated" in said
    assert "36 of 36 training series looked at are longer than 30 points" in said


def test_choices_about_other_items_are_refused() -> None:
    with pytest.raises(RecipeError, match="size = 32 is about image items, and these are of modality series"):
        outset(strokes(6), QUICK.but(size=32))
    with pytest.raises(RecipeError, match="did you mean velocity"):
        outset(strokes(6), QUICK.but(prepare="velocty"))
    with pytest.raises(RecipeError, match="encoders for them: residual, delay, frames, statistics, recurrent"):
        outset(strokes(6), QUICK.but(encoder="conv"))


def test_a_twin_to_start_from_prepares_alike() -> None:
    first = train(strokes(), QUICK.but(encoder="delay", steps=5, prepare="velocity"), progress=False)
    begun = outset(strokes(seed=1), Recipe(steps=5), start=first)
    assert begun.modality == first.modality
    with pytest.raises(RecipeError, match="prepares items by velocity"):
        outset(strokes(seed=1), Recipe(steps=5, prepare="zscore"), start=first)


def test_modalities_set_up_by_hand_are_kept() -> None:
    data = strokes(6)
    data = data.with_(modality=SeriesModality(channels=2, steps=("zscore",), length=25))
    begun = outset(data, QUICK)
    assert isinstance(begun.modality, SeriesModality)
    assert begun.modality.steps == ("zscore",)
    assert begun.modality.length == 25
    assert begun.recipe.prepare == "zscore"


def test_splits_that_share_their_identities_ask_for_the_closed_protocol() -> None:
    data = strokes(6)
    split = gemel.Labels.of(["train", "test"] * (len(data) // 2))
    shared = data.with_(split=split)
    assert shares_identities(shared)
    assert outset(shared, QUICK).recipe.protocol == "closed"
    apart = gemel.Labels.of(["train"] * 18 + ["test"] * 18)
    assert not shares_identities(data.with_(split=apart))
    assert outset(data, QUICK).recipe.protocol == "open"


def test_windows_of_a_recording_never_cross_a_split(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for who in ("fan", "pump"):
        for number in range(10):
            (tmp_path / who).mkdir(exist_ok=True)
            np.save(tmp_path / who / f"{number}.npy", rng.normal(size=(100, 1)).astype(np.float32))
    data = read(tmp_path, window=20, hop=10)
    begun = outset(data, QUICK.but(protocol="closed"))
    assert begun.learner.held_out is not None
    assert begun.calibrating is not None
    parts = [begun.learning, begun.learner.held_out.data, begun.calibrating]
    recordings = [
        {name.partition("[")[0] for name in (part.names if i == 1 else [part.name(k) for k in range(len(part))])}
        for i, part in enumerate(parts)
    ]
    assert all(recordings)
    assert not recordings[0] & recordings[1]
    assert not recordings[0] & recordings[2]
    assert not recordings[1] & recordings[2]


EACH: dict[str, Any] = {"jitter": 0.3, "gain": 0.5, "crop": 0.5, "warp": 0.2, "bend": 0.5}


@pytest.mark.parametrize("name", EACH)
def test_every_distortion_follows_the_seed_and_stays_within_the_series(name: str) -> None:
    torch.manual_seed(0)
    mask = (torch.arange(30) < torch.tensor([[30], [12], [2]])).long()
    series = torch.randn(3, 30, 2) * mask[..., None]
    wave = Waves(**{name: EACH[name]})
    one, again, other = wave(series, mask, 1), wave(series, mask, 1), wave(series, mask, 2)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert not torch.equal(one, series)
    assert (one[mask == 0] == 0).all()
    assert torch.isfinite(one).all()
    half = wave(series[1:], mask[1:], 1, slice(1, 3), 3)
    torch.testing.assert_close(half, one[1:])


def test_time_never_runs_back_and_values_stay_between_those_given() -> None:
    mask = torch.ones(5, 40, dtype=torch.long)
    ramp = torch.arange(40.0).expand(5, 40)[..., None]
    for seed in range(20):
        moved = Waves(warp=0.5, crop=0.5)(ramp, mask, seed)
        assert (moved.diff(dim=1) >= -1e-4).all()
        assert moved.min() >= 0
        assert moved.max() <= 39
    assert torch.equal(Waves()(ramp, mask, 1), ramp)
    kept = Waves(crop=0.2)(ramp, mask, 3)
    assert (kept[:, -1] - kept[:, 0] >= 39 * 0.8 - 1e-3).all()


def test_units_come_from_the_training_split_alone() -> None:
    data = strokes(24)
    loud = [data.load(i) * (100 if i >= 72 else 1) for i in range(len(data))]
    split = gemel.Labels.of(["train"] * 72 + ["stop"] * 36 + ["calibrate"] * 36)
    whole = read(loud, labels=[f"p{i // 6}" for i in range(len(loud))]).with_(split=split)
    modality = outset(whole, QUICK.but(protocol="open")).modality
    assert isinstance(modality, SeriesModality)
    assert max(modality.std) < 2
    assert replace(modality, mean=(), std=()) != modality
