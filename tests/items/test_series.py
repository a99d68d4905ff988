"""Series: files of many forms, tables of many series, windows, steps; what is bad is named and costs nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gemel.errors import DataError, RecipeError, UnreadableItem
from gemel.items import SeriesModality, decode, modality_from, read, signals
from gemel.items.series import lacking
from gemel.items.series_files import sheet

RNG = np.random.default_rng(0)
WALK = RNG.normal(size=(30, 3)).cumsum(0)
EVERY_STEP = (
    *("centre", "origin", "proportion", "velocity", "speed", "angle", "acceleration", "duration", "log"),
    *("detrend", "zscore"),
)


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def npy(head: str) -> bytes:
    """A NumPy file with any header."""
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode() + bytes(64)


@pytest.mark.parametrize(
    ("text", "names", "values"),
    [
        ("x,y\n1,2\n3,4\n", ("x", "y"), [[1, 2], [3, 4]]),
        ("1 2\n3  4\n", ("1", "2"), [[1, 2], [3, 4]]),
        ("3\n1 2 9\n3 4 9\n5 6 9\n", ("1", "2", "3"), [[1, 2, 9], [3, 4, 9], [5, 6, 9]]),
        ("# made by a recorder\n# rate 100\nt;v\n0;1,5\n1;2,5\n", ("t", "v"), [[0, 1.5], [1, 2.5]]),
        ("a\tb\n1\t\n\t4\n", ("a", "b"), [[1, np.nan], [np.nan, 4]]),
        ("a,b\n1,NA\nnan,4\n", ("a", "b"), [[1, np.nan], [np.nan, 4]]),
        ("5,6,7", ("1",), [[5], [6], [7]]),
        ("\ufeffx\n1\n2\n", ("x",), [[1], [2]]),
        ("1e3\n-2.5\n", ("1",), [[1000], [-2.5]]),
    ],
)
def test_tables_of_numbers_in_text(text: str, names: tuple[str, ...], values: list[list[float]]) -> None:
    found = sheet(text.encode(), "it")
    assert found.names == names
    np.testing.assert_array_equal(found.values, values)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"hello world\nno numbers here\n", "holds no table of numbers"),
        (b"1,2\n3\n", "holds no table of numbers"),
        (b"1,2\n3,4\n5\n", "1 cells in row 3 where 2 are expected"),
        (b"1,2\n3,4\n5,six\n", "'six' in row 3 where numbers are expected"),
        (b"\x00\x01\x02", "no text and no NumPy array"),
        (b"\x93NUMPY\x01", "damaged NumPy file"),
        *((npy(head), "damaged NumPy file") for head in ("{", "'" * 3, "{[]: 1}", "-" * 5000 + "1", "\n  x\n y")),
    ],
)
def test_what_is_no_series_is_named(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableItem, match=reason):
        SeriesModality(channels=2).load(content)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (np.zeros((9, 3)), "3 channels where 2 are expected"),
        (np.zeros((1, 2)), "1 points; at least 2"),
        (np.zeros((0, 2)), r"shape \[0, 2\]"),
        (np.zeros((4, 2, 2)), r"shape \[4, 2, 2\]"),
        (np.array([[1.0, np.inf]] * 3), "infinity"),
        (np.array([[1.0, np.nan]] * 3), "no value at all in channel 2"),
        ([["a", "b"]], "not an array of numbers"),
        (None, "is empty"),
        ("nowhere.csv", "No such file"),
    ],
)
def test_bad_items_are_named(source: Any, reason: str) -> None:
    with pytest.raises(UnreadableItem, match=reason):
        SeriesModality(channels=2).load(source)


def test_missing_values_are_interpolated_or_refused() -> None:
    holed = np.array([[np.nan, 1], [2, np.nan], [4, 3], [np.nan, np.nan]])
    modality = SeriesModality(channels=2)
    raw = modality.load(holed)
    assert lacking([raw, WALK]) == 1
    np.testing.assert_array_equal(modality.prepare([raw]).arrays["series"][0], [[2, 1], [2, 2], [4, 3], [4, 3]])
    with pytest.raises(UnreadableItem, match="lacks 4 values"):
        SeriesModality(channels=2, missing="refuse").load(holed)


def test_columns_are_taken_by_name_or_number(tmp_path: Path) -> None:
    file = written(tmp_path, "a.csv", "t,x,y,p\n0,1,2,3\n1,4,5,6\n")
    for columns in (("y", "x"), ("3", "2")):
        assert SeriesModality(channels=2, columns=columns).load(file).tolist() == [[2, 1], [5, 4]]
    assert SeriesModality(channels=3, stamps="t").load(file).tolist() == [[1, 2, 3], [4, 5, 6]]
    with pytest.raises(UnreadableItem, match="has no column 'z', but t, x, y, p"):
        SeriesModality(channels=1, columns=("z",)).load(file)


def test_irregular_stamps_are_brought_to_a_rate() -> None:
    stamps = np.array([1e9, 1e9 + 1, 1e9 + 3, 1e9 + 3, 1e9 + 4])  # exact in float64 alone
    array = np.stack([stamps, [0, 10, 30, 99, 40]], 1)
    raw = SeriesModality(channels=1, columns=("2",), stamps="1", rate=2).load(array)
    np.testing.assert_allclose(raw[:, 0], np.arange(9) * 5)
    with pytest.raises(UnreadableItem, match="stamps in column '1' that fall"):
        SeriesModality(channels=1, columns=("2",), stamps="1", rate=2).load(array[::-1])


def test_steps_keep_the_length_and_say_their_width() -> None:
    modality = SeriesModality(channels=3, steps=EVERY_STEP)
    prepared = modality.prepare([modality.load(WALK), modality.load(WALK[:7])])
    assert prepared.arrays["series"].shape == (2, 30, modality.width)
    assert prepared.arrays["attention_mask"].sum(1).tolist() == [30, 7]
    assert np.isfinite(prepared.arrays["series"]).all()
    still = modality.prepare([np.ones((5, 3), np.float32)]).arrays["series"]
    assert np.isfinite(still).all()


def test_what_the_steps_do() -> None:
    line = np.stack([np.arange(10.0), 3 * np.arange(10.0)], 1)
    np.testing.assert_allclose(signals.detrended(line), 0, atol=1e-12)
    np.testing.assert_allclose(signals.derivative(line), [[1, 3]] * 10)
    np.testing.assert_allclose(signals.with_angle(line)[:, 2:], [[1 / np.sqrt(10), 3 / np.sqrt(10)]] * 10)
    np.testing.assert_allclose(signals.with_speed(line)[:, 2], np.log1p(np.sqrt(10)))
    bent = np.stack([np.arange(10.0) ** 2, np.zeros(10)], 1)
    np.testing.assert_allclose(signals.with_acceleration(bent)[2:-2, 2], np.log1p(2))
    np.testing.assert_allclose(signals.with_acceleration(line)[:, 2], 0, atol=1e-12)
    assert (signals.with_duration(line)[:, 2] == np.log(10)).all()
    moved = signals.at_origin(WALK)
    np.testing.assert_allclose(moved[:, :2], WALK[:, :2] - WALK[:, :2].mean(0))
    np.testing.assert_array_equal(moved[:, 2:], WALK[:, 2:])
    standard = signals.standardised(WALK)
    np.testing.assert_allclose(standard.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(standard.std(0), 1)
    kept = signals.in_proportion(WALK)
    np.testing.assert_allclose(kept[:, 0].std() / kept[:, 1].std(), WALK[:, 0].std() / WALK[:, 1].std())


def test_resampling_keeps_means_and_lines() -> None:
    line = np.linspace(0, 1, 50)[:, None]
    np.testing.assert_allclose(signals.resampled(line, 99)[:, 0], np.linspace(0, 1, 99))
    np.testing.assert_allclose(signals.resampled(WALK, 10), WALK.reshape(10, 3, 3).mean(1))
    np.testing.assert_allclose(signals.resampled(WALK, 7).mean(0), WALK.mean(0))
    fast = np.tile([1.0, -1.0], 500)[:, None]
    assert np.abs(signals.resampled(fast, 100)).max() < 1e-9  # what is too fast for the new rate is gone, not folded


def test_a_tone_stands_at_its_frequency() -> None:
    tone = np.sin(2 * np.pi * np.arange(256) * 20 / 256)[:, None]
    assert signals.spectrum(tone).argmax() == 20
    windows = signals.spectrogram(tone, 64)
    assert windows.shape == (7, 33)
    assert (windows.argmax(1) == 5).all()
    assert signals.spectrogram(tone[:10], 64).shape == (1, 33)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("velocty", "did you mean velocity"),
        ("resample", "resample=NUMBER"),
        ("resample=1", "resample=NUMBER"),
        ("zscore=3", "zscore, without a number"),
        ("angle", "two channels"),
        ("acceleration", "two channels"),
        ("origin", "two channels"),
    ],
)
def test_unknown_steps_are_refused(step: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        SeriesModality(channels=1, steps=(step,))


def test_the_training_split_sets_the_units_and_a_manifest_keeps_them() -> None:
    modality = SeriesModality(channels=3, steps=("velocity",), columns=("1", "2", "3"))
    fitted = modality.fit([WALK.astype(np.float32), 5 + WALK[:9].astype(np.float32)])
    whole = np.concatenate([part for raw in (WALK, 5 + WALK[:9]) for part in modality.windows(raw)])
    np.testing.assert_allclose(fitted.mean, whole.mean(0), rtol=1e-5)
    np.testing.assert_allclose(fitted.std, whole.std(0), rtol=1e-5)
    again = modality_from(json.loads(json.dumps(fitted.config())))
    assert again == fitted
    still = SeriesModality(channels=1).fit([np.full((5, 1), 7.0, np.float32)])
    assert still.std == (1.0,)


def test_an_item_is_prepared_alike_alone_and_among_others() -> None:
    modality = SeriesModality(channels=3, length=10, steps=("zscore",))
    raws = [modality.load(WALK[:n]) for n in (4, 30, 10)]
    among = modality.prepare(raws)
    assert among.owner.tolist() == [0, 1, 1, 1, 1, 1, 2]
    for item, raw in enumerate(raws):
        alone = modality.prepare([raw]).arrays
        rows = np.flatnonzero(among.owner == item)
        length = alone["series"].shape[1]
        np.testing.assert_array_equal(among.arrays["series"][rows, :length], alone["series"])
        assert (among.arrays["series"][rows, length:] == 0).all()
        np.testing.assert_array_equal(among.arrays["attention_mask"].sum(1)[rows], alone["attention_mask"].sum(1))


def test_long_series_are_cut_at_random_in_training_and_covered_in_use() -> None:
    modality = SeriesModality(channels=1, length=10)
    raw = np.arange(33, dtype=np.float32)[:, None]
    windows = modality.prepare([raw]).arrays["series"][..., 0]
    assert np.unique(windows).tolist() == list(range(33))
    cuts = [modality.prepare([raw], rng=np.random.default_rng(seed)).arrays["series"][0, 0, 0] for seed in range(50)]
    assert 0 <= min(cuts) < 5 < 18 < max(cuts) <= 23
    groups = modality.together([raw, raw[:5], raw[:30]])
    assert sorted(np.concatenate(groups).tolist()) == [0, 1, 2]


def test_a_part_is_taken_out_on_a_straight_line() -> None:
    raw = np.array([[0.0], [9], [9], [3]], np.float32)
    assert SeriesModality(channels=1).without(raw, (1, 3)).tolist() == [[0], [1], [2], [3]]


def traces(folder: Path) -> Path:
    for who in "ab":
        for number in range(3):
            rows = "\n".join(f"{t * 10},{t + number},{number}" for t in range(20 + number))
            written(folder, f"{who}/{number}.csv", f"time,x,y\n{rows}\n")
    return folder


def test_a_folder_per_identity_is_recognised(tmp_path: Path) -> None:
    found = read(traces(tmp_path))
    assert found.modality == SeriesModality(channels=2, stamps="time")
    assert "6 series of 2 identities" in found.summary()
    assert "column 'time' holds time stamps, regular, and left out" in found.summary()
    assert found.load(0).shape == (20, 2)
    told = read(tmp_path, kind="series", channels="x", stamps="")
    assert told.load(0).shape == (20, 1)
    text = read(tmp_path, kind="text") if list(tmp_path.rglob("*.txt")) else None
    assert text is None


def test_bad_files_cost_only_themselves(tmp_path: Path) -> None:
    traces(tmp_path)
    for name, content in {"empty": "", "words": "no numbers\n", "wide": "time,x,y,z\n0,1,2,3\n1,2,3,4\n"}.items():
        written(tmp_path, f"a/{name}.csv", content)
    decoded = decode(read(tmp_path), allow_bad=0.5)
    assert len(decoded) == 6
    said = decoded.summary()
    assert "3 items skipped" in said
    assert "empty.csv (is empty)" in said
    assert "3 channels where 2 are expected" in said


def test_files_that_could_only_be_series_are_called_so(tmp_path: Path) -> None:
    for name in "ab":
        written(tmp_path, f"{name}/1.csv", "no numbers here\n")
    with pytest.raises(DataError, match=r"none of the series looked at can be read; the first: .*no table of numbers"):
        read(tmp_path)


def test_a_column_that_is_left_out_need_not_be_there(tmp_path: Path) -> None:
    found = read(traces(tmp_path)).modality
    assert isinstance(found, SeriesModality)
    assert found.stamps == "time"
    assert not found.rate
    np.testing.assert_array_equal(found.load(WALK[:, :2]), WALK[:, :2].astype(np.float32))
    with pytest.raises(UnreadableItem, match="has no column 't'"):
        SeriesModality(channels=2, stamps="t", rate=2).load(WALK[:, :2])


def test_irregular_stamps_are_noticed(tmp_path: Path) -> None:
    for name in "abc":
        stamps = np.cumsum(RNG.integers(1, 9, 40))
        written(tmp_path, f"{name}/1.csv", "t,v\n" + "\n".join(f"{t},{v}" for v, t in enumerate(stamps)))
    found = read(tmp_path)
    assert isinstance(found.modality, SeriesModality)
    assert found.modality.rate > 0
    assert "brought to" in found.summary()


def test_a_row_per_point(tmp_path: Path) -> None:
    rows = [f"{who},{t},{t * k},{-t},{'good' if k > 1 else 'bad'}" for k, who in enumerate("pqr") for t in range(12)]
    RNG.shuffle(rows)
    file = written(tmp_path, "long.csv", "id,time,u,v,label\n" + "\n".join(rows) + "\n")
    found = read(file)
    assert len(found) == 3
    names = [found.name(i) for i in range(3)]
    assert sorted(names) == ["p", "q", "r"]
    r = found.load(names.index("r"))
    np.testing.assert_array_equal(r, np.stack([2 * np.arange(12), -np.arange(12)], 1))
    assert found.identity is not None
    assert found.identity.value(names.index("r")) == "good"
    assert "read as one point in a row: 3 series of u, v, in the order of 'time'" in found.summary()
    for told in ({"channels": "u"}, {"channels": "u", "kind": "series", "stamps": "time"}):
        np.testing.assert_array_equal(read(file, **told).load(names.index("r"))[:, 0], 2 * np.arange(12))
    assert "in the order of the rows" in read(file, stamps="").summary()
    assert "column 'time' holds time stamps, regular" in found.summary()


def test_a_row_per_series(tmp_path: Path) -> None:
    header = ",".join(["label", *(f"p{i}" for i in range(12))])
    rows = [",".join([label, *(str(i * k) for i in range(12 - k))]) + "," * k for k, label in enumerate("aabb")]
    found = read(written(tmp_path, "wide.csv", "\n".join([header, *rows]) + "\n"))
    assert [len(found.load(i)) for i in range(4)] == [12, 11, 10, 9]
    assert "read as one series in a row, of 12 columns p0 to p11" in found.summary()
    few = read({"label": ["a", "b"], "x": [1.0, 2.0], "y": [1.0, 5.0]}, kind="series")
    assert few.load(1).tolist() == [[2], [5]]
    with pytest.raises(DataError, match="kind='series'"):
        read({"label": ["a", "b"], "x": [1.0, 2.0], "y": [1.0, 5.0]})


def test_files_of_the_archives(tmp_path: Path) -> None:
    for split, n in (("TRAIN", 4), ("TEST", 6)):
        rows = ["\t".join([str(i % 2 + 1), *(str(v) for v in RNG.normal(size=10)), "NaN"]) for i in range(n)]
        written(tmp_path, f"Set/Set_{split}.tsv", "\n".join(rows) + "\n")
    whole = read(tmp_path / "Set")
    assert "Given splits: test 6, train 4." in whole.summary()
    assert whole.load(0).shape == (10, 1)
    assert len(read(tmp_path / "Set" / "Set_TRAIN.tsv")) == 4
    plain = read(written(tmp_path, "plain.csv", "\n".join(",".join(f"{v:.3f}" for v in row) for row in WALK.T) + "\n"))
    assert plain.identity is None
    assert plain.load(0).shape == (30, 1)
    assert "read as series, without classes" in plain.summary()
    ts = written(tmp_path, "a.ts", "@problemName a\n@classLabel true x y\n@data\n1,2,3:4,?,6:x\n1,2:3,4:y\n")
    found = read(ts)
    assert [found.load(i).shape for i in range(2)] == [(3, 2), (2, 2)]
    assert found.identity is not None
    assert found.identity.names == ["x", "y"]
    with pytest.raises(DataError, match="a line @data"):
        read(written(tmp_path, "b.ts", "1,2\n"))


def test_arrays_and_lists_of_lists() -> None:
    ragged = [WALK[:n] for n in (5, 9, 30)]
    assert read(ragged).modality == SeriesModality(channels=3)
    assert read([WALK[:n, 0] for n in (5, 9, 30)]).load(1).shape == (9, 1)
    stack = np.stack([WALK, -WALK])
    assert isinstance(read(stack, kind="series").modality, SeriesModality)
    assert read(stack).modality == SeriesModality(channels=3)  # no picture has values below 0
    cells = {"trace": [each.tolist() for each in ragged], "label": ["a", "b", "c"]}
    found = read(cells, item="trace")
    assert found.load(2).shape == (30, 3)
    plain = {"trace": [each[:, 0].tolist() for each in ragged], "label": ["a", "b", "c"]}
    assert read(plain, series="trace").load(2).shape == (30, 1)
    assert read(plain, item="trace").load(2).shape == (30, 1)


def test_windows_of_a_recording_are_items_and_it_is_their_group(tmp_path: Path) -> None:
    for who, n in (("fan", 100), ("pump", 55), ("valve", 7)):
        file = tmp_path / who / "1.npy"
        file.parent.mkdir()
        np.save(file, np.arange(n, dtype=np.float32)[:, None] + 1000 * (who == "pump"))
    whole = read(tmp_path, window=20, hop=10)
    assert len(whole) == 9 + 4
    assert whole.load(1)[0, 0] == 10
    assert whole.load(9)[0, 0] == 1000
    assert whole.name(1).endswith("1.npy[10:30]")
    assert whole.group is not None
    assert whole.group.counts().tolist() == [9, 4]
    assert whole.identity is not None
    assert whole.identity.value(0) == "fan"
    assert "13 windows of 2 recordings" in whole.summary()
    assert "1 recording shorter than a window left out" in whole.summary()
    with pytest.raises(DataError, match="no recording has a window of 500 points"):
        read(tmp_path, window=500)
    with pytest.raises(RecipeError, match="give window too"):
        read(tmp_path, hop=5)
    with pytest.raises(RecipeError, match="kind = 'sound' does not exist"):
        read(tmp_path, kind="sound")


def test_numbers_without_names_are_the_channels_in_their_order() -> None:
    modality = SeriesModality(channels=2, columns=("x", "y"), stamps="t")
    rows = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    for given in (rows, np.array(rows)):
        np.testing.assert_array_equal(modality.load(given), np.array(rows, np.float32))
    table = b"t,y,x\n0,2,1\n0.1,4,3\n0.2,6,5\n"
    np.testing.assert_allclose(modality.load(table), np.array(rows), rtol=1e-6)
    with pytest.raises(UnreadableItem, match="no column 'x'"):
        modality.load([[0.0, 1.0, 2.0]] * 3)


def test_a_column_without_a_name_that_rises_as_time_does_is_said(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for number in (1, 2):
            clock = 500 * number + 10 * np.arange(20)
            clock[15:] += 70  # the pen was lifted
            rows = np.stack([RNG.normal(size=20), clock, RNG.normal(size=20)], 1)
            written(tmp_path, f"{name}/{number}.txt", "\n".join(" ".join(map(str, row)) for row in rows))
    found = read(tmp_path, kind="series")
    assert "column 2 rises evenly in every series looked at" in found.summary()
    assert found.modality.channels == 3
    told = read(tmp_path, kind="series", stamps="2")
    assert "column '2' holds time stamps" in told.summary()
    assert told.modality.channels == 2
    for said in (read(tmp_path, kind="series", stamps=""), read(tmp_path, kind="series", channels="1,3")):
        assert "rises evenly" not in said.summary()
