"""Where commands write: a place that cannot be written to is refused before the work, and the work is done once."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from gemel.siamese import Siamese
from tests.cli.conftest import Shell


def too_late(*given: object, **how: object) -> NoReturn:
    raise AssertionError("the work has begun")


@pytest.fixture
def vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A model of vectors and a file of them, where nothing may be embedded or trained."""
    monkeypatch.setattr("gemel.siamese.twin.Siamese.embed", too_late)
    monkeypatch.setattr("gemel.learn.outset.outset", too_late)
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "v.npz", embedding=rng.normal(size=(40, 8)).astype(np.float32), identity=np.arange(40) // 2)
    return Siamese.from_vectors(8).save(tmp_path / "v.gemel"), tmp_path / "v.npz"


def test_a_folder_that_does_not_exist(gemel: Shell, vectors: tuple[Path, Path], tmp_path: Path) -> None:
    for words in (
        ("embed", *vectors, "--out", tmp_path / "no" / "e.npz"),
        ("evaluate", *vectors, "--report", tmp_path / "no" / "r.html"),
        ("calibrate", *vectors, "--out", tmp_path / "no" / "x.gemel"),
        ("train", vectors[1], "--out", tmp_path / "no" / "x.gemel"),
    ):
        ran = gemel(*words)
        assert ran.code == 2
        assert f"{tmp_path / 'no'} for" in ran.err


def test_a_folder_where_a_file_should_be(gemel: Shell, vectors: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "e.npz").mkdir()
    assert "is a folder" in gemel("embed", *vectors, "--out", tmp_path / "e.npz").err
    assert "is a folder" in gemel("evaluate", *vectors, "--report", tmp_path).err


def test_a_folder_that_a_model_may_not_replace(gemel: Shell, vectors: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "x.gemel").mkdir()
    (tmp_path / "x.gemel" / "diary.txt").write_text("dear", encoding="utf-8")
    assert "left alone" in gemel("train", vectors[1], "--out", tmp_path / "x.gemel").err
    assert "left alone" in gemel("calibrate", *vectors, "--out", tmp_path / "x.gemel").err
    (vectors[0] / "notes.txt").write_text("mine", encoding="utf-8")
    assert "notes.txt" in gemel("calibrate", *vectors).err
    assert (tmp_path / "x.gemel" / "diary.txt").exists()


def test_a_report_and_its_numbers_come_from_one_embedding(
    gemel: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "v.npz", embedding=rng.normal(size=(40, 8)).astype(np.float32), identity=np.arange(40) // 2)
    Siamese.from_vectors(8).save(tmp_path / "v.gemel")
    embed, calls = Siamese.embed, []
    monkeypatch.setattr(Siamese, "embed", lambda *given, **how: calls.append(given) or embed(*given, **how))
    ran = gemel("evaluate", tmp_path / "v.gemel", tmp_path / "v.npz", "--report", tmp_path / "r.html")
    assert ran.code == 0, ran.err
    assert (tmp_path / "r.html").exists()
    assert len(calls) == 1
