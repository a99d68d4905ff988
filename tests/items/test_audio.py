"""Sounds: any file of libsndfile at one rate, log-mel spectra, silence and loudness; what is bad is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

from gemel.errors import DataError, RecipeError, UnreadableItem
from gemel.items import AudioModality, decode, modality_from, read, sounds

RATE = 8000
RNG = np.random.default_rng(0)


def tone(hertz: float, seconds: float = 0.5, rate: int = RATE, loud: float = 0.5) -> np.ndarray:
    return (loud * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def written(file: Path, samples: np.ndarray, rate: int = RATE, **how: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, samples, rate, **how)
    return file


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_every_common_file_is_the_same_sound(ending: str, tmp_path: Path) -> None:
    file = written(tmp_path / f"a.{ending}", tone(440))
    modality = AudioModality(rate=RATE)
    raw = modality.load(file)
    assert raw.dtype == np.float32
    assert abs(len(raw) - RATE // 2) < 0.15 * RATE  # MP3 pads
    heard = np.abs(np.fft.rfft(raw[: RATE // 2, 0]))
    assert np.fft.rfftfreq(len(raw[: RATE // 2]), 1 / RATE)[heard.argmax()] == pytest.approx(440, abs=4)
    np.testing.assert_array_equal(modality.load(file.read_bytes()), raw)
    np.testing.assert_array_equal(modality.load(str(file)), raw)


@pytest.mark.parametrize(("before", "after"), [(8000, 16000), (44100, 16000), (16000, 8000), (11025, 8000)])
def test_a_tone_stays_itself_at_another_rate(before: int, after: int) -> None:
    found = sounds.brought(tone(440, 1, before)[:, None], before, after)[:, 0]
    assert len(found) == after
    inside = slice(after // 10, -after // 10)
    np.testing.assert_allclose(found[inside], tone(440, 1, after)[inside], atol=2e-3)


def test_what_a_rate_cannot_hold_is_not_folded_into_it() -> None:
    found = sounds.brought(tone(6000, 1, 16000)[:, None], 16000, 8000)
    assert np.abs(found[800:-800]).max() < 1e-3
    naive = tone(6000, 1, 16000)[::2]
    assert np.abs(naive).max() > 0.4


@pytest.mark.parametrize(("rate", "mels"), [(8000, 40), (16000, 64), (44100, 80)])
def test_log_mel_is_what_another_library_says(rate: int, mels: int) -> None:
    samples = RNG.normal(size=rate // 2).astype(np.float32)
    size, hop = round(0.025 * rate), round(0.010 * rate)
    points = int(2 ** np.ceil(np.log2(2 * 0.025 * rate)))
    bands = mel_filter_bank(1 + points // 2, mels, 20.0, rate / 2, rate, norm=None, mel_scale="htk")
    expected = spectrogram(
        samples,
        window_function(size, "hann", periodic=True),
        frame_length=size,
        hop_length=hop,
        fft_length=points,
        power=2.0,
        center=False,
        mel_filters=bands,
        mel_floor=1e-10,
        log_mel="log",
    ).T
    np.testing.assert_allclose(sounds.log_mel(samples, rate, mels), expected, atol=2e-3)


def test_every_band_holds_something() -> None:
    for rate in (8000, 16000, 44100):
        assert min(sounds.widths(rate, 64)) > 0
        assert np.mean(sounds.widths(rate, 64)) == pytest.approx(1)


def test_silence_at_the_ends_is_cut_and_within_it_is_not() -> None:
    quiet = np.zeros(RATE // 2, np.float32)
    sound = np.concatenate([quiet, tone(440), quiet, tone(300), quiet])[:, None]
    found = sounds.trimmed(sound, RATE)
    assert len(found) == pytest.approx(1.5 * RATE, abs=0.06 * RATE)
    np.testing.assert_array_equal(sounds.trimmed(found, RATE), found)
    np.testing.assert_array_equal(sounds.trimmed(np.zeros((100, 1), np.float32), RATE), np.zeros((100, 1)))


def test_levelled_sounds_do_not_tell_how_loud_they_were() -> None:
    modality = AudioModality(rate=RATE, steps=("level",))
    loud, soft = (modality.spectrum(tone(440, loud=loud)[:, None]) for loud in (0.9, 0.01))
    np.testing.assert_allclose(loud, soft, atol=1e-2)
    plain = AudioModality(rate=RATE)
    loud, soft = (plain.spectrum(tone(440, loud=loud)[:, None]) for loud in (0.9, 0.01))
    assert np.abs(loud - soft).max() > 2


def test_channels_are_mixed_or_kept(tmp_path: Path) -> None:
    both = np.stack([tone(440), tone(880)], 1)
    file = written(tmp_path / "a.wav", both)
    np.testing.assert_allclose(AudioModality(rate=RATE).load(file)[:, 0], both.mean(1), atol=1e-4)
    kept = AudioModality(rate=RATE, channels=2, mels=16)
    raw = kept.load(file)
    assert kept.prepare([raw]).arrays["series"].shape[2] == 32
    np.testing.assert_allclose(kept.spectrum(raw)[:, 16:], sounds.log_mel(raw[:, 1], RATE, 16))
    with pytest.raises(UnreadableItem, match="1 channels where 2"):
        kept.load(tone(440))


def test_a_long_sound_is_cut_in_training_and_is_all_of_its_windows_in_use() -> None:
    modality = AudioModality(rate=RATE, length=20, mels=8)
    raws = [modality.load(RNG.normal(size=n)) for n in (RATE, RATE // 20)]
    modality = modality.fit(raws)
    prepared = modality.prepare(raws)
    assert (prepared.owner == 0).sum() > 4
    assert (prepared.owner == 1).sum() == 1
    assert prepared.arrays["series"].shape[1] == 20
    cut = modality.prepare(raws, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(cut.owner, [0, 1])
    whole = (modality.spectrum(raws[0]) - np.array(modality.mean)) / np.array(modality.std)
    places = [i for i in range(len(whole) - 19) if np.allclose(whole[i : i + 20], cut.arrays["series"][0], atol=1e-4)]
    assert len(places) == 1


def test_an_item_is_prepared_alike_alone_and_among_others() -> None:
    modality = AudioModality(rate=RATE, mels=8)
    raws = [modality.load(RNG.normal(size=n)) for n in (900, 4000, 10)]
    modality = modality.fit(raws)
    among = modality.prepare(raws).arrays
    for i, raw in enumerate(raws):
        alone = modality.prepare([raw]).arrays
        length = alone["series"].shape[1]
        np.testing.assert_array_equal(among["series"][i, :length], alone["series"][0])
        assert among["attention_mask"][i].sum() == length
        assert not among["series"][i, length:].any()
    assert sorted(np.concatenate(modality.together(raws))) == [0, 1, 2]


def test_a_configuration_comes_back() -> None:
    modality = AudioModality(rate=RATE, steps=("trim", "level"), mels=8)
    fitted = modality.fit([modality.load(RNG.normal(size=2000))])
    again = modality_from(json.loads(json.dumps(fitted.config())))
    assert again == fitted
    assert fitted.fit([]) is fitted
    assert not fitted.without(fitted.load(tone(440)), (10, 500))[10:500].any()


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"steps": ("trimm",)}, "did you mean trim"),
        ({"steps": ("zscore",)}, "there are trim, level"),
        ({"length": 1}, "at least 2 frames"),
        ({"rate": 1}, "cannot be"),
    ],
)
def test_an_impossible_modality_is_refused(wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(RecipeError, match=reason):
        AudioModality(**wrong)


def test_what_is_no_sound_is_named_and_costs_nothing_else(tmp_path: Path) -> None:
    for i in range(6):
        written(tmp_path / f"p/{i}.wav", tone(300 + i))
    bad = {
        "empty.wav": b"",
        "text.wav": b"no sound at all",
        "cut.flac": written(tmp_path / "whole.flac", RNG.normal(size=40000) / 9).read_bytes()[:30000],
    }
    for name, content in bad.items():
        (tmp_path / "p" / name).write_bytes(content)
    written(tmp_path / "p" / "short.wav", np.zeros(0, np.float32))
    written(tmp_path / "p" / "nan.wav", np.array([np.nan, 1, 2], np.float32), subtype="FLOAT")
    data = read(tmp_path / "p")
    assert data.modality.name == "audio"
    decoded = decode(data, allow_bad=0.9)
    reasons = {each.name: each.reason for each in decoded.bad}
    assert len(decoded) == 6
    assert set(reasons) == {*bad, "short.wav", "nan.wav"}
    assert "0 seconds" in reasons["short.wav"]
    assert "NaN" in reasons["nan.wav"]
    with pytest.raises(UnreadableItem, match="no such file"):
        AudioModality().load("none.wav")
    for wrong in (None, "", [[[1.0]]], {"a": 1}):
        with pytest.raises(UnreadableItem):
            AudioModality().load(wrong)


@pytest.mark.parametrize(("bits", "kind"), [("U8", np.uint8), ("16", np.int16), ("32", np.int32)])
def test_an_array_of_pcm_is_what_its_file_is(bits: str, kind: type, tmp_path: Path) -> None:
    file = written(tmp_path / "a.wav", tone(440), subtype=f"PCM_{bits}")
    whole = AudioModality(rate=RATE).load(file)
    half = 2.0 ** (8 * np.dtype(kind).itemsize - 1)
    pcm = (whole[:, 0].astype(np.float64) * half + (half if kind is np.uint8 else 0)).round().astype(kind)
    np.testing.assert_array_equal(AudioModality(rate=RATE).load(pcm), whole)


def test_channels_before_time_are_refused_and_not_mixed_into_one_sample() -> None:
    for shape in ((1, 800), (2, 800)):
        with pytest.raises(UnreadableItem, match=r"800\] where \[time\] or \[time, channels\]"):
            AudioModality().load(np.zeros(shape, np.float32))
    with pytest.raises(UnreadableItem, match="0 seconds"):
        AudioModality().load(np.zeros((800, 0), np.float32))


def test_rates_that_differ_are_said_and_brought_to_one(tmp_path: Path) -> None:
    for i in range(6):
        rate = 8000 if i else 44100
        written(tmp_path / f"{i % 2}" / f"{i}.wav", tone(440, 0.5, rate), rate)
    data = read(tmp_path)
    assert data.modality == AudioModality(rate=8000)
    assert "8,000 a second (5 of 6), 44,100 a second (1 of 6)" in data.summary()
    assert len(data.load(0)) == 4000
    assert read(tmp_path, rate=4000).modality == AudioModality(rate=4000)
    with pytest.raises(RecipeError, match="window cuts series"):
        read(tmp_path, window=100)
    with pytest.raises(DataError, match="none of the sounds"):
        read([str(tmp_path / "0" / "no.wav")], kind="audio")


def test_sounds_stand_in_folders_tables_arrays_and_records(tmp_path: Path) -> None:
    for i in range(4):
        written(tmp_path / f"{i % 2}" / f"{i}.wav", tone(300 + 50 * i))
    paths = [f"{i % 2}/{i}.wav" for i in range(4)]
    table = {"file": paths, "who": ["a", "b"] * 2, "words": ["one two", "two one"] * 2}
    for data in (
        read(tmp_path),
        read(paths, root=tmp_path),
        read(table, root=tmp_path, item="file", identity="who"),
        read([tone(300), tone(400)], kind="audio", rate=RATE),
        read(np.stack([tone(300), tone(400)]), kind="audio", rate=RATE),
    ):
        assert data.modality == AudioModality(rate=RATE), data.origin
        assert data.load(0).shape == (4000, 1)
    record = read(table, root=tmp_path, fields="file,words", identity="who")
    assert sorted(record.load(1)) == ["file", "words"]


def test_names_of_files_say_what_is_known(tmp_path: Path) -> None:
    for digit in "07":
        for who in ("ann", "bob"):
            written(tmp_path / f"{digit}_{who}_1.wav", tone(440))
    written(tmp_path / "noise.wav", tone(440))
    data = read(tmp_path, names="{identity}_{group}_{}")
    assert data.identity is not None
    assert data.group is not None
    assert [data.identity.value(i) for i in range(4)] == ["0", "0", "7", "7"]
    assert data.group.value(1) == "bob"
    assert "1 file left alone" in data.summary()
    assert len(read(tmp_path, names="{}_{identity}_{}")) == 4
    for wrong in ("{}", "{identity", "{digit}_{take}", "{identity}_{identity}"):
        with pytest.raises(RecipeError, match="names = "):
            read(tmp_path, names=wrong)
    with pytest.raises(DataError, match="none of 5 files has a name like"):
        read(tmp_path, names="{identity}-{group}")
    with pytest.raises(DataError, match="names are of the files of a folder"):
        read({"file": ["a.wav"], "who": ["a"]}, names="{identity}_{}")
