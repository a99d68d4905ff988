"""Records: fields that may be missing, tables whose columns make them, and fields taken apart as pairs."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from gemel.errors import DataError, NotEnoughData, RecipeError, UnreadableItem
from gemel.items import (
    ImageModality,
    RecordModality,
    SeriesModality,
    TextModality,
    VectorModality,
    content_id,
    decode,
    modality_from,
    read,
)
from gemel.items.branched import branched
from gemel.items.record_tables import fields_of

COLORS = {"red": (200, 0, 0), "green": (0, 200, 0), "blue": (0, 0, 200)}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A table of six products with pictures, one of which is missing, and one title."""
    (tmp_path / "photos").mkdir()
    rows = []
    for number in range(6):
        color = list(COLORS)[number % 3]
        Image.new("RGB", (8, 8), COLORS[color]).save(tmp_path / "photos" / f"{number}.png")
        rows.append({"sku": f"{number}", "name": f"a {color} lamp", "price": f"{10 + number}", "kind": color})
    rows[4]["name"], rows[5]["price"] = "", ""
    with (tmp_path / "shop.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return tmp_path / "shop.csv"


FIELDS = "photo=photos/{sku}.png, name, price"


def records(length: int = 6) -> tuple[RecordModality, list[dict[str, Any]]]:
    """A fitted modality of four kinds of fields, and items that lack some."""
    rng = np.random.default_rng(0)
    bare = RecordModality(
        {
            "photo": ImageModality(height=4, width=4),
            "name": TextModality(vocabulary=100, length=8),
            "trace": SeriesModality(channels=1, length=length),
            "price": VectorModality(1, scaled=True),
        }
    )
    sources: list[dict[str, Any]] = [
        {
            "photo": rng.integers(0, 256, (6, 6, 3), dtype=np.uint8),
            "name": " ".join(["old red lamp", "new chair", "glass"][: 1 + i % 3]),
            "trace": rng.normal(size=(4 + 3 * i, 1)),
            "price": [float(i)],
        }
        for i in range(5)
    ]
    for i, name in enumerate(("photo", "name", "trace", "price")):
        sources[i] = {**sources[i], name: None}
    raws = [bare.load(source) for source in sources]
    return bare.fit(raws), raws


@pytest.mark.parametrize("nothing", [None, "", float("nan"), np.float32("nan"), pd.NA, pd.NaT])
def test_a_number_is_itself_and_what_is_nothing_is_missing(nothing: Any) -> None:
    modality = RecordModality({"price": VectorModality(1, scaled=True), "size": VectorModality(2)})
    assert modality.load({"price": 12.5, "size": nothing})["price"].tolist() == [12.5]
    assert list(modality.load({"price": nothing, "size": [1, 2]})) == ["size"]
    assert modality.load('{"price": 3}')["price"].tolist() == [3]
    with pytest.raises(UnreadableItem, match="where \\[2\\] is expected"):
        modality.load({"size": 3})


def test_what_is_missing_is_said_and_not_looked_at() -> None:
    modality, raws = records(length=100)
    prepared = modality.prepare(raws)
    expected = 1 - np.eye(5, 4, dtype=np.int64)
    np.testing.assert_array_equal(prepared.arrays["present"], expected)
    for i, raw in enumerate(raws):
        alone = modality.prepare([raw]).arrays
        assert all(min(x.shape) > 0 for x in alone.values())
        for name, field in modality.fields.items():
            if name not in raw:
                continue
            for array, values in field.prepare([raw[name]]).arrays.items():
                within = tuple(slice(side) for side in values.shape[1:])
                np.testing.assert_array_equal(prepared.arrays[f"{name}.{array}"][i][within], values[0])
                np.testing.assert_array_equal(alone[f"{name}.{array}"], values)


def test_an_item_has_as_many_rows_as_its_field_with_the_most_windows() -> None:
    modality, raws = records(length=6)
    prepared = modality.prepare(raws)
    trace = modality.fields["trace"]
    for i, raw in enumerate(raws):
        rows = np.flatnonzero(prepared.owner == i)
        own = trace.prepare([raw["trace"]]).arrays["series"] if "trace" in raw else np.zeros((1, 6, 1))
        assert len(rows) == len(own)
        if "trace" in raw:
            np.testing.assert_array_equal(prepared.arrays["trace.series"][rows][:, : own.shape[1]], own)
        if "photo" in raw:
            assert (prepared.arrays["photo.image"][rows] == prepared.arrays["photo.image"][rows[0]]).all()
    assert len(prepared.owner) > len(raws)


def test_a_manifest_keeps_the_order_of_fields_and_what_they_learned() -> None:
    modality, raws = records()
    again = modality_from(json.loads(json.dumps(modality.config(), sort_keys=True)))
    assert again == modality
    assert isinstance(again, RecordModality)
    assert list(again.fields) == list(modality.fields)
    for name, array in modality.prepare(raws).arrays.items():
        np.testing.assert_array_equal(again.prepare(raws).arrays[name], array)


def test_numbers_come_in_units_of_the_training_split() -> None:
    modality, raws = records(length=100)
    prices = np.array([raw["price"][0] for raw in raws if "price" in raw])
    found = modality.prepare(raws).arrays["price.vector"][[i for i, raw in enumerate(raws) if "price" in raw], 0]
    np.testing.assert_allclose(found, (prices - prices.mean()) / prices.std(), rtol=1e-5)
    assert VectorModality(2).fit(np.ones((3, 2))).mean == ()


def test_a_record_is_without_a_field_or_without_a_part_of_it() -> None:
    modality, raws = records()
    assert "name" not in modality.without(raws[4], "name")
    changed = modality.without(raws[4], ("photo", (0, 0, 2, 2)))
    assert (changed["photo"] != raws[4]["photo"]).any()
    assert changed["name"] is raws[4]["name"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ({}, "none of the fields"),
        ({"photo": None, "name": " ", "price": float("nan")}, "none of the fields"),
        ({"nmae": "x"}, "has a field 'nmae'; expected photo, name"),
        ({"photo": "no.png"}, "no.png: is the photo of a record, and there is no such file"),
        ("photo.png", 'is a str, where {"photo": …, "name": …'),
        ('{"photo"', "no JSON object"),
        ({"price": [np.inf]}, "NaN or an infinity"),
    ],
)
def test_what_is_no_record_is_named(source: Any, reason: str) -> None:
    modality, _ = records()
    with pytest.raises(UnreadableItem, match=reason.replace("{", r"\{")):
        modality.load(source)


def test_json_is_a_record_and_content_tells_records_apart() -> None:
    modality, _ = records()
    assert content_id(modality.load('{"name": "lamp"}')) == content_id(modality.load({"name": "lamp", "photo": None}))
    assert content_id(modality.load({"name": "lamp"})) != content_id(modality.load({"name": "lamps"}))


@pytest.mark.parametrize("name", ["a.b", "present", "", "1,2"])
def test_fields_have_names_that_inputs_can_have(name: str) -> None:
    with pytest.raises(RecipeError, match="cannot be called"):
        RecordModality({name: VectorModality(1)})


def test_columns_and_patterns_make_records(shop: Path) -> None:
    data = read(shop, fields=FIELDS, identity="kind")
    assert isinstance(data.modality, RecordModality)
    assert {n: m.name for n, m in data.modality.fields.items()} == {"photo": "image", "name": "text", "price": "vector"}
    assert "photo (image), name (text), price (number)" in data.summary()
    assert data.identity is not None
    assert data.identity.value(1) == "green"
    assert sorted(data.load(4)) == ["photo", "price"]
    assert sorted(data.load(5)) == ["name", "photo"]
    assert data.load(1)["price"] == [11.0]
    assert read(shop, fields="name,photo=photos/{sku:0>1}.png").source(3)["photo"].endswith("3.png")


def test_an_unreadable_field_loses_its_record_alone(shop: Path) -> None:
    (shop.parent / "photos" / "2.png").write_bytes(b"no image")
    decoded = decode(read(shop, fields=FIELDS), allow_bad=0.5)
    assert len(decoded) == 5
    assert len(decoded.bad) == 1
    assert "is the photo of a record" in decoded.summary()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ("photo=photos/{sku}.png", "two columns or more"),
        ("name,name", "twice"),
        ("name,nmae", "no column 'nmae'"),
        ("name,photo=photos/{skuu}.png", "no column 'skuu'"),
        ("name,photo=pictures/{sku}.png", "none of 6 paths"),
        ("name,photo=photos/{sku.png", "cannot be read"),
        ("name,photo=photos/{sku:05d}.png", "cannot be read.*0>5"),
        ("name,photo=photos/{}.png", "cannot be read"),
    ],
)
def test_fields_that_cannot_be_are_refused(shop: Path, fields: str, reason: str) -> None:
    with pytest.raises((DataError, RecipeError), match=reason):
        read(shop, fields=fields)


def test_fields_are_columns_of_a_table_of_items(shop: Path) -> None:
    with pytest.raises(DataError, match="fields are columns of a table"):
        read(shop.parent, fields="a,b")
    with pytest.raises(DataError, match="holds pairs"):
        read({"a": ["x"], "b": ["y"], "same": [1]}, fields="a,b")


def test_a_folder_with_a_table_beside_it_says_so(shop: Path) -> None:
    with pytest.raises(DataError, match=r"shop\.csv may\. Give that table"):
        read(shop.parent)


def test_the_pattern_of_a_field_is_told_from_a_column() -> None:
    assert fields_of("image=a/{id}.jpg,title") == {"image": "a/{id}.jpg", "title": "title"}


def test_records_taken_apart_are_pairs_of_their_fields(shop: Path) -> None:
    data = read(shop, fields=FIELDS, identity="kind")
    apart = branched(data, "photo", "name")
    assert len(apart) == 11
    assert apart.identity is None
    assert apart.pairs is not None
    assert len(apart.pairs) == 5
    assert "1 record without photo or name" in apart.summary()
    for a, b in zip(apart.pairs.a, apart.pairs.b, strict=True):
        assert list(apart.load(int(a))) == ["photo"]
        assert list(apart.load(int(b))) == ["name"]
        assert apart.name(int(a)).split()[-2] == apart.name(int(b)).split()[-2]
    some = apart.take(np.arange(4))
    assert list(some.load(3)) == ["name"]
    with pytest.raises(UnreadableItem, match="photo and name, where one of"):
        apart.modality.load({"photo": data.source(0)["photo"], "name": "lamp"})


def test_only_fields_of_records_are_taken_apart(shop: Path) -> None:
    data = read(shop, fields=FIELDS)
    with pytest.raises(RecipeError, match="names 'title'"):
        branched(data, "photo", "title")
    with pytest.raises(RecipeError, match="fields='photo,name'"):
        branched(read(shop, text="name"), "photo", "name")
    with pytest.raises(NotEnoughData, match="no record has both"):
        branched(data.take([4]), "photo", "name")


def test_a_field_that_no_training_item_has_is_refused() -> None:
    modality, raws = records()
    with pytest.raises(NotEnoughData, match="has the field 'name'; leave it out"):
        modality.fit([raw for raw in raws if "name" not in raw])
