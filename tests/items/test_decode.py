"""Decoding everything once: order, duplicates, bad items, the cache."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gemel.errors import DataError, NotEnoughData, TooManyBad
from gemel.items import ImageModality, cache_folder, clear_cache, decode, decoding, read
from gemel.items import cache as caching
from tests.items.conftest import picture

SMALL = ImageModality(height=6, width=5)


@pytest.mark.parametrize("cache", [None, True, False])
def test_decoded_items_stand_in_order(people: Path, cache: bool | None) -> None:
    faces = read(people, modality=SMALL)
    done: list[tuple[int, int]] = []
    decoded = decode(faces, cache=cache, progress=lambda i, n: done.append((i, n)))
    assert np.asarray(decoded.raws).shape == (12, 6, 5, 3)
    for i in range(12):
        np.testing.assert_array_equal(decoded.raws[i], faces.load(i))
    np.testing.assert_array_equal(decoded.good, np.arange(12))
    assert done[-1] == (12, 12)
    assert "12 items decoded" in decoded.summary()


def test_content_is_equal_exactly_where_the_pixels_are(people: Path) -> None:
    """Trap 13: the same item twice is recognised by its content, not by its embedding."""
    (people / "p3" / "copy.png").write_bytes((people / "p0" / "0.png").read_bytes())
    picture(0).save(people / "p3" / "again.bmp")
    faces = read(people, modality=SMALL)
    decoded = decode(faces)
    assert len(np.unique(decoded.content)) == 12
    same = decoded.content[:, None] == decoded.content[None]
    pixels = np.asarray(decoded.raws).reshape(14, -1)
    np.testing.assert_array_equal(same, (pixels[:, None] == pixels[None]).all(axis=2))
    assert "2 items with exactly the content of another" in decoded.summary()
    part = faces.take([3, 0])
    np.testing.assert_array_equal(decode(part).content, decoded.content[[3, 0]])


@pytest.mark.parametrize("cache", [None, True])
def test_bad_items_are_skipped_counted_and_named(people: Path, cache: bool | None) -> None:
    """Trap 30: truncated, empty and misnamed files."""
    (people / "p0" / "0.png").write_bytes(b"")
    (people / "p1" / "3.png").write_text("hello")
    data = (people / "p2" / "6.png").read_bytes()
    (people / "p2" / "6.png").write_bytes(data[: len(data) // 2])
    faces = read(people, modality=SMALL)
    with pytest.raises(TooManyBad, match=r"3 of 12 items.*p0/0.png \(is empty"):
        decode(faces, cache=cache)
    for _ in range(2):
        decoded = decode(faces, cache=cache, allow_bad=0.3)
        assert [bad.name for bad in decoded.bad] == ["p0/0.png", "p1/3.png", "p2/6.png"]
        assert "3 items skipped: p0/0.png (is empty (0 bytes)), p1/3.png" in decoded.summary()
        good = faces.take(decoded.good)
        assert len(good) == len(np.asarray(decoded.raws)) == len(decoded.content) == 9
        for i in range(9):
            np.testing.assert_array_equal(decoded.raws[i], good.load(i))
    with pytest.raises(TooManyBad):
        decode(faces, cache=cache)


def test_all_bad_is_too_many_whatever_is_allowed(people: Path) -> None:
    for path in people.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(TooManyBad, match="12 of 12"):
        decode(read(people), allow_bad=1.0)


def test_nothing_to_decode(people: Path) -> None:
    with pytest.raises(NotEnoughData, match="no items"):
        decode(read(people).take([]))


def test_the_cache_is_reused_until_anything_changes(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faces = read(people, modality=SMALL)
    first = decode(faces, cache=True)
    assert "kept in" in first.summary()
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "_fill", lambda *_: pytest.fail("decoded again"))
        again = decode(read(people, modality=SMALL), cache=True)
    assert "reused from" in again.summary()
    assert isinstance(again.raws, np.memmap)
    np.testing.assert_array_equal(np.asarray(again.raws), np.asarray(first.raws))
    np.testing.assert_array_equal(again.content, first.content)
    picture(50, 13, 11).save(people / "p0" / "0.png")
    assert "kept in" in decode(faces, cache=True).summary()
    assert "kept in" in decode(faces.with_(modality=ImageModality(height=7, width=5)), cache=True).summary()
    assert "kept in" in decode(faces.take([1, 0]), cache=True).summary()


def test_a_damaged_entry_is_replaced(people: Path) -> None:
    faces = read(people, modality=SMALL)
    decode(faces, cache=True)
    for about in cache_folder().rglob("about.json"):
        about.write_text("{")
    assert "kept in" in decode(faces, cache=True).summary()
    assert "reused" in decode(faces, cache=True).summary()


def test_a_failure_leaves_nothing_behind(people: Path) -> None:
    (people / "p0" / "0.png").write_bytes(b"")
    with pytest.raises(TooManyBad):
        decode(read(people), cache=True)
    assert list((cache_folder() / "decoded").iterdir()) == []


def test_the_cache_is_cleared_and_bounded(people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faces = read(people, modality=SMALL)
    decode(faces, cache=tmp_path / "own")
    assert clear_cache(tmp_path / "own") > 12 * 90
    assert clear_cache(tmp_path / "own") == 0
    assert clear_cache(tmp_path / "nowhere") == 0
    monkeypatch.setattr(caching, "MOST", 5000)
    for size in (6, 7, 8):
        decode(faces.with_(modality=ImageModality(height=size, width=6)), cache=True)
    kept = list((cache_folder() / "decoded").iterdir())
    assert 1 <= len(kept) < 3
    with pytest.raises(DataError, match="GEMEL_CACHE"):
        decode(faces.with_(modality=ImageModality()), cache=True)


def test_much_is_mapped_from_a_file(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "free_memory", lambda: 1000)
    decoded = decode(read(people, modality=SMALL))
    assert isinstance(decoded.raws, np.memmap)
    values = decode(read(np.zeros((20, 9, 9), np.uint8), modality=SMALL))
    assert isinstance(values.raws, np.memmap)
    assert "temporary file" in values.summary()
    assert sum(path.name.startswith("tmp") for path in (cache_folder() / "decoded").iterdir()) == 0


def test_free_memory_is_a_number_of_bytes() -> None:
    assert caching.free_memory() > 1 << 20


def test_the_folder_follows_the_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GEMEL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert cache_folder() == tmp_path / "gemel"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache_folder().parts[-3:] == ("Library", "Caches", "gemel")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "Local"))
    monkeypatch.setattr("sys.platform", "win32")
    assert cache_folder() == tmp_path / "Local" / "gemel" / "Cache"


def test_keys_are_plain(people: Path) -> None:
    key = decoding.cache_key(read(people))
    assert key is not None
    assert json.loads(json.dumps(key)) == key
    assert len(key) == 32
    assert decoding.cache_key(read(np.zeros((2, 4, 4), np.uint8))) is None
