"""Distortions: repeatable, off when off, and each does what it says."""

from __future__ import annotations

import pytest
import torch

from gemel.learn.augment import Augment, turned

EACH = {
    "degrees": 20.0,
    "translate": 0.2,
    "scale": 0.3,
    "shear": 15.0,
    "elastic": 0.03,
    "flip": True,
    "brightness": 0.4,
    "hue": 0.4,
    "blur": 1.5,
    "erase": 0.3,
}


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(8, 3, 24, 24, generator=torch.Generator().manual_seed(0))


def test_nothing_asked_changes_nothing(images: torch.Tensor) -> None:
    assert torch.equal(Augment()(images, 1), images)


@pytest.mark.parametrize("name", list(EACH))
def test_each_distortion_changes_images_repeatably(name: str, images: torch.Tensor) -> None:
    augment = Augment(**{name: EACH[name]})
    once, again, other = augment(images, 5), augment(images, 5), augment(images, 6)
    assert once.shape == images.shape
    assert torch.isfinite(once).all()
    assert torch.equal(once, again)
    assert not torch.equal(once, images)
    assert not torch.equal(once, other)


@pytest.mark.parametrize("name", ["degrees", "translate", "scale", "shear", "elastic", "blur", "erase"])
def test_a_uniform_image_stays_as_it_is(name: str) -> None:
    plain = torch.full((4, 1, 16, 16), 0.25)
    torch.testing.assert_close(Augment(**{name: EACH[name]})(plain, 3), plain)


@pytest.mark.parametrize("hue", [0.4, 1.0])
def test_mixed_channels_stay_between_the_lowest_and_the_highest(hue: float, images: torch.Tensor) -> None:
    for seed in range(50):
        mixed = Augment(hue=hue)(images, seed)
        assert bool((mixed <= images.amax(1, keepdim=True) + 1e-6).all())
        assert bool((mixed >= images.amin(1, keepdim=True) - 1e-6).all())


def test_grey_stays_grey_when_channels_are_mixed(images: torch.Tensor) -> None:
    grey = images[:, :1].expand(-1, 3, -1, -1)
    torch.testing.assert_close(Augment(hue=1.0)(grey, 3), grey)


def test_flip_mirrors_about_half_of_the_images() -> None:
    images = torch.rand(200, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    moved = Augment(flip=True)(images, 2)
    mirrored = torch.isclose(moved, images.flip(3), atol=1e-5).flatten(1).all(1)
    kept = torch.isclose(moved, images, atol=1e-5).flatten(1).all(1)
    assert bool((mirrored | kept).all())
    assert 60 < int(mirrored.sum()) < 140


def test_translation_moves_the_ink_no_farther_than_asked() -> None:
    images = torch.zeros(64, 1, 41, 41)
    images[:, :, 20, 20] = 1
    moved = Augment(translate=0.1)(images, 4)
    at = moved.flatten(2).argmax(2)
    far = torch.stack([(at // 41 - 20).abs(), (at % 41 - 20).abs()]).max()
    assert 2 <= int(far) <= 5


def test_quarter_turns_compose() -> None:
    images = torch.rand(5, 2, 6, 6)
    quarter = torch.tensor([0, 1, 2, 3, 1])
    back = turned(turned(images, quarter), (4 - quarter) % 4)
    assert torch.equal(back, images)
    assert not torch.equal(turned(images, quarter)[1], images[1])
