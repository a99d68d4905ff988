"""Public data sets through the reader; skipped where GEMEL_DATA does not name their folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gemel.items import read, split

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))


def folder(real: Path, *names: str) -> Path:
    path = real.joinpath(*names)
    if not path.exists():
        pytest.skip(f"GEMEL_DATA holds no {'/'.join(names)}")
    return path


def test_the_modified_hausdorff_baseline_of_omniglot(real: Path) -> None:
    """Lake et al. (2015): 38.8 % errors (155 of 400) over the 20 official runs."""
    import omniglot_hausdorff  # type: ignore[import-not-found]

    share, count = omniglot_hausdorff.error(folder(real, "omniglot", "one-shot-classification"))
    assert count == 400
    assert share == pytest.approx(0.3875)


def test_omniglot_has_its_characters_and_alphabets(real: Path) -> None:
    letters = read(folder(real, "omniglot", "images_background"), grouped=True)
    counts = letters.counts()
    assert (counts.items, counts.identities, counts.groups) == (19_280, 964, 30)
    parts = split(letters, by="group")
    assert sum(part.counts().groups for part in parts.values()) == 30


def test_signatures_have_their_writers_and_forgeries(real: Path) -> None:
    signatures = read(folder(real, "signatures-ink"))
    parts = split(signatures)
    assert parts.given
    assert [parts[name].counts().identities for name in ("train", "test")] == [43, 21]
    assert signatures.counts().impostors == 762
    assert not parts.shared


def test_faces_are_all_read(real: Path) -> None:
    counts = read(folder(real, "lfw", "all")).counts()
    assert (counts.items, counts.identities, counts.singletons) == (13_233, 5_749, 4_069)
