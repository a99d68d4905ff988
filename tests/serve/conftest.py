"""What several tests of the server need: a calibrated twin of vectors, items of identities, and an application."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="takes the serving part: pip install 'gemel[serve]'")

from starlette.testclient import TestClient

from gemel.gallery import Gallery
from gemel.items import read
from gemel.serve import Settings
from gemel.serve.app import application
from gemel.siamese import Siamese

Serving = Callable[..., TestClient]


@pytest.fixture(scope="session")
def twin() -> Siamese:
    """Of 16 dimensions; calibrated on sixty identities that no test enrols."""
    rng = np.random.default_rng(99)
    rows = np.concatenate([center + 0.25 * rng.normal(size=(4, 16)) for center in rng.normal(size=(60, 16))])
    return Siamese.from_vectors(16).calibrate(read(rows.astype(np.float32), labels=[f"c{i // 4}" for i in range(240)]))


@pytest.fixture
def serving(twin: Siamese, tmp_path: Path) -> Iterator[Serving]:
    """Starts an application; again with the same name, it finds what was enrolled before."""
    with ExitStack() as stack:

        def start(name: str = "people.db", **settings: Any) -> TestClient:
            place = tmp_path / name
            gallery = Gallery(place, None if place.exists() else twin)
            app = application(gallery, Settings(name=name, **settings))
            return stack.enter_context(TestClient(app, base_url="http://127.0.0.1:8000"))

        yield start


class Crowd:
    """Items of identities that are well apart."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(5)
        self._centers = self._rng.normal(size=(40, 16))

    def item(self, who: int) -> list[float]:
        """Another item of an identity."""
        return (self._centers[who] + 0.1 * self._rng.normal(size=16)).round(5).tolist()


@pytest.fixture
def crowd() -> Crowd:
    return Crowd()
