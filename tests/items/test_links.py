"""Pairs and triplets: by path, by value, by id; graded; what cannot be used is counted and named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gemel.errors import DataError
from gemel.items import Collection, read
from tests.items.conftest import picture

FILES = [f"p{i // 3}/{i}.png" for i in range(6)]


def named(items: Collection) -> list[tuple[str, str, Any]]:
    assert items.pairs is not None
    known = items.pairs.same if items.pairs.same is not None else items.pairs.score
    assert known is not None
    return [
        (items.name(int(a)), items.name(int(b)), k) for a, b, k in zip(items.pairs.a, items.pairs.b, known, strict=True)
    ]


def test_pairs_by_path_share_their_items(people: Path) -> None:
    (people / "pairs.csv").write_text(f"a,b,same\n{FILES[0]},{FILES[1]},1\n{FILES[0]},{FILES[3]},0\n")
    items = read(people / "pairs.csv")
    assert len(items) == 3
    assert named(items) == [(FILES[0], FILES[1], True), (FILES[0], FILES[3], False)]
    assert items.load(2).shape == (64, 64, 3)
    assert "2 pairs: 1 same, 1 different" in items.summary()


def test_pairs_by_value() -> None:
    one, two, three = (picture(i) for i in range(3))
    items = read({"a": [one, one], "b": [two, three], "label": ["same", "different"]})
    assert len(items) == 3
    assert items.pairs is not None
    np.testing.assert_array_equal(items.pairs.a, [0, 0])


@pytest.mark.parametrize("form", ["table", "list", "file"])
def test_pairs_by_id_into_another_table(form: str, people: Path) -> None:
    table = {"id": list("uvwxyz"), "image": FILES, "label": [0, 0, 0, 1, 1, 1]}
    rows = [("u", "v", True), ("w", "z", False)]
    pairs: Any = rows
    if form == "table":
        pairs = dict(zip(("left", "right", "match"), map(list, zip(*rows, strict=True)), strict=True))
    elif form == "file":
        pairs = people / "clicks.csv"
        pairs.write_text("a,b,same\nu,v,true\nw,z,false\n")
    items = read(table, root=people, pairs=pairs)
    assert len(items) == 6
    assert named(items) == rows


def test_pairs_of_a_folder(people: Path) -> None:
    assert named(read(people, pairs=[(FILES[0], FILES[4], 0)])) == [(FILES[0], FILES[4], False)]


def test_clicks_without_a_label_are_same(people: Path) -> None:
    items = read(people, pairs=[(FILES[0], FILES[4])])
    assert named(items) == [(FILES[0], FILES[4], True)]
    assert "every pair was taken as same" in items.summary()


def test_scores_are_rescaled_by_a_stated_range(people: Path) -> None:
    table = {"a": FILES[:3], "b": FILES[3:], "score": [0, 2.5, 5]}
    items = read(table, root=people, scores=(0, 5))
    assert [score for _, _, score in named(items)] == [0, 0.5, 1]
    with pytest.raises(DataError, match=r"scores=\(0, 5\)"):
        read(table, root=people)
    with pytest.raises(DataError, match="lowest and then the highest"):
        read(table, root=people, scores=(5, 0))
    with pytest.raises(DataError, match="outside 1 to 5"):
        read(table, root=people, scores=(1, 5))


def test_a_label_that_is_no_label_is_shown(people: Path) -> None:
    with pytest.raises(DataError, match=r"maybe.*score='same'"):
        read({"a": FILES[:2], "b": FILES[2:4], "same": ["yes", "maybe"]}, root=people)


def test_an_item_is_never_paired_with_itself(people: Path) -> None:
    """Trap 8: (x, x) is never a positive pair."""
    items = read(people, pairs=[(FILES[0], FILES[0], 1), (FILES[0], FILES[1], 1)])
    assert named(items) == [(FILES[0], FILES[1], True)]
    assert "1 row pairing an item with itself dropped" in items.summary()


def test_lost_ends_and_contradictions_are_counted(people: Path) -> None:
    rows = [(FILES[0], FILES[1], 1), (FILES[1], FILES[0], 0), ("gone.png", FILES[0], 1)]
    items = read(people, pairs=rows)
    assert len(named(items)) == 2
    assert "1 row naming an item that is not there dropped, such as gone.png" in items.summary()
    assert "1 pair called both same and different" in items.summary()
    with pytest.raises(DataError, match="none of its items"):
        read(people, pairs=[("x", "y", 1)])
    with pytest.raises(DataError, match="no columns of pairs"):
        read(people, pairs={"one": [1], "two": [2]})
    with pytest.raises(DataError, match="all alike"):
        read(people, pairs=[("x", "y"), ("x", "y", 1)])


def test_ids_without_their_table_are_explained(people: Path) -> None:
    with pytest.raises(DataError, match="read\\(items, pairs=…\\)"):
        read({"a": ["u"], "b": ["v"], "same": [1]})


def test_triplets(people: Path) -> None:
    table = {"anchor": FILES[:2], "positive": FILES[1:3], "negative": FILES[3:5]}
    for items in (read(table, root=people), read(people, pairs=table)):
        assert items.triplets is not None
        got = [items.name(int(i)) for i in items.triplets.negative]
        assert got == FILES[3:5]
        assert "2 triplets" in items.summary()


def test_given_splits_of_pairs_stay_as_they_are(people: Path) -> None:
    """Trap 21: an item in pairs of two given splits leaks, and that is said."""
    table = {"a": FILES[:2], "b": [FILES[2], FILES[2]], "same": [1, 1], "split": ["train", "test"]}
    items = read(table, root=people)
    assert items.split is not None
    assert len(items) == 4
    assert items.pairs is not None
    for a, b in zip(items.pairs.a, items.pairs.b, strict=True):
        assert items.split.value(int(a)) == items.split.value(int(b))
    assert "1 item in pairs of more than one given split" in items.summary()
