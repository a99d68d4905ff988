"""A gallery from the shell: from the first example to forgetting, as a new user would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from tests.gallery.server import Server, running


@pytest.fixture
def people(gemel: Shell, model: Path, pictures: Path, tmp_path: Path) -> Path:
    """Three known identities, two items each."""
    path = tmp_path / "people.db"
    for name in ("p050", "p051", "p052"):
        files = sorted((pictures / name).iterdir())[:2]
        first = () if path.exists() else ("--model", model)
        assert gemel("enroll", path, name, *files, "--metadata", f"site={name[-1]}", *first).code == 0
    return path


def item(pictures: Path, name: str, place: int) -> Path:
    return sorted((pictures / name).iterdir())[place]


def test_one_is_enrolled_claimed_named_found_and_forgotten(gemel: Shell, people: Path, pictures: Path) -> None:
    probe = item(pictures, "p051", 4)
    assert gemel("verify", people, probe, "--claim", "p051").out.startswith("same")
    assert gemel("verify", people, probe, "--claim", "p050").code == 1
    named = gemel("identify", people, item(pictures, "p051", 0))
    assert (named.code, named.out.split(":")[0]) == (0, "p051")
    assert "bayes, 3 enrolled" in named.out
    assert json.loads(gemel("identify", people, item(pictures, "p051", 0), "--json").out)["identity"] == "p051"
    hits = json.loads(gemel("search", people, probe, "-k", 2, "--json").out)["hits"]
    assert [hit["identity"] for hit in hits] == ["p051", "p051"]
    only = json.loads(gemel("search", people, probe, "--where", "site=2", "--json").out)["hits"]
    assert {hit["identity"] for hit in only} == {"p052"}
    assert gemel("forget", people, "p051", "--item", item(pictures, "p051", 0)).out.startswith("p051: 1 item forgotten")
    assert gemel("forget", people, "p051").code == 0
    gone = gemel("verify", people, probe, "--claim", "p051")
    assert gone.code == 2
    assert "'p051' is not enrolled" in gone.err


def test_a_folder_is_enrolled_and_the_gallery_looked_at(
    gemel: Shell, model: Path, pictures: Path, tmp_path: Path
) -> None:
    path = tmp_path / "all.db"
    assert "360 items enrolled" in gemel("enroll", path, "--from", pictures, "--model", model).out
    again = gemel("enroll", path, "--from", pictures)
    assert again.out.startswith("0 items enrolled, 360 known already; 60 identities known")
    info = gemel("gallery", "info", path, "--names")
    assert info.out.startswith("60 identities, 360 items.")
    assert "p007" in info.out
    assert gemel("gallery", "rename", path, "p007", "ada").code == 0
    assert gemel("gallery", "export", path, tmp_path / "all.parquet").code == 0
    imported = gemel("gallery", "import", tmp_path / "two.db", tmp_path / "all.parquet", "--model", model)
    assert "360 items imported; 60 identities known" in imported.out
    assert gemel("gallery", "rebuild", path, tmp_path / "three.db").out.startswith("360 items rescued, 0 known")
    moved = gemel("gallery", "migrate", path, "--model", model)
    assert "360 items embedded by the new model" in moved.out


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.mark.parametrize(
    ("where", "words"),
    [("file", "ten nearest found, on 36 items not yet in it"), ("database", "on 36 items asked for among the others")],
)
def test_an_index_says_where_it_is_and_what_it_finds(
    gemel: Shell, model: Path, pictures: Path, tmp_path: Path, request: pytest.FixtureRequest, where: str, words: str
) -> None:
    pytest.importorskip("faiss")
    path = tmp_path / "all.db" if where == "file" else request.getfixturevalue("postgres").fresh()
    assert gemel("enroll", path, "--from", pictures, "--model", model).code == 0
    said = gemel("gallery", "index", path)
    assert words in said.out
    assert said.out.startswith("An index of pgvector, in the database.") == (where == "database")
    assert Path(f"{path}.near").exists() == (where == "file")
    promise = json.loads(gemel("gallery", "index", path, "--recall", 0.9, "--json").out)
    assert promise["kept"]
    assert promise["inside"] == (where == "database")


def test_a_search_can_be_looked_at(gemel: Shell, people: Path, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "found.html"
    assert f"Page:  {out}" in gemel("search", people, item(pictures, "p050", 3), "-k", 3, "--html", out).out
    page = out.read_text()
    assert page.count("<img") == 4
    assert "p050" in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["enroll", "new.db", "ada", "a.png"], "There is no gallery new.db. To begin one, name the model"),
        (["enroll", "new.db"], "Give a name and a file"),
        (["enroll", "new.db", "ada"], "Give a name and a file"),
        (["identify", "new.db", "a.png"], "There is no gallery new.db"),
        (["identify", ".", "a.png"], "is a folder"),
        (["verify", "new.db", "a.png", "b.png", "--claim", "ada"], "A claim takes a gallery and one item"),
        (["verify", "new.gemel", "a.png"], "Compare A with another item"),
        (["gallery", "rebuild", "new.db", "out.db"], "There is no gallery new.db"),
    ],
)
def test_wrong_words_are_told(gemel: Shell, words: list[str], said: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = gemel(*words)
    assert ran.code == 2
    assert said in ran.err
    assert not list(tmp_path.iterdir())


def test_metadata_must_be_pairs(gemel: Shell, people: Path, pictures: Path) -> None:
    ran = gemel("search", people, item(pictures, "p050", 0), "--where", "north")
    assert ran.code == 2
    assert "Expected KEY=VALUE" in ran.err
