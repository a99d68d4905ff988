"""Twins of texts from the shell: scores and cuts, prefixes, int8, adapters' absence; only what the shell adds."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Shell, run
from tests.learn.test_texts import texts

QUICK = "--width 16 --depth 1 --dim 16 --vocabulary 200 --length 16 --steps 40 --checks 2 --lr 5e-3 --precision fp32"

SCORES = ("--scores", "0", "5")


def table(file: Path, seed: int) -> Path:
    """Pairs of texts with a score from 0 to 5: how many words they share."""
    data, rng = texts(120, 4, seed=seed), np.random.default_rng(seed)
    words = [str(data.source(i)) for i in range(len(data))]
    with file.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["a", "b", "score"])
        for i in range(0, len(words), 2):
            a, b = words[i], words[i + 1] if rng.random() < 0.5 else words[rng.integers(len(words))]
            rows.writerow([a, b, round(5 * len({*a.split()} & {*b.split()}) / 4, 2)])
    return file


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    train, out = table(folder / "train.csv", 0), folder / "s.gemel"
    ran = run(None, "train", train, "--out", out, *SCORES, "--prefixes", "8", "--holdout", "0.4", *QUICK.split())
    assert ran.code == 0
    table(folder / "more.csv", 1)
    return folder


def test_scores_give_a_score_and_a_verdict_once_a_cut_is_named(gemel: Shell, scored: Path) -> None:
    model, more, cut = scored / "s.gemel", scored / "more.csv", scored / "cut.gemel"
    asked = ("red lamp old", "old red lamp")
    score = json.loads(gemel("verify", model, *asked, "--score", "--json").out)["score"]
    assert 0 <= score <= 1
    refused = gemel("verify", model, *asked)
    assert refused.code == 2
    assert "--cut" in refused.err
    measured = gemel("evaluate", model, more, *SCORES)
    assert measured.code == 0
    assert "Spearman" in measured.out
    how = (*SCORES, "--cut", "0.6", "--allow-overlap")
    assert gemel("calibrate", model, more, "--out", cut, *how).code == 0
    assert gemel("verify", cut, *asked).code in (0, 1)
    assert "false match" in gemel("evaluate", cut, more, *SCORES, "--cut", "0.6").out


def test_int8_and_prefixes_are_models_of_their_own(gemel: Shell, scored: Path) -> None:
    model, more = scored / "s.gemel", scored / "more.csv"
    how = (*SCORES, "--cut", "0.6", "--allow-overlap")
    kept = gemel("calibrate", model, more, "--int8", *how)
    assert kept.code == 2
    assert "--out" in kept.err
    small, short = scored / "int8.gemel", scored / "short.gemel"
    made = gemel("calibrate", model, more, "--int8", "--out", small, *how)
    assert made.code == 0
    assert "int8" in made.out
    assert gemel("calibrate", model, more, "--dim", "8", "--out", short, *how).code == 0
    assert "of 8 dimensions" in gemel("info", short).out
    assert gemel("verify", small, "red lamp", "red lamp").code == 0
    missing = gemel("verify", model, "red lamp", "red lamp", "--dim", "5", "--score")
    assert missing.code == 2
    assert "--prefixes 5" in missing.err
