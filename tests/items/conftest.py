"""Small folders of pictures that the tests of this room share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("GEMEL_CACHE", str(folder))
    return folder


def picture(seed: int = 0, height: int = 12, width: int = 10) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Four identities with three pictures each."""
    root = tmp_path / "people"
    for i in range(12):
        folder = root / f"p{i // 3}"
        folder.mkdir(parents=True, exist_ok=True)
        picture(i).save(folder / f"{i}.png")
    return root


@pytest.fixture
def real() -> Path:
    """The folder of unpacked real data, from GEMEL_DATA."""
    folder = os.environ.get("GEMEL_DATA")
    if not folder:
        pytest.skip("GEMEL_DATA does not name a folder of real data")
    return Path(folder)
