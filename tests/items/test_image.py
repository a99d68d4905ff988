"""Every kind of picture becomes the pixels it shows; whatever is none is refused with a reason in words."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gemel.errors import UnreadableItem
from gemel.items import ImageModality
from gemel.items.pixels import placed

EXACT = ImageModality(height=12, width=10, exact=True)
GREY = ImageModality(height=12, width=10, channels=1, exact=True)


def noise(height: int = 12, width: int = 10, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([y * 255 // height, x * 255 // width, (x + y) * 255 // (height + width)], axis=2).astype(np.uint8)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "TGA", "WEBP", "PCX", "SGI"])
def test_lossless_files_bytes_images_and_arrays_agree(kind: str, tmp_path: Path) -> None:
    image = Image.fromarray(noise())
    data = encoded(image, kind, **({"lossless": True} if kind == "WEBP" else {}))
    path = tmp_path / "picture"
    path.write_bytes(data)
    for source in (path, str(path), data, image, noise()):
        np.testing.assert_array_equal(EXACT.load(source), noise())


def test_every_mode_becomes_grey_or_colour() -> None:
    colour = Image.fromarray(noise())
    for mode in ("1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV", "I", "F"):
        if mode == "F":
            image = Image.fromarray(np.full((12, 10), 0.5, np.float32))
        else:
            image = colour.convert(mode)
        assert EXACT.load(image).shape == (12, 10, 3)
        assert GREY.load(image).shape == (12, 10, 1)
    np.testing.assert_array_equal(GREY.load(colour)[..., 0], np.asarray(colour.convert("L")))


def test_transparency_is_laid_on_white() -> None:
    clear = Image.new("RGBA", (10, 12), (0, 0, 0, 0))
    half = Image.new("LA", (10, 12), (0, 128))
    palette = Image.new("P", (10, 12), 3)
    palette.putpalette([0] * 768)
    assert (EXACT.load(encoded(clear, "PNG")) == 255).all()
    assert (GREY.load(encoded(clear, "PNG")) == 255).all()
    assert (EXACT.load(encoded(half, "PNG")) == 127).all()
    assert (EXACT.load(encoded(palette, "PNG", transparency=3)) == 255).all()
    assert (EXACT.load(encoded(palette, "GIF")) == 0).all()


def test_sixteen_bits_are_scaled_not_cut() -> None:
    deep = np.linspace(0, 65535, 120).astype(np.uint16).reshape(12, 10)
    expected = np.rint(deep / 257).astype(np.uint8)
    for source in (encoded(Image.fromarray(deep), "PNG"), encoded(Image.fromarray(deep), "TIFF"), deep):
        np.testing.assert_array_equal(GREY.load(source)[..., 0], expected)
    pgm = b"P5 10 12 65535\n" + deep.astype(">u2").tobytes()
    np.testing.assert_array_equal(GREY.load(pgm)[..., 0], expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("exact", [True, False])
def test_exif_orientation_sets_upright(orientation: int, exact: bool) -> None:
    from PIL import ImageOps

    image = Image.fromarray(smooth(640, 400))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(image, "JPEG", exif=exif, quality=95)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).resize((40, 40)), np.int16)
    got = ImageModality(height=40, width=40, exact=exact).load(data)
    assert np.abs(got - upright).max() <= 12


def test_arrays_of_other_types() -> None:
    np.testing.assert_array_equal(EXACT.load(noise() / 255), noise())
    np.testing.assert_array_equal(EXACT.load(noise().astype(np.int64)), noise())
    np.testing.assert_array_equal(GREY.load(np.eye(12, 10, dtype=bool))[..., 0], np.eye(12, 10) * 255)
    np.testing.assert_array_equal(GREY.load(noise()[..., :1]), noise()[..., :1])


def test_shrinking_while_decoding_is_close_and_can_be_switched_off() -> None:
    data = encoded(Image.fromarray(smooth(1200, 800)), "JPEG", quality=95)
    quick, exact = (ImageModality(height=60, width=60, exact=e).load(data).astype(int) for e in (False, True))
    full = np.asarray(Image.open(io.BytesIO(data)).resize((60, 60), Image.Resampling.BILINEAR), int)
    np.testing.assert_array_equal(exact, full)
    assert 0 < np.abs(quick - exact).mean() < 2


def test_a_jpeg_keeps_twice_the_target_while_it_shrinks(monkeypatch: pytest.MonkeyPatch) -> None:
    from gemel.items import pixels

    seen = []
    scale = pixels.scaled
    monkeypatch.setattr(pixels, "scaled", lambda image, *a, **k: (seen.append(image.size), scale(image, *a, **k))[1])
    data = encoded(Image.fromarray(smooth(1200, 800)), "JPEG")
    ImageModality(height=100, width=50, resize="shortest").load(data)
    assert seen == [(100, 150)]


def bomb(side: int) -> bytes:
    """A PNG that claims side × side pixels in less than a kilobyte."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


BAD: dict[str, tuple[Any, str]] = {
    "bomb": (bomb(50_000), "pixels"),
    "small bomb": (bomb(10_000), "pixels"),
    "truncated": (encoded(Image.fromarray(noise(200, 200)), "JPEG")[:3000], "truncated"),
    "truncated png": (encoded(Image.fromarray(noise(200, 200)), "PNG")[:3000], "truncated"),
    "text": (b"this is a letter, not a picture\n", "holds text"),
    "empty": (b"", "empty"),
    "noise": (bytes(range(128, 256)), "not an image"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n", "not an image"),
    "nan": (np.full((4, 4), np.nan), "floats"),
    "floats to 255": (np.full((4, 4), 200.0), "give 0 to 1"),
    "negative": (np.full((4, 4), -1), "integers"),
    "channels first": (np.zeros((3, 8, 8), np.uint8), r"give \[h, w\]"),
    "no pixels": (np.zeros((0, 4), np.uint8), "shape"),
    "words": (np.array([["a"]]), "not pixels"),
    "a number": (7, "is not a path"),
    "nothing": (None, "is not a path"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_decoded_is_refused_in_words(name: str, tmp_path: Path) -> None:
    source, reason = BAD[name]
    with pytest.raises(UnreadableItem, match=reason):
        EXACT.load(source)
    if isinstance(source, bytes):
        path = tmp_path / f"{name}.jpg"
        path.write_bytes(source)
        with pytest.raises(UnreadableItem, match=reason) as caught:
            ImageModality().load(path)
        assert str(path) in str(caught.value)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnreadableItem, match="no such file"):
        EXACT.load(tmp_path / "none.png")
    with pytest.raises(UnreadableItem, match="folder"):
        EXACT.load(tmp_path)
    with pytest.raises(UnreadableItem, match="damaged"):
        EXACT.load("a\0b.png")


def test_a_long_thin_image_does_not_explode() -> None:
    with pytest.raises(UnreadableItem, match="long and thin"):
        ImageModality(height=224, width=224, resize="shortest").load(np.zeros((1, 10_000), np.uint8))


@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=300), st.integers(0, 3))
def test_no_bytes_raise_anything_else(data: bytes, start: int) -> None:
    heads = (b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a")
    try:
        raw = ImageModality().load(heads[start] + data)
    except UnreadableItem:
        return
    assert raw.shape == (64, 64, 3)


@settings(deadline=None)
@given(*(st.integers(1, 40) for _ in range(4)), st.booleans())
def test_placing_is_the_centre_crop_of_transformers(h: int, w: int, height: int, width: int, fill: bool) -> None:
    from transformers.image_transforms import center_crop

    array = np.random.default_rng(0).integers(1, 256, (h, w, 3), dtype=np.uint8)
    got = placed(array, height, width, fill=fill)
    reference = center_crop(array, (height, width), input_data_format="channels_last")
    inside = reference.any(axis=2)
    np.testing.assert_array_equal(got[inside], reference[inside])
    assert fill or not got[~inside].any()


@given(st.integers(1, 400), st.integers(1, 400), st.sampled_from(["pad", "crop", "shortest"]))
def test_one_edge_fits_and_the_other_does_not_fall_short(h: int, w: int, resize: str) -> None:
    height, width = ImageModality(height=32, width=48, resize=resize).resized(h, w)
    if resize == "pad":
        assert height <= 32
        assert width <= 48
        assert height == 32 or width == 48
    elif resize == "crop":
        assert height >= 32
        assert width >= 48
        assert height == 32 or width == 48
    else:
        assert min(height, width) == 32


def test_padding_has_the_colour_of_the_edge() -> None:
    image = np.full((4, 8, 3), 200, np.uint8)
    raw = ImageModality(height=16, width=16, resize="pad").load(image)
    assert (raw == 200).all()


IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


@pytest.mark.parametrize("size", [(300, 401), (401, 299), (33, 57), (224, 512)])
@pytest.mark.parametrize("family", ["vit", "dinov2", "convnext", "clip", "enlarged"])
def test_equal_to_the_processors_of_transformers(family: str, size: tuple[int, int]) -> None:
    """Trap 26: embeddings depend on a family's own rounding, so pixels equal its own processing to 1e-5."""
    from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.convnext.image_processing_pil_convnext import ConvNextImageProcessorPil
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    bit = {"image_mean": list(IMAGENET["mean"]), "image_std": list(IMAGENET["std"])}
    processor, settings_ = {
        "vit": (ViTImageProcessorPil(), {}),
        "dinov2": (
            BitImageProcessorPil(size={"shortest_edge": 256}, crop_size={"height": 224, "width": 224}, **bit),
            {"resize": "shortest", "resize_to": 256, "resample": "bicubic", **IMAGENET},
        ),
        "convnext": (
            ConvNextImageProcessorPil(size={"shortest_edge": 224}, crop_pct=0.875),
            {"resize": "shortest", "resize_to": 256, "resample": "bicubic"},
        ),
        "clip": (
            CLIPImageProcessorPil(),
            {
                "resize": "shortest",
                "resample": "bicubic",
                "mean": tuple(CLIPImageProcessorPil.image_mean),
                "std": tuple(CLIPImageProcessorPil.image_std),
            },
        ),
        "enlarged": (
            BitImageProcessorPil(size={"shortest_edge": 200}, crop_size={"height": 224, "width": 224}, **bit),
            {"resize": "shortest", "resize_to": 200, "resample": "bicubic", **IMAGENET},
        ),
    }[family]
    modality = ImageModality(height=224, width=224, exact=True, **settings_)
    image = Image.fromarray(noise(*size))
    theirs = np.asarray(processor(image, return_tensors="np")["pixel_values"])
    np.testing.assert_allclose(modality.prepare([modality.load(image)]).arrays["image"], theirs, atol=1e-5)
