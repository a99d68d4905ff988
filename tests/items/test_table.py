"""Tables of any kind say the same thing; what is odd in them is counted and named."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest
from PIL import Image

from gemel.errors import DataError, RecipeError
from gemel.items import Collection, decode, read
from tests.items.conftest import picture

ROWS = {
    "file": ["p0/0.png", "p0/1.png", "p1/3.png", "p1/4.png"],
    "label": ["001", "001", "002", None],
    "session": ["a", "b", "a", "b"],
    "split": ["train", "val", "train", "test"],
    "time": [1.5, 2.5, 3.5, 4.5],
}


def written(folder: Path, kind: str) -> Any:
    table = pa.table(ROWS)
    path = folder / f"items.{kind}"
    if kind in ("csv", "tsv"):
        pa.csv.write_csv(table, path, pa.csv.WriteOptions(delimiter="," if kind == "csv" else "\t"))
    elif kind == "parquet":
        pa.parquet.write_table(table, path)
    elif kind == "jsonl":
        pd.DataFrame(ROWS).to_json(path, orient="records", lines=True)
    elif kind == "feather":
        pa.feather.write_feather(table, path)
    else:
        return {"pandas": pd.DataFrame(ROWS), "arrow": table, "dict": ROWS}[kind]
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet", "jsonl", "feather", "pandas", "arrow", "dict"])
def test_every_kind_of_table_says_the_same(kind: str, people: Path) -> None:
    items = read(written(people, kind), root=people)
    assert [items.name(i) for i in range(4)] == ROWS["file"]
    assert items.identity is not None
    assert items.group is not None
    assert items.split is not None
    assert [items.identity.value(i) for i in range(4)] == ROWS["label"]
    assert [items.group.value(i) for i in range(4)] == ROWS["session"]
    assert [items.split.value(i) for i in range(4)] == ["train", "stop", "train", "test"]
    np.testing.assert_array_equal(items.time, ROWS["time"])
    assert items.load(3).shape == (64, 64, 3)
    assert "item from 'file'; identity from 'label'; group from 'session'" in items.summary()


def test_paths_are_relative_to_the_table_and_root_overrides(people: Path, tmp_path: Path) -> None:
    assert read(written(people, "csv")).load(0).shape == (64, 64, 3)
    elsewhere = written(tmp_path, "csv")
    with pytest.raises(DataError, match="root="):
        read(elsewhere)
    assert read(elsewhere, root=people).load(0).shape == (64, 64, 3)


def test_columns_are_named_by_keyword(people: Path) -> None:
    table = {"where": ROWS["file"], "whom": ["a", "a", "b", "b"], "label": ["x"] * 4}
    items = read(table, root=people, image="where", identity="whom")
    assert items.counts().identities == 2
    assert items.notes == ()
    with pytest.raises(DataError, match="Did you mean 'where'"):
        read(table, image="were")
    with pytest.raises(DataError, match="no column of items was found among where, whom, label"):
        read(table)
    with pytest.raises(RecipeError, match="Did you mean identity"):
        read(table, identify="whom")
    with pytest.raises(RecipeError, match="name of a column"):
        read(table, image=3)


def test_a_rival_column_is_mentioned(people: Path) -> None:
    table = {"image": ROWS["file"], "label": [1, 1, 2, 2], "class": [1, 2, 3, 4]}
    assert "identity from 'label' (there is also class)" in read(table, root=people).summary()


def test_numbers_as_labels(people: Path) -> None:
    frame = pd.DataFrame({"image": ROWS["file"], "label": [1, 1, 2, None]})
    items = read(frame, root=people)
    assert items.identity is not None
    assert [items.identity.value(i) for i in range(4)] == ["1", "1", "2", None]


def test_mixed_encodings_and_ragged_rows_are_counted_and_named(people: Path) -> None:
    """Trap 30: mixed encodings are counted and named, never silent and never a stack trace."""
    path = people / "mixed.csv"
    path.write_bytes(
        b"image,person\np0/0.png,Zo\xe9\np0/1.png," + "Zoé".encode() + b'\np1/3.png,x,y\np1/4.png,"two\nlines"\n'
    )
    items = read(path)
    assert items.identity is not None
    assert [items.identity.value(i) for i in range(3)] == ["Zoé", "Zoé", "two\nlines"]
    assert "1 cell of column 'person', not UTF-8" in items.summary()
    assert "1 row skipped" in items.summary()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "|"])
def test_marks_and_delimiters_of_spreadsheets(encoding: str, delimiter: str, people: Path) -> None:
    path = people / "sheet.csv"
    lines = ["image,person", "p0/0.png,Jürgen", "p0/1.png,"]
    path.write_text("\n".join(lines).replace(",", delimiter), encoding=encoding)
    items = read(path)
    assert items.identity is not None
    assert [items.identity.value(i) for i in range(2)] == ["Jürgen", None]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"image,label\n", "no rows"),
        ("a.parquet", b"not parquet", "cannot be read as a parquet"),
        ("a.jsonl", b"{broken", "cannot be read as a jsonl"),
        ("a.npz", b"nothing", "cannot be read as NumPy"),
    ],
)
def test_damaged_tables_are_refused_in_words(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read(tmp_path / name)


def test_pointers_to_duplicates_close_over_chains(people: Path) -> None:
    table = {
        "id": ["a", "b", "c", "d", "e", "f"],
        "image": [f"p{i // 3}/{i}.png" for i in range(6)],
        "duplicate_of": [None, "a", "b", None, "gone", "gone"],
    }
    items = read(table, root=people)
    assert items.identity is not None
    assert [items.identity.value(i) for i in range(6)] == ["a", "a", "a", "d", "e", "e"]
    assert "2 items pointing at an id that is not in the table, such as 'gone'" in items.summary()


def test_impostors_share_the_codes_of_identities(people: Path) -> None:
    table = {"image": ROWS["file"], "identity": ["a", "b", "c", None], "impostor_of": [None, None, "a", "z"]}
    items = read(table, root=people)
    assert items.identity is not None
    assert items.impostor_of is not None
    assert items.identity.names is items.impostor_of.names
    assert [items.identity.value(i) for i in range(4)] == ["a", "b", None, None]
    assert [items.impostor_of.value(i) for i in range(4)] == [None, None, "a", "z"]
    assert "taken as impostors" in items.summary()


def test_dates_become_seconds(people: Path) -> None:
    table = {"image": ROWS["file"][:2], "date": ["2020-01-01", "2020-01-02 00:00:01"]}
    items = read(table, root=people)
    assert items.time is not None
    assert np.diff(items.time) == 86401
    with pytest.raises(DataError, match="numbers or dates"):
        read({"image": ROWS["file"][:2], "date": ["soon", "late"]}, root=people)


def test_images_in_cells() -> None:
    pictures = [picture(i) for i in range(3)]
    data = []
    for image in pictures:
        import io

        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        data.append(buffer.getvalue())
    frames = [
        {"img": pictures, "label": [0, 0, 1]},
        {"img": data, "label": [0, 0, 1]},
        {"img": [np.asarray(p) for p in pictures], "label": [0, 0, 1]},
        pa.table({"img": [{"bytes": d, "path": None} for d in data], "label": [0, 0, 1]}),
    ]
    loaded = [decode(read(frame)) for frame in frames]
    for other in loaded[1:]:
        np.testing.assert_array_equal(np.asarray(other.raws), np.asarray(loaded[0].raws))


def test_vectors_from_arrays_files_and_lists(tmp_path: Path) -> None:
    matrix = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    who = ["a", "a", "b", "b", "c", "c"]
    np.savez(tmp_path / "e.npz", embeddings=matrix, labels=np.array(who))
    np.save(tmp_path / "e.npy", matrix)
    flat = pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), 4)
    sources: list[Collection] = [
        read(matrix, labels=who),
        read((matrix, who)),
        read(tmp_path / "e.npz"),
        read(tmp_path / "e.npy", labels=who),
        read(pa.table({"embedding": flat, "person": who})),
        read(pa.table({"vector": matrix.tolist(), "person": who})),
        read(pd.DataFrame({"features": list(matrix), "person": who})),
    ]
    for items in sources:
        assert items.modality.config() == {"name": "vector", "dim": 4}
        assert items.counts().identities == 3
        np.testing.assert_allclose(np.asarray(decode(items).raws), matrix, rtol=1e-6)


def test_images_as_one_array() -> None:
    items = read(np.zeros((5, 9, 8), np.uint8), labels=[0, 0, 1, 1, 2])
    assert items.load(2).shape == (64, 64, 3)
    with pytest.raises(DataError, match="one per item"):
        read(np.zeros((5, 9, 8)), labels=[1])
    with pytest.raises(DataError, match="no items"):
        read(np.zeros((0, 4)))
    with pytest.raises(DataError, match="give vectors"):
        read(np.zeros(4))


def test_a_list_of_paths(people: Path) -> None:
    items = read(ROWS["file"], root=people, labels=["a", "a", "b", "b"])
    assert items.load(1).shape == (64, 64, 3)
    assert items.name(1) == "p0/1.png"


class ClassLabel:
    names = ("cat", "dog")


class HubDataset:
    """What is used of a Hugging Face dataset."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.column_names = table.column_names
        self.features = {name: ClassLabel() if name == "label" else None for name in table.column_names}

    def select_columns(self, names: list[str]) -> HubDataset:
        return HubDataset(self.table.select(names))

    def with_format(self, kind: str) -> HubDataset:
        assert kind == "arrow"
        return self

    def __getitem__(self, rows: slice) -> pa.Table:
        return self.table[rows]


def test_datasets_of_the_hub() -> None:
    import io

    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(buffer, "PNG")
    cells = [{"bytes": buffer.getvalue(), "path": "a.png"}] * 3
    dataset = HubDataset(pa.table({"image": cells, "label": [1, 0, -1]}))
    items = read(dataset)
    assert items.identity is not None
    assert [items.identity.value(i) for i in range(3)] == ["dog", "cat", None]
    assert (items.load(0) == [255, 0, 0]).all()
    both = read({"train": dataset, "test": dataset})
    assert both.split is not None
    assert [both.split.value(i) for i in range(6)] == ["train"] * 3 + ["test"] * 3
    assert both.counts().identities == 2


def test_a_large_table_opens_without_touching_its_cells(people: Path) -> None:
    n = 1_000_000
    numbers = np.arange(n)
    path = pa.array(["p0/0.png"]).take(pa.array(numbers * 0))
    table = pa.table({"image": path, "label": pa.array(numbers % 5000)})
    start = time.perf_counter()
    opened = read(table, root=people)
    assert time.perf_counter() - start < 5
    assert opened.counts().identities == 5000
    assert len(opened.take(np.arange(0, n, 7))) == (n + 6) // 7
    assert opened.load(n - 1).shape == (64, 64, 3)


def test_importing_the_room_is_cheap() -> None:
    code = "import sys, gemel.items; print([m for m in ('PIL', 'pyarrow', 'pandas', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
