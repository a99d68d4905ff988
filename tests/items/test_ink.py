"""Laws of the steps that prepare a scanned page: what they find, what they leave as it is, and what they refuse."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from gemel.errors import RecipeError, TooManyBad, UnreadableItem
from gemel.items import ImageModality, decode, ink, modality_from, read
from gemel.items.decoding import cache_key
from gemel.items.image import PAGE

PAPER, PEN = (235, 225, 200), (30, 40, 140)
ALL = ("ink", "deskew", "crop")


def page(width: int = 400, height: int = 300, *, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """A long zigzag with an underline, in blue ink on yellowish paper."""
    image = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(image)
    x = np.linspace(0.25, 0.75, 12) * width
    y = height * (0.5 + 0.08 * (-1.0) ** np.arange(12))
    pen.line(list(zip(x, y, strict=True)), fill=PEN, width=4)
    pen.line([(0.25 * width, 0.62 * height), (0.7 * width, 0.62 * height)], fill=PEN, width=4)
    pixels = np.asarray(image) + np.random.default_rng(seed).normal(0, noise, (height, width, 3))
    return pixels.clip(0, 255).astype(np.uint8)


def rotated(pixels: np.ndarray, degrees: float) -> np.ndarray:
    image = Image.fromarray(pixels).rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=PAPER)
    return np.asarray(image)


def done(pixels: np.ndarray, *steps: str) -> np.ndarray:
    return ink.prepared(pixels, steps, "page")


def slope(pixels: np.ndarray) -> float:
    return ink.slope(ink.page_of(pixels, "page").ink)


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """Mean difference of two pictures brought to one size, in grey levels."""
    small = [np.asarray(Image.fromarray(x).resize((60, 30), Image.Resampling.BOX), float) for x in (a, b)]
    return float(np.abs(small[0] - small[1]).mean())


@given(st.lists(st.integers(0, 50), min_size=2, max_size=40).filter(any))
def test_otsu_finds_what_trying_every_threshold_finds(counts: list[int]) -> None:
    def between(level: int) -> float:
        low, high = np.array(counts[: level + 1]), np.array(counts[level + 1 :])
        if not low.sum() or not high.sum():
            return 0.0
        means = np.average(np.arange(len(low)), weights=low), np.average(np.arange(len(high)), weights=high)
        return float(low.sum() * high.sum() * (means[0] - means[1] - len(low)) ** 2 / sum(counts) ** 2)

    found = ink.otsu(np.array(counts))
    assert between(found) == pytest.approx(max(map(between, range(len(counts)))), abs=1e-9)


def test_grey_is_that_of_pillow() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(ink.grey_of(pixels), np.asarray(Image.fromarray(pixels).convert("L")))


def test_the_ink_is_light_on_nothing() -> None:
    clean = page()
    drawn = (clean != PAPER).any(2)
    lifted, binary = done(clean, "ink"), done(clean, "binary")
    assert (lifted[~drawn] == 0).all()
    np.testing.assert_array_equal(np.unique(lifted[drawn], axis=0), [np.subtract(PAPER, PEN)])
    np.testing.assert_array_equal(binary, np.repeat(drawn[:, :, None], 3, 2) * np.uint8(255))


def test_noise_of_the_paper_is_no_ink() -> None:
    drawn = (page() != PAPER).any(2)
    found = done(page(noise=8), "binary")[:, :, 0] > 0
    assert np.mean(found != drawn) < 1e-3


def test_paper_may_be_dark() -> None:
    for step in ("ink", "binary"):
        np.testing.assert_array_equal(done(255 - page(), step), done(page(), step))


@pytest.mark.parametrize("step", ["binary", "deskew", "crop"])
@pytest.mark.parametrize("degrees", [0.0, 11.0])
def test_doing_a_step_again_changes_nothing(step: str, degrees: float) -> None:
    once = done(rotated(page(), degrees), step)
    np.testing.assert_array_equal(done(once, step), once)


@pytest.mark.parametrize("degrees", [-30.0, -7.5, 3.0, 18.0, 40.0])
def test_a_page_that_lies_askew_is_set_level(degrees: float) -> None:
    straight = done(page(), "deskew")
    askew = rotated(straight, degrees)
    assert slope(askew) == pytest.approx(-degrees, abs=0.3)
    level = done(askew, "deskew")
    assert abs(slope(level)) < ink.LEVEL
    assert apart(done(level, "crop"), done(straight, "crop")) < 6 < apart(done(askew, "crop"), done(straight, "crop"))


def test_what_is_steep_or_round_is_not_turned() -> None:
    steep = rotated(page(), 70)
    np.testing.assert_array_equal(done(steep, "deskew"), steep)
    ring = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(ring).ellipse((40, 50, 160, 140), outline=0, width=5)
    tilted = np.asarray(ring.rotate(20, fillcolor=255))[:, :, None]
    np.testing.assert_array_equal(done(tilted, "deskew"), tilted)


@given(st.tuples(*[st.integers(0, 60)] * 4))
def test_a_crop_does_not_depend_on_the_margins_of_the_page(margins: tuple[int, int, int, int]) -> None:
    top, bottom, left, right = margins
    inner = page()[100:210, 90:310]
    wide = np.full((110 + top + bottom, 220 + left + right, 3), PAPER, np.uint8)
    wide[top : top + 110, left : left + 220] = inner
    np.testing.assert_array_equal(done(wide, "crop"), done(inner, "crop"))


def test_a_crop_holds_the_ink_and_a_margin() -> None:
    y, x = np.nonzero((page() != PAPER).any(2))
    height, width = y.max() + 1 - y.min(), x.max() + 1 - x.min()
    box = done(page(), "crop")
    margin = round(ink.MARGIN * width)
    assert abs(box.shape[0] - (height + 2 * margin)) <= 8
    assert abs(box.shape[1] - (width + 2 * margin)) <= 8
    assert (box != PAPER).any(2).sum() == len(x)


def test_specks_of_dust_are_left_out_of_the_box() -> None:
    dusty = page()
    for at in ((3, 5), (290, 380)):
        dusty[at[0] : at[0] + 2, at[1] : at[1] + 2] = 40
    clean, cropped = done(page(), "crop"), done(dusty, "crop")
    assert np.abs(np.subtract(clean.shape, cropped.shape)).max() <= 8


BLANK = {
    "white": np.full((50, 60, 1), 255, np.uint8),
    "black": np.zeros((50, 60, 3), np.uint8),
    "one pixel": np.full((1, 1, 1), 7, np.uint8),
    "noise": np.random.default_rng(0).normal(230, 8, (50, 60, 3)).astype(np.uint8),
}


@pytest.mark.parametrize("step", ink.STEPS)
@pytest.mark.parametrize("blank", BLANK)
def test_a_blank_page_is_a_bad_item(step: str, blank: str) -> None:
    assert ImageModality().load(BLANK[blank]).shape == (64, 64, 3)
    with pytest.raises(UnreadableItem, match="is blank: no ink"):
        ImageModality(steps=(step,)).load(BLANK[blank])


@pytest.mark.parametrize("pixels", [np.eye(2, dtype=bool), np.pad([[1.0]], 3), np.pad(np.ones((1, 40)), 9)])
def test_the_least_of_ink_is_enough(pixels: np.ndarray) -> None:
    for steps in (ALL, ("binary",), ("deskew", "crop", "binary")):
        assert ImageModality(height=16, width=16, steps=steps).load(pixels).max() > 0


def scans(root: Path) -> Path:
    for i, name in enumerate(["a/1.png", "a/2.png", "b/3.png"]):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(page(noise=4, seed=i)).save(root / name)
    Image.new("RGB", (40, 40), "white").save(root / "b/blank.png")
    return root


def test_blank_pages_of_a_collection_are_counted_and_named(tmp_path: Path) -> None:
    data = read(scans(tmp_path), modality=ImageModality(steps=ALL))
    with pytest.raises(TooManyBad, match=r"b.blank\.png \(is blank: no ink stands out"):
        decode(data)
    found = decode(data, allow_bad=0.25)
    assert [bad.name for bad in found.bad] == [str(Path("b/blank.png"))]
    for raw, row in zip(found.raws, found.good, strict=True):
        np.testing.assert_array_equal(raw, data.load(int(row)))


def test_what_is_kept_belongs_to_its_steps(tmp_path: Path) -> None:
    data = read(scans(tmp_path))
    ways = [(), ("ink",), ("crop",), ("ink", "crop"), ("crop", "ink")]
    assert len({cache_key(data.with_(modality=ImageModality(steps=steps))) for steps in ways}) == len(ways)
    plain, inked = (
        decode(data.with_(modality=ImageModality(steps=steps)), cache=tmp_path / "kept", allow_bad=0.5).raws[0]
        for steps in ((), ("ink",))
    )
    assert plain.min() > 20
    assert inked.min() == 0


def test_a_configuration_says_the_steps_only_where_there_are_some() -> None:
    modality = ImageModality(steps=ALL, channels=1, resize="pad")
    assert modality_from(json.loads(json.dumps(modality.config()))) == modality
    assert "steps" not in ImageModality().config()
    assert modality_from(ImageModality().config()) == ImageModality()


def test_steps_are_done_in_their_order_and_before_the_resizing() -> None:
    modality = ImageModality(height=32, width=48, steps=ALL, resize="pad")
    by_hand = done(done(done(rotated(page(), 9), "ink"), "deskew"), "crop")
    np.testing.assert_array_equal(
        modality.load(rotated(page(), 9)), ImageModality(height=32, width=48, resize="pad").load(by_hand)
    )


def test_unknown_steps_are_refused_with_those_there_are() -> None:
    with pytest.raises(RecipeError, match="no step 'zscore' that prepares an image; there are ink, binary, deskew, c"):
        ImageModality(steps=("ink", "zscore"))
    with pytest.raises(RecipeError, match=r"did you mean deskew\? There are ink"):
        ImageModality(steps=("deskow",))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_large_pages_are_looked_at_in_a_size_that_leaves_enough_of_a_crop(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    steps = ink.prepared
    monkeypatch.setattr(ink, "prepared", lambda image, *rest: (seen.append(image.shape), steps(image, *rest))[1])
    large = Image.new("RGB", (6200, 4400), PAPER)
    large.paste(Image.fromarray(page()).resize((1200, 900)), (4000, 3000))
    file = io.BytesIO()
    large.save(file, kind, **({"quality": 95} if kind == "JPEG" else {}))
    got = ImageModality(height=64, width=64, steps=ALL, resize="pad").load(file.getvalue())
    want = ImageModality(height=64, width=64, steps=ALL, resize="pad").load(page(1200, 900))
    assert PAGE <= max(seen[0]) < 2 * PAGE
    assert apart(got, want) < 6
