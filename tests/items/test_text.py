"""Texts: read, repaired, cut into pieces; told from paths; several columns as one."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gemel.errors import DataError, ModelError, RecipeError, UnreadableItem
from gemel.items import TextModality, decode, modality_from, read

TEXTS = ["A plane is taking off.", "A man is playing a large flute.", "Three men are playing chess.", "Ünïcode is fine"]


@pytest.fixture(scope="module")
def fitted() -> TextModality:
    bare = TextModality(vocabulary=200, length=8)
    return bare.fit([bare.load(text) for text in TEXTS])


def said(raw: np.ndarray) -> str:
    return bytes(raw).decode("utf-8")


def test_broken_bytes_are_repaired_and_accents_made_one(tmp_path: Path) -> None:
    bare = TextModality()
    assert said(bare.load(b"need impro\xffvement ")) == "need impro\ufffdvement"
    assert said(bare.load("e\u0301")) == "\u00e9"
    (tmp_path / "a.txt").write_text("from a file", encoding="utf-8")
    assert said(bare.load(tmp_path / "a.txt")) == "from a file"
    assert said(bare.load("a lone \udc80 surrogate")) == "a lone ? surrogate"


@pytest.mark.parametrize(
    ("source", "reason"),
    [("  ", "empty"), (None, "empty"), (7, "is a int, where a text"), (Path("no.txt"), "No such file")],
)
def test_what_is_no_text_is_named(source: object, reason: str) -> None:
    with pytest.raises(UnreadableItem, match=reason):
        TextModality().load(source)


def test_an_item_is_prepared_alike_alone_and_among_others(fitted: TextModality) -> None:
    raws = [fitted.load(text) for text in TEXTS]
    among = fitted.prepare(raws).arrays
    for row, raw in enumerate(raws):
        alone = fitted.prepare([raw]).arrays
        length = alone["input_ids"].shape[1]
        assert (among["input_ids"][row, :length] == alone["input_ids"][0]).all()
        assert among["attention_mask"][row].sum() == length
    assert among["input_ids"].shape[1] <= 8


def test_what_is_cut_off_is_counted(fitted: TextModality) -> None:
    raws = [fitted.load("short"), fitted.load("a man is playing chess and a plane is taking off")]
    assert fitted.cut(raws[:1]) == 0
    assert fitted.cut(raws) >= 1


def test_the_vocabulary_is_kept_and_comes_back(fitted: TextModality) -> None:
    again = modality_from(fitted.config())
    raws = [fitted.load(text) for text in TEXTS]
    assert (again.prepare(raws).arrays["input_ids"] == fitted.prepare(raws).arrays["input_ids"]).all()
    assert fitted.fit([]) is fitted
    assert fitted.pieces <= 200


def test_padding_and_truncation_of_a_foreign_tokenizer_do_not_count(fitted: TextModality) -> None:
    from tokenizers import Tokenizer

    foreign = Tokenizer.from_str(fitted.tokenizer)
    foreign.enable_padding(length=50)
    foreign.enable_truncation(3)
    own = TextModality(length=8, tokenizer=foreign.to_str())
    raws = [own.load(text) for text in TEXTS]
    assert (own.prepare(raws).arrays["input_ids"] == fitted.prepare(raws).arrays["input_ids"]).all()


def test_texts_of_like_length_are_prepared_together(fitted: TextModality) -> None:
    longer = replace(fitted, length=400)
    raws = [longer.load("a " * n) for n in [*range(1, 300), *range(1, 300)]]
    groups = longer.together(raws)
    assert sorted(np.concatenate(groups)) == list(range(len(raws)))
    for group in groups:
        pieces = longer.prepare([raws[i] for i in group]).arrays["attention_mask"].sum(1)
        assert list(pieces) == sorted(pieces)
        assert len(group) == 1 or len(group) * pieces.max() <= 512


def test_without_a_vocabulary_nothing_is_prepared() -> None:
    with pytest.raises(ModelError, match="fit it"):
        TextModality().prepare([TextModality().load("a text")])
    with pytest.raises(RecipeError, match="at least 3"):
        TextModality(length=2)


def written(file: Path, rows: list[list[str]]) -> Path:
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)
    return file


def test_a_table_of_sentence_pairs_holds_texts(tmp_path: Path) -> None:
    pairs = [["sentence1", "sentence2", "score"], [TEXTS[0], TEXTS[1], "0.5"], [TEXTS[2], TEXTS[0], "0"]]
    data = read(written(tmp_path / "p.csv", pairs))
    assert data.modality == TextModality()
    assert data.pairs is not None
    assert sorted(said(raw) for raw in decode(data).raws) == sorted(TEXTS[:3])


def test_several_columns_are_one_text_with_markers(tmp_path: Path) -> None:
    rows = [["id", "title", "price", "brand"], ["1", "Desk lamp", "12", "lux"], ["2", "Chair", " ", "lux"]]
    data = read(written(tmp_path / "p.csv", rows), text="title,price", identity="brand")
    assert [said(raw) for raw in decode(data).raws] == ["[title] Desk lamp [price] 12", "[title] Chair"]
    assert data.name(0) == "1"


def test_paths_and_ids_are_not_taken_for_texts(tmp_path: Path) -> None:
    paths = [["image", "identity"], ["my lamp.jpg", "a"], ["a chair.jpg", "b"]]
    with pytest.raises(DataError, match="none of 2 paths"):
        read(written(tmp_path / "a.csv", paths))
    with pytest.raises(DataError, match="If these are ids"):
        read(written(tmp_path / "b.csv", [["a", "b", "same"], ["p1", "p2", "1"], ["p3", "p1", "0"]]))


def test_single_words_are_texts_where_that_is_said(tmp_path: Path) -> None:
    data = read(written(tmp_path / "w.csv", [["word", "identity"], ["lamp", "a"], ["lamps", "a"]]), text="word")
    assert data.modality == TextModality()
    assert read(["lamp", "lamps"], labels=["a", "a"], modality=TextModality()).modality.name == "text"
    assert read(TEXTS, labels=list("aabb")).modality.name == "text"


def test_an_empty_text_is_a_bad_item_beside_good_ones() -> None:
    found = decode(read([*TEXTS, "  "], labels=list("aabbc"), modality=TextModality()), allow_bad=0.5)
    assert len(found) == 4
    assert found.bad[0].reason == "is empty"


def test_a_part_is_taken_out_by_its_characters(fitted: TextModality) -> None:
    assert said(fitted.without(fitted.load("über alles"), (0, 5))) == "alles"


def test_a_folder_of_texts_per_identity(tmp_path: Path) -> None:
    for place, words in {
        "refund/1.txt": "money back",
        "refund/2.md": "a refund please",
        "login/1.txt": "cannot log in",
    }.items():
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text(words, encoding="utf-8")
    (tmp_path / "login" / "notes.pdf").touch()
    found = read(tmp_path)
    assert isinstance(found.modality, TextModality)
    assert found.identity is not None
    assert [found.identity.value(i) for i in range(3)] == ["login", "refund", "refund"]
    assert [said(found.load(i)) for i in range(3)] == ["cannot log in", "money back", "a refund please"]
    assert any("1 file left alone, not texts or series" in note for note in found.notes)
    (tmp_path / "empty" / "x").mkdir(parents=True)
    (tmp_path / "empty" / "x" / "a.pdf").touch()
    with pytest.raises(DataError, match="no image, sound, text or series stands at"):
        read(tmp_path / "empty")


def test_rows_keep_their_places_where_all_columns_of_a_text_are_empty() -> None:
    table = {"id": ["1", "2", "3"], "title": ["red", "", "blue"], "body": ["  old  bike", None, ""], "y": list("aab")}
    found = read(table, text="title,body", identity="y")
    assert said(found.load(0)) == "[title] red [body] old  bike"
    assert said(found.load(2)) == "[title] blue"
    with pytest.raises(UnreadableItem, match="empty"):
        found.load(1)
    pairs = read(table, text="title,body", pairs={"a": ["1", "3"], "b": ["3", "1"], "same": [1, 0]})
    assert said(pairs.load(0)) == "[title] red [body] old  bike"


def test_long_names_and_large_strings_are_texts() -> None:
    russian = ["Очень длинное предложение, которое не помещается в имя файла. " * 3, "Другое предложение о том же."]
    assert isinstance(read(russian).modality, TextModality)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"title": ["red", "blue"], "body": ["old bike", "new car"]})
    assert said(read(frame, text="title,body").load(1)) == "[title] blue [body] new car"


@pytest.mark.parametrize("text", ["東京 大学", "\u200b", "\x01"])
def test_what_the_vocabulary_cannot_read_is_named(fitted: TextModality, text: str) -> None:
    with pytest.raises(UnreadableItem, match="nothing that the vocabulary knows"):
        fitted.load(text)
    assert said(fitted.load(text + " a plane")) == text.strip() + " a plane"
