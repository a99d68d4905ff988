"""A folder of small pictures and a twin trained on them by the real command, once for all tests of the shell."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from gemel.cli import main
from tests.learn.patterns import QUICK, patterns


@dataclass(frozen=True)
class Ran:
    """What a command did: its exit code and what it printed."""

    code: int
    out: str
    err: str


Shell = Callable[..., Ran]


def run(capture: pytest.CaptureFixture[str] | None, *words: object) -> Ran:
    """Run a command in this process, as the shell would."""
    before, sys.argv = sys.argv, ["gemel", *map(str, words)]
    try:
        main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.argv = before
    out, err = ("", "") if capture is None else capture.readouterr()
    return Ran(code, out, err)


@pytest.fixture
def gemel(capsys: pytest.CaptureFixture[str]) -> Shell:
    return lambda *words: run(capsys, *words)


def write(folder: Path, **how: int) -> Path:
    """A folder per identity, a PNG per item."""
    images, labels = patterns(**how)  # type: ignore[arg-type]
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        own = folder / f"p{label:03d}"
        own.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(own / f"{i:04d}.png")
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("shell") / "pictures", identities=60, items=6)


@pytest.fixture(scope="session")
def model(pictures: Path) -> Path:
    recipe = pictures.parent / "quick.toml"
    recipe.write_text(QUICK.toml(), encoding="utf-8")
    out = pictures.parent / "pictures.gemel"
    assert run(None, "train", pictures, "--out", out, "--recipe", recipe).code == 0
    return out
