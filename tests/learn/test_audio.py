"""Twins of sounds: trained, saved and asked; padding changes nothing; distortions keep what they promise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import gemel
from gemel.errors import RecipeError
from gemel.items import AudioModality, Collection, read
from gemel.learn.encoders import build
from gemel.learn.outset import outset
from gemel.learn.spectra import Spectra
from gemel.learn.train import train
from gemel.learn.waves import Waves
from gemel.recipe import Recipe
from gemel.report import write_report
from tests.learn.killing import assert_resumes

RATE = 8000
QUICK = Recipe(width=8, depth=3, dim=16, steps=60, checks=3, lr=5e-3, precision="fp32", identities=8, items=4)


def calls(identities: int = 20, items: int = 6, seed: int = 0) -> Collection:
    """Every identity is a chord of three tones; an item is some of it, at any loudness, with noise."""
    rng = np.random.default_rng(seed)
    sounds, labels = [], []
    for identity in range(identities):
        hertz = np.exp(rng.uniform(np.log(200), np.log(3000), 3))
        for _ in range(items):
            time = np.arange(int(rng.integers(1500, 3000)))[:, None] / RATE
            chord = np.sin(2 * np.pi * hertz * time + rng.uniform(0, 6, 3)).sum(1) * rng.uniform(0.05, 0.3)
            sounds.append((chord + 0.01 * rng.normal(size=len(chord))).astype(np.float32))
            labels.append(f"p{identity}")
    return read(sounds, labels=labels, kind="audio", rate=RATE)


@pytest.mark.parametrize("encoder", ["conv", "residual", "recurrent"])
def test_a_twin_of_sounds_is_trained_saved_and_asked(encoder: str, tmp_path: Path) -> None:
    twin = train(calls(), QUICK.but(encoder=encoder, prepare="level", depth=2), progress=False)
    twin.save(tmp_path / "a.gemel")
    back = gemel.Siamese.load(tmp_path / "a.gemel")
    others = calls(12, seed=7)
    assert gemel.evaluate(back, others).verification.auc > 0.85
    one, other = others.source(0), others.source(1)
    soundfile.write(tmp_path / "one.wav", one, RATE, subtype="FLOAT")
    assert back.distance(tmp_path / "one.wav", one) == pytest.approx(0, abs=1e-5)
    assert back.verify(one, other).distance == pytest.approx(float(twin.distance(one, other)), abs=1e-6)
    assert "Compares sounds by" in back.describe()
    page = write_report(tmp_path / "a.html", back, others).read_text(encoding="utf-8")
    assert "data:image/svg+xml" in page


@pytest.mark.parametrize("norm", ["batch", "group"])
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_an_embedding_does_not_depend_on_padding(norm: str, mode: str) -> None:
    torch.manual_seed(0)
    modality = AudioModality(rate=RATE, mels=12)
    recipe = QUICK.but(encoder="conv", norm=norm, pooling="mean", distance="cosine")
    network = build(recipe, modality)
    chance = np.random.default_rng(0)
    raws = [chance.normal(size=(n, 1)).astype(np.float32) for n in (700, 2000, 1313)]
    inputs = {name: torch.from_numpy(x) for name, x in modality.prepare(raws).arrays.items()}
    network.train(mode == "train")
    wanted = network(**inputs)
    padded = {
        "series": torch.nn.functional.pad(inputs["series"], (0, 0, 0, 7)),
        "attention_mask": torch.nn.functional.pad(inputs["attention_mask"], (0, 7)),
    }
    torch.testing.assert_close(network(**padded), wanted, atol=2e-6, rtol=1e-5)


def test_which_band_is_which_is_seen() -> None:
    torch.manual_seed(0)
    network = build(
        QUICK.but(encoder="conv", norm="batch", pooling="mean", distance="cosine"), AudioModality(rate=RATE, mels=16)
    ).eval()
    inputs = network.example(4)
    moved = {**inputs, "series": inputs["series"].roll(8, 2)}
    assert not torch.allclose(network(**inputs), network(**moved), atol=1e-3)


def test_a_killed_run_resumes(tmp_path: Path) -> None:
    recipe = QUICK.but(steps=16, length=15, bands=0.3, gaps=0.3, snr=5.0, warp=0.1)
    assert_resumes(lambda: calls(10, 4), recipe, 9, tmp_path)


def test_long_sounds_and_choices_of_others_are_said() -> None:
    said = "\n".join(outset(calls(8), QUICK.but(length=10)).notes)
    assert "48 of 48 training sounds looked at are longer than 0.1 s" in said
    with pytest.raises(RecipeError, match="size = 32 is about image items"):
        outset(calls(8), QUICK.but(size=32))
    with pytest.raises(RecipeError, match=r"snr = 5.0 is about audio items"):
        outset(read(np.random.default_rng(0).normal(size=(40, 5)), labels=[0, 1] * 20), QUICK.but(snr=5.0))
    with pytest.raises(RecipeError, match="did you mean trim"):
        outset(calls(8), QUICK.but(prepare="trimm"))


def spectra(n: int = 400) -> tuple[torch.Tensor, torch.Tensor]:
    mask = (torch.arange(30)[None] < torch.randint(10, 31, (n, 1), generator=torch.Generator().manual_seed(0))).long()
    series = torch.randn(n, 30, 16, generator=torch.Generator().manual_seed(1)) + 3
    return series * mask[..., None], mask


HOW: dict[str, Spectra] = {
    "bands": Spectra(bands=0.5, wide=(1.0,) * 8),
    "gaps": Spectra(gaps=0.5, wide=(1.0,) * 8),
    "snr": Spectra(snr=0.0, mean=(0.0,) * 16, std=(1.0,) * 16, wide=tuple(np.linspace(0.5, 1.5, 8))),
    "waves": Spectra(waves=Waves(gain=0.3, warp=0.2), wide=(1.0,) * 8),
}


@pytest.mark.parametrize("name", HOW)
def test_distortions_come_from_the_seed_and_leave_padding_alone(name: str) -> None:
    series, mask = spectra()
    changed = HOW[name](series, mask, 5)
    assert not torch.equal(changed, series)
    torch.testing.assert_close(HOW[name](series, mask, 5), changed, rtol=0, atol=0)
    assert not torch.equal(HOW[name](series, mask, 6), changed)
    torch.testing.assert_close(HOW[name](series[3:7], mask[3:7], 5, slice(3, 7), 400), changed[3:7])
    assert not changed[mask == 0].any()
    assert Spectra()(series, mask, 5) is series


def test_a_blank_is_one_stretch_of_up_to_the_share_asked_for() -> None:
    series, mask = spectra(2000)
    series, mask = series.abs() + 1, torch.ones_like(mask)
    bands = HOW["bands"](series, mask, 1) == 0
    assert (bands.all(1) == bands.any(1)).all()
    lost = bands[:, 0].reshape(2000, 2, 8)
    assert (lost[:, 0] == lost[:, 1]).all()  # the same bands of both channels
    shares = lost[:, 0].float().mean(1)
    assert shares.max() <= 0.5 + 1 / 8
    assert shares.mean().item() == pytest.approx(0.25, abs=0.03)
    edges = (lost[:, 0].int().diff(dim=1) != 0).sum(1)
    assert edges.max() <= 2
    gaps = (HOW["gaps"](series, mask, 1) == 0).all(2)
    assert gaps.float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert ((gaps.int().diff(dim=1) != 0).sum(1) <= 2).all()


def test_noise_has_the_power_that_was_asked_for_in_the_shape_of_white_noise() -> None:
    series, mask = spectra(2000)
    power = series.exp() * mask[..., None]
    added = HOW["snr"](series, mask, 1).exp() * mask[..., None] - power
    loud = power.sum((1, 2)) / mask.sum(1) / 16
    noise = added.sum((1, 2)) / mask.sum(1) / 16
    decibels = 10 * torch.log10(loud / noise)
    assert decibels.min() > -0.1
    assert decibels.max() < 40.1
    assert decibels.mean().item() == pytest.approx(20, abs=1)
    shape = added[:, 0].reshape(2000, 2, 8).mean((0, 1))
    np.testing.assert_allclose(shape / shape.mean(), HOW["snr"].wide, rtol=1e-3)
