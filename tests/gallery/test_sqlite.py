"""What a file must withstand: other processes, kill -9, a full disk, damage; and what it must not keep."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gemel.errors import GalleryError
from gemel.gallery import Meta, Row, SQLiteStore
from gemel.gallery.rescue import rescue

DIM = 32
META = Meta("id", DIM, "euclidean", 0)

WRITER = """
import sys, numpy as np
from gemel.gallery import Row, SQLiteStore
store, name = SQLiteStore(sys.argv[1]), sys.argv[2]
for i in range(int(sys.argv[3])):
    rows = [Row(f"{name}-{i}-{j}", "ada", np.full(32, i, np.float32)) for j in range(8)]
    store.put(rows)
    if i % 3 == 2:
        store.remove([rows[0].id])
    print(i, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    SQLiteStore.create(tmp_path / "rows.db", META, {"manifest.json": b"{}"}).close()
    return tmp_path / "rows.db"


def row(i: int, value: float = 0.5) -> Row:
    return Row(f"r{i}", f"who{i}", np.full(DIM, value, np.float32), name=f"{i}.png", source=f"/pictures/{i}.png")


def writer(path: Path, name: str, rounds: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), name, str(rounds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def expected(name: str, rounds: int) -> set[str]:
    """What a writer has acknowledged after so many rounds."""
    every = {f"{name}-{i}-{j}" for i in range(rounds) for j in range(8)}
    return every - {f"{name}-{i}-0" for i in range(2, rounds, 3)}


def test_what_was_acknowledged_survives_kill_9(path: Path) -> None:
    rng = np.random.default_rng(0)
    for attempt in range(3):
        with writer(path, f"w{attempt}", 10_000) as process:
            assert process.stdout is not None
            said = [process.stdout.readline() for _ in range(int(rng.integers(5, 60)))]
            process.send_signal(signal.SIGKILL)
            done = int([*said, *process.stdout.read().split()][-1]) + 1
        held = {change.id for change in SQLiteStore(path).changes(0) if isinstance(change, Row)}
        assert expected(f"w{attempt}", done) - held <= {f"w{attempt}-{done}-0"}
        assert sum(name.startswith(f"w{attempt}-{done}-") for name in held) in (0, 7, 8)  # whole or not at all


def test_two_writers_queue_and_a_reader_follows(path: Path) -> None:
    store, rounds = SQLiteStore(path), 30
    seen: dict[str, bool] = {}
    last = 0
    with writer(path, "a", rounds) as one, writer(path, "b", rounds) as other:
        while one.poll() is None or other.poll() is None:
            for change in store.changes(last):
                assert change.seq > last
                seen[change.id], last = isinstance(change, Row), change.seq
    assert (one.returncode, other.returncode) == (0, 0)
    for change in store.changes(last):
        seen[change.id] = isinstance(change, Row)
    assert {name for name, there in seen.items() if there} == expected("a", rounds) | expected("b", rounds)
    assert store.meta().seq == 2 * (rounds * 8 + rounds // 3)


def test_threads_may_share_a_store(path: Path) -> None:
    store = SQLiteStore(path)
    threads = [threading.Thread(target=lambda i=i: store.put([row(i), row(100 + i)])) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [change.seq for change in store.changes(0)] == list(range(1, 17))


def test_nothing_of_what_is_removed_stays_on_disk(path: Path) -> None:
    store = SQLiteStore(path)
    store.put([row(i, i) for i in range(50)])
    secret = Row("s", "eve-the-secret", np.full(DIM, 12345.678, np.float32), "hidden-name", 1, {"tag": "hidden-tag"})
    store.put([secret])
    store.remove(["s"])
    marks = [b"eve-the-secret", b"hidden-name", b"hidden-tag", secret.vector[:2].tobytes()]
    for file in path.parent.iterdir():
        content = file.read_bytes()
        assert not any(mark in content for mark in marks), file.name


def test_a_full_disk_changes_nothing(path: Path) -> None:
    pytest.importorskip("resource")
    script = """
import resource, signal, sys, numpy as np
from gemel.errors import GalleryError
from gemel.gallery import Row, SQLiteStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = SQLiteStore(sys.argv[1])
store.put([Row("first", "ada", np.ones(32, np.float32))])
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
rows = [Row(f"r{i}", "ada", np.ones(32, np.float32)) for i in range(5000)]
try:
    store.put(rows)
except GalleryError as error:
    print(error)
print(store.meta().seq, len(list(store.changes(0))))
"""
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    said, counted = done.stdout.splitlines()
    assert "Nothing was changed" in said
    assert counted == "1 1"
    assert SQLiteStore(path).meta().seq == 1


def test_damage_is_found_and_named(path: Path) -> None:
    store = SQLiteStore(path)
    store.put([row(i, i) for i in range(200)])
    store.close()
    content = bytearray(path.read_bytes())
    place = content.index(np.full(4, 77, np.float32).tobytes())
    content[place + 1] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(GalleryError, match=r"rows.db is damaged: the embedding of '77.png' \(who77\)"):
        list(SQLiteStore(path).changes(0))
    content[4096 : 4096 * 8] = bytes(4096 * 7)
    path.write_bytes(content)
    with pytest.raises(GalleryError, match="damaged"):
        list(SQLiteStore(path).changes(0))


def test_damaged_metadata_are_named_when_they_are_asked_for(path: Path) -> None:
    store = SQLiteStore(path)
    store.put([replace(row(i), metadata={"site": f"place{i}"}) for i in range(9)])
    store.close()
    path.write_bytes(path.read_bytes().replace(b'"place4"', b'"place4*'))
    changes = SQLiteStore(path).changes(0)
    assert changes.columns.names[4] == "4.png"
    with pytest.raises(GalleryError, match=r"damaged: the metadata of '4.png' \(who4\)"):
        list(changes)
    saved, lost = rescue(path, path.with_name("rescued.db"))
    assert saved == 8
    assert "'4.png'" in lost[0]


def test_what_is_no_gallery_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="There is no gallery"):
        SQLiteStore(tmp_path / "nothing.db")
    (tmp_path / "text.db").write_text("people\n" * 1000)
    with pytest.raises(GalleryError, match="not a gallery of gemel"):
        SQLiteStore(tmp_path / "text.db")
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE notes (text)")
    other.close()
    with pytest.raises(GalleryError, match="but not a gallery"):
        SQLiteStore(tmp_path / "other.db")
    with pytest.raises(GalleryError, match="exists already"):
        SQLiteStore.create(tmp_path / "other.db", META, {})
    with pytest.raises(GalleryError, match="Make it first"):
        SQLiteStore.create(tmp_path / "no" / "rows.db", META, {})


def test_a_newer_format_says_so(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(GalleryError, match=r"gallery format 99.*pip install -U gemel"):
        SQLiteStore(path)


def test_a_writer_that_waits_too_long_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemel.gallery.sqlite.PATIENCE", 0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store, begun = SQLiteStore(path), time.monotonic()
    with pytest.raises(GalleryError, match="another process"):
        store.put([row(1)])
    assert time.monotonic() - begun < 5
    assert store.meta().seq == 0  # reading goes on
    other.execute("ROLLBACK")
    assert store.put([row(1)]) == 1


READER = """
import os, sys
import numpy as np
from gemel.errors import GalleryError
from gemel.gallery import Row, SQLiteStore
os.setuid(65534)
store = SQLiteStore(sys.argv[1])
print(len(list(store.changes(0))))
try:
    store.put([Row("x", "ada", np.ones(32, np.float32))])
except GalleryError as error:
    print(error)
"""


def test_a_file_that_cannot_be_written_can_be_read(path: Path) -> None:
    import os

    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("takes root, to become somebody who may not write")
    store = SQLiteStore(path)
    store.put([row(1)])
    store.close()
    for place in (path, *path.parents):
        if place.exists() and str(place).startswith("/tmp/"):
            place.chmod(0o644 if place.is_file() else 0o755)
    done = subprocess.run([sys.executable, "-c", READER, str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    count, said = done.stdout.splitlines()
    assert count == "1"
    assert "cannot be written. Nothing was changed" in said
