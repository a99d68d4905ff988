"""Scanned pages from the shell: prepared as asked for, in training and in use; forgeries found by their folders."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gemel.siamese import Siamese
from tests.cli.conftest import Shell
from tests.learn.test_prepare import signed

QUICK = "--steps 4 --size 16 --width 4 --depth 2 --dim 8 --checks 1 --precision fp32".split()


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Three scribbles of each of sixty people; for the first ten, one that somebody else made."""
    pages = signed(70)
    for i, pixels in enumerate(pages):
        name = f"{i // 3:02d}" if i < 180 else f"{i // 3 - 60:02d}_forg"
        (tmp_path / "scans" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "scans" / name / f"{i}.png")
    return tmp_path / "scans"


def test_pages_are_prepared_alike_in_training_and_in_use(gemel: Shell, scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.gemel"
    ran = gemel("train", scans, "--out", out, *QUICK, "--prepare", "ink,deskew,crop")
    assert ran.code == 0, ran.err
    assert '"_forg"' in ran.err
    manifest = Siamese.load(out).modality.config()
    assert (manifest["steps"], manifest["resize"]) == (["ink", "deskew", "crop"], "pad")
    assert gemel("verify", out, scans / "00/0.png", scans / "00/1.png").code in (0, 1)
    blank = tmp_path / "blank.png"
    Image.fromarray(np.full((64, 96), 230, np.uint8)).save(blank)
    asked = gemel("verify", out, scans / "00/0.png", blank)
    assert asked.code not in (0, 1)
    assert "blank.png: is blank: no ink" in asked.err


def test_what_is_needed_to_train_on_scans_is_found(gemel: Shell, scans: Path, tmp_path: Path) -> None:
    ran = gemel("train", scans, "--out", tmp_path / "x.gemel", "--dry-run", "--json")
    assert ran.code == 0, ran.err
    values = json.loads(ran.out)
    assert values["recipe"]["protocol"] == "open"
    assert values["recipe"]["encoder"] == "conv"
    assert any("imitations" in note for note in values["notes"])
    own = gemel("train", scans, "--out", tmp_path / "x.gemel", "--dry-run", "--json", "--impostors", "")
    assert own.code == 0, own.err
    assert not any("imitations" in note for note in json.loads(own.out)["notes"])


def test_a_step_for_other_items_is_refused_with_those_there_are(gemel: Shell, scans: Path, tmp_path: Path) -> None:
    ran = gemel("train", scans, "--out", tmp_path / "x.gemel", "--prepare", "ink,zscore", "--dry-run")
    assert ran.code != 0
    assert "no step 'zscore' that prepares an image" in ran.err
    assert "ink, binary, deskew, crop" in ran.err
