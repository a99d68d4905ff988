"""Folders: identities, splits, groups, forgeries, and what is no image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gemel.errors import DataError
from gemel.items import UNKNOWN, read
from tests.items.conftest import picture


def tree(root: Path, *files: str) -> Path:
    for i, name in enumerate(files):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(i).save(path) if path.suffix == ".png" else path.write_text("text")
    return root


def values(labels: object, n: int) -> list[str | None]:
    return [labels.value(i) for i in range(n)]  # type: ignore[attr-defined]


def test_a_folder_per_identity(people: Path) -> None:
    faces = read(people)
    assert len(faces) == 12
    assert values(faces.identity, 12) == [f"p{i // 3}" for i in [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 9]]
    assert faces.load(0).shape == (64, 64, 3)
    assert faces.name(3) == str(Path("p1/3.png"))
    assert faces.notes == ()
    assert "12 images of 4 identities (3 each)" in faces.summary()


def test_what_is_no_image_is_counted_and_named(people: Path) -> None:
    tree(people, "p0/notes.txt", "p1/Thumbs.db", "p1/.hidden.png", ".git/x.png", "read.me", "p2/deep/er.png")
    faces = read(people)
    assert len(faces) == 12
    assert "3 files left alone" in faces.summary()
    assert "notes.txt" in faces.summary()
    assert "1 folder inside the folders of identities not entered: deep" in faces.summary()


def test_splits_are_recognised_only_when_all_folders_are_splits(tmp_path: Path) -> None:
    root = tree(tmp_path / "a", "train/x/1.png", "Validation/y/2.png", "calibration/z/3.png", "test/x/4.png")
    read_ = read(root)
    assert values(read_.split, 4) == ["stop", "calibrate", "test", "train"]
    assert values(read_.identity, 4) == ["y", "z", "x", "x"]
    mixed = read(tree(tmp_path / "b", "train/1.png", "bus/2.png"))
    assert mixed.split is None
    assert values(mixed.identity, 2) == ["bus", "train"]


def test_groups_name_their_identities(tmp_path: Path) -> None:
    root = tree(tmp_path, "Greek/c1/1.png", "Greek/c2/2.png", "Latin/c1/3.png")
    letters = read(root, grouped=True)
    assert values(letters.identity, 3) == ["Greek/c1", "Greek/c2", "Latin/c1"]
    assert values(letters.group, 3) == ["Greek", "Greek", "Latin"]
    with pytest.raises(DataError, match="grouped=True"):
        read(root)


def test_splits_above_groups(tmp_path: Path) -> None:
    letters = read(tree(tmp_path, "train/Greek/c1/1.png", "test/Latin/c1/3.png"), grouped=True)
    assert values(letters.split, 2) == ["test", "train"]
    assert values(letters.group, 2) == ["Latin", "Greek"]


def test_forgeries_are_impostors_of_the_identity_before_the_ending(tmp_path: Path) -> None:
    root = tree(tmp_path, "001/a.png", "001_forg/b.png", "002/c.png", "003_forg/d.png")
    found, asked = read(root), read(root, impostors="_forg")
    for each in (found, asked):
        assert values(each.identity, 4) == ["001", None, "002", None]
        assert values(each.impostor_of, 4) == [None, "001", None, "003"]
        assert each.identity is not None
        assert each.impostor_of is not None
        assert each.identity.names is each.impostor_of.names
        assert each.identity.codes[1] == UNKNOWN
    assert "(001_forg) were taken for imitations" in found.summary()
    assert "impostors=" not in asked.summary()
    own = read(root, impostors="")
    assert own.impostor_of is None
    assert own.counts().identities == 4
    assert "imitations" not in own.summary()
    with pytest.raises(DataError, match="_fake"):
        read(root, impostors="_fake")


@pytest.mark.parametrize(
    ("folders", "impostors"),
    [
        (["a", "a_forg", "b"], 1),
        (["a", "a-Forgeries", "b", "b-Forgeries"], 2),
        (["a", "b_forg"], 0),
        (["shoe", "shoe_simple", "shoe_skirt"], 0),
        (["forg", "fake"], 0),
        (["a", "a_forg", "a_fake"], 0),
    ],
)
def test_only_names_that_say_so_beside_an_identity_are_forgeries(
    folders: list[str], impostors: int, tmp_path: Path
) -> None:
    found = read(tree(tmp_path, *(f"{name}/x.png" for name in folders)))
    assert found.counts().impostors == impostors
    assert found.counts().identities == len(folders) - impostors


def test_of_two_endings_of_forgeries_none_is_chosen_and_both_are_named(tmp_path: Path) -> None:
    said = read(tree(tmp_path, "a/1.png", "a_forg/2.png", "a_fake/3.png")).summary()
    assert 'impostors="_forg"' in said
    assert 'impostors="_fake"' in said


def test_images_without_folders_have_no_identity(tmp_path: Path) -> None:
    loose = read(tree(tmp_path, "1.png", "2.png"))
    assert loose.identity is None
    assert "no identity is known" in loose.summary()


@pytest.mark.parametrize(
    ("files", "message"),
    [([], "holds no files"), (["a.pdf"], "no image"), (["x/a.pdf"], "a.pdf"), (["x/y/z/1.png"], "grouped=True")],
)
def test_a_folder_without_images_says_what_it_expected(files: list[str], message: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(DataError, match=message):
        read(tree(root, *files))


def test_paths_of_the_wrong_kind(people: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file or folder"):
        read(tmp_path / "nowhere")
    with pytest.raises(DataError, match="is one image"):
        read(people / "p0" / "0.png")
    for name, message in (("a.zip", "archive"), ("a.doc", "another kind")):
        (tmp_path / name).write_text("x")
        with pytest.raises(DataError, match=message):
            read(tmp_path / name)
    with pytest.raises(DataError, match="int cannot be read"):
        read(3)


def test_reading_is_the_same_every_time(people: Path) -> None:
    a, b = read(people), read(people)
    assert list(a.sources) == list(b.sources)
    assert a.identity is not None
    assert b.identity is not None
    np.testing.assert_array_equal(a.identity.codes, b.identity.codes)
