"""`gemel duplicates` from the shell: pairs, a file of them, something new, and what it refuses."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Shell


@pytest.fixture
def doubled(pictures: Path, tmp_path: Path) -> Path:
    """Twenty identities, and one picture twice."""
    for own in sorted(pictures.iterdir())[:20]:
        shutil.copytree(own, tmp_path / "some" / own.name)
    first = next((tmp_path / "some" / "p000").iterdir())
    shutil.copy(first, tmp_path / "some" / "p001" / "copy.png")
    return tmp_path / "some"


def test_pairs_are_listed_or_written(gemel: Shell, model: Path, doubled: Path, tmp_path: Path) -> None:
    ran = gemel("duplicates", model, doubled)
    assert ran.code == 0
    assert "copy.png" in ran.out
    assert "different ones come this close" in ran.out
    for ending in ("csv", "parquet"):
        assert gemel("duplicates", model, doubled, "--out", tmp_path / f"pairs.{ending}").code == 0
    with (tmp_path / "pairs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = json.loads(gemel("duplicates", model, doubled, "--json").out)
    assert len(rows) == found["pairs"]
    assert rows[0]["distance"] == "0.0"
    assert found["closest"][0]["a"] == rows[0]["a"]


def test_something_new_is_asked_about(gemel: Shell, model: Path, doubled: Path) -> None:
    asked = gemel("duplicates", model, doubled, "--of", doubled / "p001" / "copy.png", "--json")
    found = json.loads(asked.out)
    assert found["known"] is True
    assert found["nearest"][0]["distance"] == pytest.approx(0, abs=1e-6)
    assert "items are the same" in gemel("duplicates", model, doubled, "--of", doubled / "p001" / "copy.png").out
    lax = gemel("duplicates", model, doubled, "--of", doubled / "p001" / "copy.png", "--prior", "0.9999").out
    assert "called the same by chance; where one item is compared with so many, state a low prior" in lax


def test_what_cannot_be_written_is_refused_first(gemel: Shell, model: Path, doubled: Path, tmp_path: Path) -> None:
    assert gemel("duplicates", model, doubled, "--out", tmp_path / "pairs.txt").code == 2
    both = gemel("duplicates", model, doubled, "--out", tmp_path / "p.csv", "--of", "x.png")
    assert both.code == 2
    assert "give one of them" in both.err
    assert gemel("duplicates", model, doubled, "--of", "nothing.png").code == 2
