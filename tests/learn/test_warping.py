"""Frames and a warped head: what aligned channels say is learned, from impostors too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import gemel
from gemel.errors import RecipeError
from gemel.items import Collection, read
from gemel.items.collection import Labels
from gemel.learn.encoders import Encoder, Frames, Head
from gemel.learn.export import export
from gemel.learn.outset import outset
from gemel.learn.pairhead import _pairs_of
from gemel.learn.train import train
from gemel.learn.warping import MOST, _some
from gemel.recipe import Recipe
from gemel.siamese.pairhead import WarpedHead

QUICK = Recipe(encoder="frames", steps=20, checks=2, precision="fp32", prepare="resample=40")


def gestures(people: int = 12, items: int = 6, seed: int = 0) -> Collection:
    """A person's gesture has a shape of its own (1) and a pressure of its own (2), at a pace that varies; whoever
    imitates them has the shape, but not the pressure. What the pen's temperature is (3) says nothing."""
    rng = np.random.default_rng(seed)
    series = []
    for _ in range(people):
        knots, pressure = rng.normal(size=7).cumsum(), rng.normal()
        for item in range(2 * items):
            genuine = item < items
            time = np.linspace(0, 1, int(rng.integers(50, 70))) ** np.exp(rng.normal(0, 0.3))
            shape = np.interp(6 * time, np.arange(7), knots) + rng.normal(0, 0.1, len(time))
            pressed = pressure if genuine else pressure + rng.choice([-1, 1]) * rng.uniform(0.8, 2)
            channels = [shape, pressed + rng.normal(0, 0.2) + 0 * time, rng.normal() + 0 * time]
            series.append(np.stack(channels, 1).astype(np.float32))
    who, names = np.repeat(np.arange(people), 2 * items), tuple(f"p{person}" for person in range(people))
    imitated = np.tile(np.arange(2 * items) >= items, people)
    identity, claimed = Labels(np.where(imitated, -1, who), names), Labels(np.where(imitated, who, -1), names)
    return read(series).with_(identity=identity, impostor_of=claimed)


def test_what_tells_impostors_is_learned(tmp_path: Path) -> None:
    twin = train(gestures(), QUICK, progress=False)
    assert isinstance(twin.head, WarpedHead)
    weight = np.array(twin.head.warping.weight).reshape(2, 3)
    assert weight[0, 1] > 2 * np.abs(weight[:, 2]).max()  # pressure, in units of all; its own units make it a constant
    others = gestures(10, seed=1)
    twin = twin.calibrate(others, refs=3, pool="minimum", normalise=0.5)
    twin.save(tmp_path / "g.gemel")
    back = gemel.Siamese.load(tmp_path / "g.gemel")
    known, genuine, imitated = [others.load(i) for i in range(3)], others.load(4), others.load(7)
    assert back.verify(genuine, refs=known).probability > 0.8
    assert back.verify(imitated, refs=known).probability < 0.2
    assert back.verify(genuine, refs=known).distance == pytest.approx(twin.verify(genuine, refs=known).distance)


def test_impostors_are_among_the_pairs_that_a_head_learns_from() -> None:
    begun = outset(gestures(), QUICK.but(holdout=0.0))
    data = begun.training
    pairs = _pairs_of(begun.learner, np.random.default_rng(0).normal(size=(len(data), 4)).astype(np.float32))
    a, b = pairs.a.numpy(), pairs.b.numpy()
    skilled = (data.identity[a] < 0) | (data.identity[b] < 0)
    assert skilled.sum() == 12 * 6 * 6
    assert not pairs.value[skilled].any()
    same, weight = pairs.value.numpy() > 0.5, pairs.weight.numpy()
    assert weight[same].sum() == pytest.approx(weight[~same].sum(), rel=1e-4)
    assert weight[skilled].sum() == pytest.approx(weight[~same].sum() / 2, rel=1e-4)


def test_an_embedding_is_every_channel_in_two_units(tmp_path: Path) -> None:
    network = Encoder(frames := Frames(3, 5), Head(30, 30, unit=False, plain=True)).eval()
    series = torch.randn(4, 5, 3) * torch.tensor([1.0, 5.0, 0.0]) + torch.tensor([0.0, 2.0, 7.0])
    with torch.no_grad():
        both = network(series=series).reshape(4, 5, 6) * (5 * 6) ** 0.5
    torch.testing.assert_close(both[..., :3], series)
    own = both[..., 3:]
    assert own.mean(1).abs().max() < 1e-5
    torch.testing.assert_close(own[..., :2].std(1, correction=0), torch.ones(4, 2), atol=1e-2, rtol=0)
    assert not own[..., 2].any()  # a constant channel says nothing in its own units
    assert frames.weight.square().sum().item() == pytest.approx(1)
    agreement = export(network, tmp_path / "frames.onnx")
    assert agreement is not None
    assert agreement.difference <= 1e-5


def test_frames_are_as_many_for_every_series() -> None:
    with pytest.raises(RecipeError, match="say how many, as the last step of prepare, such as resample=96"):
        outset(gestures(), QUICK.but(prepare="velocity"))
    begun = outset(gestures(), Recipe(encoder="frames"))
    assert (begun.recipe.prepare, begun.recipe.head) == ("velocity,resample=96", True)
    assert begun.recipe.dim == 96 * 2 * 6
    assert outset(gestures(), Recipe(encoder="residual")).recipe.head is False


def test_embeddings_of_frames_are_what_they_are() -> None:
    with pytest.raises(RecipeError, match=r"dim = 64 cannot be: .* two numbers for each channel of each, 240 in all"):
        outset(gestures(), QUICK.but(dim=64))
    with pytest.raises(RecipeError, match="the first numbers of frames are the first points of a series"):
        outset(gestures(), QUICK.but(prefixes="16,32"))
    assert outset(gestures(), QUICK.but(dim=240)).recipe.dim == 240
    assert outset(gestures(), Recipe(prefixes="16,32")).recipe.encoder == "residual"  # first dimensions, of moments


def test_a_learned_distance_weighs_channels_the_same_at_every_point() -> None:
    begun = outset(gestures(), QUICK.but(distance="learned"))
    assert begun.learner.encoder.head.weight is None


def test_a_channel_that_was_constant_says_nothing() -> None:
    data = gestures()
    fixed = [np.c_[np.asarray(data.load(i))[:, :2], np.ones(len(data.load(i)))] for i in range(len(data))]
    twin = train(read(fixed).with_(identity=data.identity, impostor_of=data.impostor_of), QUICK, progress=False)
    assert isinstance(twin.head, WarpedHead)
    weight = np.array(twin.head.warping.weight).reshape(2, 3)
    assert np.abs(weight[:, 2]).max() < 1e-3 * np.abs(weight).max()


def test_a_sample_of_pairs_holds_the_rare_kind() -> None:
    chosen, weight = _some(torch.cat([torch.full((10,), 2e4), torch.ones(200_000)]))
    assert (chosen < 10).double().mean().item() == pytest.approx(0.5, abs=0.02)  # as much as it weighs of all
    assert len(weight) == len(chosen) == MOST
    assert not weight.std()


def test_a_gallery_proposes_by_the_embeddings_and_lets_the_head_decide() -> None:
    twin = train(gestures(), QUICK, progress=False)
    others = gestures(10, seed=1)
    gallery = gemel.Gallery(twin=twin)
    for person in range(10):
        gallery.enroll(f"p{person}", [others.load(12 * person + item) for item in range(3)])
    found = [gallery.search(others.load(12 * person + 4), k=1)[0].identity for person in range(10)]
    assert sum(name == f"p{person}" for person, name in enumerate(found)) >= 9
