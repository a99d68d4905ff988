"""Flags: whatever `gemel.read` can be told, the shell can be told."""

from __future__ import annotations

import inspect
from dataclasses import fields
from pathlib import Path

import numpy as np

from gemel.cli.options import ALSO, READING, reading
from gemel.items import read
from gemel.items.columns import Columns
from gemel.siamese import Siamese
from tests.cli.conftest import Shell, write

IN_MEMORY = {"labels", "modality"}
"""What only Python can pass."""


def test_every_keyword_of_read_has_a_flag() -> None:
    keywords = {p.name for p in inspect.signature(read).parameters.values() if p.kind is p.KEYWORD_ONLY}
    columns = {field.name for field in fields(Columns)}
    assert READING.keys() == (keywords - IN_MEMORY) | columns | {"allow_bad", "text", "series"}
    assert ALSO == {"item": "--image"}


def test_only_what_was_given_is_passed_on() -> None:
    given = {name: default for name, (_, default, _) in READING.items()}
    assert reading(given) == {}
    assert reading({**given, "scores": (0.0, 5.0), "grouped": True}) == {"scores": (0.0, 5.0), "grouped": True}


def test_a_table_whose_columns_have_names_of_their_own(gemel: Shell, tmp_path: Path) -> None:
    files = sorted(write(tmp_path / "data", identities=12, items=4).rglob("*.png"))
    lines = [f"{f.relative_to(tmp_path / 'data')},{f.parent.name},{i}" for i, f in enumerate(files)]
    (tmp_path / "tables").mkdir()
    table = tmp_path / "tables" / "t.csv"
    table.write_text("\n".join(["foto,wer,wann", *lines]), encoding="utf-8")
    for name in ("--item", "--image"):
        ran = gemel(
            *("train", table, "--out", tmp_path / "x.gemel", "--dry-run", "--steps", 5, "--root", tmp_path / "data"),
            *(name, "foto", "--identity", "wer", "--time", "wann"),
        )
        assert ran.code == 0, ran.err
        assert "steps = 5" in ran.out


def test_graded_pairs_with_a_scale_of_their_own(gemel: Shell, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "v.npz", embedding=rng.normal(size=(60, 8)).astype(np.float32))
    table = tmp_path / "pairs.csv"
    table.write_text("\n".join(["l,r,how", *(f"{i},{i + 30},{i % 6}" for i in range(30))]), encoding="utf-8")
    Siamese.from_vectors(8).save(tmp_path / "v.gemel")
    words = ("evaluate", tmp_path / "v.gemel", tmp_path / "v.npz", "--pairs", table, "--json")
    ran = gemel(*words, "--a", "l", "--b", "r", "--score", "how", "--scores", 0, 5)
    assert ran.code == 0, ran.out
    assert gemel(*words, "--a", "l", "--b", "r", "--score", "how", "--scores", 0, 4).code == 2
