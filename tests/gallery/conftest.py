"""What several tests of galleries need, made once: a calibrated twin of vectors, and a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from gemel.items import read
from gemel.siamese import Siamese
from tests.gallery.server import Server, running


@pytest.fixture(scope="session")
def twin() -> Siamese:
    """Of 16 dimensions; calibrated on sixty identities that no test enrols."""
    rng = np.random.default_rng(99)
    rows = np.concatenate([center + 0.25 * rng.normal(size=(4, 16)) for center in rng.normal(size=(60, 16))])
    return Siamese.from_vectors(16).calibrate(read(rows.astype(np.float32), labels=[f"c{i // 4}" for i in range(240)]))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Started by the first test that asks for it; no port of the machine is taken."""
    with running() as server:
        yield server
