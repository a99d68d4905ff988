"""What `gemel train` leaves and says when a run finished, was interrupted, failed, or could not be reported on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gemel.errors import NotEnoughData, TrainingFailed
from gemel.siamese import Siamese
from tests.cli.conftest import Ran, Shell
from tests.learn.patterns import QUICK

Train = Callable[..., Ran]


@pytest.fixture
def train(gemel: Shell, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """`gemel train` on pictures, with a run that ends as told and takes no time."""
    (tmp_path / "r.toml").write_text(QUICK.toml(), encoding="utf-8")

    def trained(*flags: object, error: BaseException | None = None, interrupted: bool = False) -> Ran:
        def run(begun: Any, folder: Path, **how: object) -> Siamese:
            (folder / "recipe.toml").write_text(begun.recipe.toml(), encoding="utf-8")
            (folder / "last.ckpt").touch()
            if error is not None:
                raise error
            begun.learner.interrupted = interrupted
            return Siamese.from_vectors(8)

        monkeypatch.setattr("gemel.learn.train.run", run)
        return gemel("train", pictures, "--out", tmp_path / "x.gemel", "--recipe", tmp_path / "r.toml", *flags)

    return trained


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemel.report.write_report", lambda path, *given, **how: path)


@pytest.mark.usefixtures("reported")
def test_a_twin_without_a_decision_is_calibrated_next(train: Train, tmp_path: Path) -> None:
    ran = train()
    assert ran.code == 0, ran.err
    assert f"Next:   gemel calibrate {tmp_path / 'x.gemel'} DATA" in ran.out
    assert not (tmp_path / "x.gemel.training").exists()


@pytest.mark.parametrize("error", [NotEnoughData("there are no same pairs."), OSError("no space"), ValueError("odd")])
def test_a_report_that_fails_is_no_failure(train: Train, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*given: object, **how: object) -> None:
        raise error

    monkeypatch.setattr("gemel.report.write_report", fail)
    words, values = train(), train("--json")
    assert (words.code, values.code) == (0, 0), words.err
    assert "Report: none, " in words.out
    assert str(error) in words.out
    assert json.loads(values.out)["report"] is None


@pytest.mark.usefixtures("reported")
def test_an_interrupted_run_can_be_resumed(train: Train, tmp_path: Path) -> None:
    ran = train(interrupted=True)
    assert ran.code == 0, ran.err
    assert (tmp_path / "x.gemel").is_dir()
    assert (tmp_path / "x.gemel.training" / "last.ckpt").exists()
    assert "--resume" in ran.err
    again = train()
    assert again.code == 2
    assert "--resume" in again.err
    assert train("--resume").code == 0
    assert not (tmp_path / "x.gemel.training").exists()


@pytest.mark.parametrize(("error", "code"), [(TrainingFailed("NaN"), 2), (KeyboardInterrupt(), 130)])
def test_a_run_that_ends_early_keeps_its_checkpoints(
    train: Train, tmp_path: Path, error: BaseException, code: int
) -> None:
    ran = train(error=error)
    assert ran.code == code
    assert not (tmp_path / "x.gemel").exists()
    assert (tmp_path / "x.gemel.training" / "last.ckpt").exists()
    assert f"{tmp_path / 'x.gemel.training'}" in ran.err
    assert "--resume" in ran.err


def test_compare_prints_a_table_with_a_winner(gemel: Shell, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(QUICK.but(steps=5, holdout=0.5).toml(), encoding="utf-8")
    given = ("compare", pictures, "--recipe", tmp_path / "r.toml", "--loss", "supcon, bce", "--distance", "cosine")
    words, values = gemel(*given), gemel(*given, "--json")
    assert (words.code, values.code) == (0, 0), words.err
    assert "1 of 2: supcon with cosine distance" in words.err
    assert "distance." in words.out.splitlines()[-1]
    assert {trial["loss"] for trial in json.loads(values.out)["trials"]} == {"supcon", "bce"}
    assert "loss = 'magic' does not exist" in gemel(*given[:-3], "magic").err


def test_a_dry_run_does_not_settle_the_distance(gemel: Shell, pictures: Path, tmp_path: Path) -> None:
    ran = gemel("train", pictures, "--out", tmp_path / "x.gemel", "--distance", "auto", "--size", "16", "--dry-run")
    assert ran.code == 0, ran.err
    assert "four short trainings" in ran.err
