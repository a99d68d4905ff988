"""A real browser before a real server: what the tests of the page share."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gemel.gallery import Gallery
from gemel.serve.settings import Settings
from gemel.siamese import Siamese
from tests.serve.page.twins import ADA, BEA, source, vector, world
from tests.serve.page.visitor import Visitor

SECONDS = 15


class Server:
    """A gallery that is served by this process, and can be stopped and started again at the same address.

    Args:
        settings: how it is served.
        file: of the gallery; None: in memory.
        twin: of a new gallery.
        known: identity → items, enrolled before the first request.
    """

    def __init__(self, settings: Settings, file: Path | None, twin: Siamese, known: Mapping[str, Any]) -> None:
        self.settings, self.file, self.twin, self.known = settings, file, twin, known
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._running: tuple[Any, threading.Thread] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        import uvicorn

        from gemel.serve.app import application

        there = self.file is not None and self.file.exists()
        gallery = Gallery(self.file, None if there else self.twin)
        for identity, items in {} if there else self.known.items():
            gallery.enroll(identity, items, keep=True)
        config = uvicorn.Config(
            application(gallery, self.settings), "127.0.0.1", self.port, log_level="warning", access_log=False
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        end = time.monotonic() + SECONDS
        while not server.started:
            assert thread.is_alive(), "the server ended"
            assert time.monotonic() < end, "the server does not start"
            time.sleep(0.01)
        self._running = server, thread

    def stop(self) -> None:
        """End; what it holds is closed."""
        if self._running is not None:
            server, thread = self._running
            server.should_exit = True
            thread.join(SECONDS)
            assert not thread.is_alive(), "the server does not end"
            self._running = None


Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves twins until the test ends: serve(twin, file=None, known=None, **settings)."""
    with contextlib.ExitStack() as ends:

        def serving(
            twin: Siamese, file: Path | None = None, known: Mapping[str, Any] | None = None, **settings: Any
        ) -> Server:
            whole = Settings(**{"name": "things", "durable": file is not None, **settings})
            server = Server(whole, file, twin, known or {})
            ends.callback(server.stop)
            server.start()
            return server

        yield serving


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium without a window; where there is none, the tests of the page are skipped."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the page is tested with Playwright")
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("the page is tested in Chromium, which is not installed")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


Visit = Callable[..., Visitor]


@pytest.fixture
def visit(browser: Any) -> Iterator[Visit]:
    """Opens the page as somebody new: visit(server, width=1280, scheme="light"). Nobody may meet an error in it."""
    visitors: list[Visitor] = []

    def visiting(server: Server, *, width: int = 1280, scheme: str = "light") -> Visitor:
        context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
        )
        context.set_default_timeout(1000 * SECONDS)
        visitors.append(Visitor(context.new_page(), server.url))
        return visitors[-1]

    yield visiting
    for visitor in visitors:
        visitor.page.context.close()
    assert [error for visitor in visitors for error in visitor.errors] == []


@pytest.fixture
def vectors(serve: Serve) -> Server:
    """Ada and Bea, as vectors."""
    known = {name: [source(vector(i, j)) for j in range(2)] for name, i in {"ada": ADA, "bea": BEA}.items()}
    return serve(world("vector").twin, known=known)
