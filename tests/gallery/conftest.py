"""One PostgreSQL server for all tests of galleries; started by the first that asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gallery.server import Server, running


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    with running() as server:
        yield server
