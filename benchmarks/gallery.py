"""What a gallery costs around the search that near.py measures: loading, opening, enrolling, identifying; and kill -9.

    python benchmarks/gallery.py                 100,000 items of 128 dimensions
    python benchmarks/gallery.py n=1000000

Embeddings are given (`Siamese.from_vectors`), so that no encoder is timed. It is opened by processes of their own.
`identify` is timed beside the same search over the bare matrix, and beside reading that matrix once. Then a child
process enrols and forgets, is killed at a random moment, and everything that it acknowledged must be there: eight
rounds.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

import gemel
from drawn import DIM, drawn
from gemel.distances import distance
from gemel.gallery import Gallery, Row, SQLiteStore
from gemel.neighbors.flat import Flat

ROUNDS, FPIR, MOST = 8, 0.2, 266_666  # among more, 2,000 calibrated identities show no threshold for that rate

CHILD = """
import sys, numpy as np
from gemel.gallery import Row, SQLiteStore
store, name = SQLiteStore(sys.argv[1]), sys.argv[2]
for i in range(1_000_000):
    store.put([Row(f"{name}-{i}", "ada", np.full(128, i, np.float32))])
    print("+", i, flush=True)
    if i % 10 == 9:
        store.remove([f"{name}-{i - 5}"])
        print("-", i - 5, flush=True)
"""

OPEN = """
import sys, time, psutil
from gemel.gallery import Gallery
before = psutil.Process().memory_info().rss
wall, cpu = time.perf_counter(), time.process_time()
people = Gallery(sys.argv[1])
len(people)
print(time.perf_counter() - wall, time.process_time() - cpu, (psutil.Process().memory_info().rss - before) / 2**20)
"""


def opened(path: Path) -> str:
    """Seconds, seconds of the CPU, and memory of opening a gallery and knowing all of it."""
    said = [subprocess.check_output([sys.executable, "-c", OPEN, str(path)], text=True).split() for _ in range(7)]
    wall, cpu, memory = (np.sort([float(each[i]) for each in said]) for i in range(3))
    each = [f"{np.median(took):.2f} s ({took[0]:.2f} to {took[-1]:.2f})" for took in (wall, cpu)]
    return f"{each[0]}, of the CPU {each[1]}; {np.median(memory):.0f} MiB"


def twin_of(centers: np.ndarray, rng: np.random.Generator) -> gemel.Siamese:
    """Vectors as they are, calibrated on identities that are not enrolled, two items each."""
    rows = (centers[:, None] + 0.3 * rng.normal(size=(len(centers), 2, DIM))).reshape(-1, DIM).astype(np.float32)
    twin = gemel.Siamese.from_vectors(DIM, "euclidean")
    return twin.calibrate(gemel.read(rows, labels=[f"c{i // 2}" for i in range(len(rows))]))


def spread(seconds: Sequence[float] | np.ndarray) -> str:
    middle, rare = (1e3 * np.quantile(seconds, [0.5, 0.99])).round(3)
    return f"p50 {middle:g} ms, p99 {rare:g} ms"


def timed(what: Callable[[int], object], i: int) -> float:
    begin = time.perf_counter()
    what(i)
    return time.perf_counter() - begin


def killed(path: Path, rng: np.random.Generator) -> tuple[int, int]:
    """Operations that were acknowledged before kill -9 came, and how many of them are lost."""
    acknowledged = lost = 0
    for attempt in range(ROUNDS):
        name = f"k{attempt}"
        command = [sys.executable, "-c", CHILD, str(path), name]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            said = [child.stdout.readline() for _ in range(int(rng.integers(700, 1500)))]
            time.sleep(float(rng.uniform(0, 0.01)))
            child.send_signal(signal.SIGKILL)
            said += [line for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        wanted: dict[str, bool] = {}
        for line in said:
            mark, number = line.split()
            wanted[f"{name}-{number}"] = mark == "+"
        store = SQLiteStore(path)
        held = set(store.changes(0).columns.ids)
        store.close()
        doubtful = f"{name}-{int(said[-1].split()[1]) - 5}"  # may be forgotten, and not yet acknowledged
        del wanted[doubtful]
        lost += sum((row_id in held) != there for row_id, there in wanted.items())
        acknowledged += len(said)
    return acknowledged, lost


def main() -> None:
    n = next((int(word[2:]) for word in sys.argv[1:] if word.startswith("n=")), 100_000)
    rng = np.random.default_rng(0)
    twin = twin_of(rng.normal(size=(2000, DIM)), rng)
    vectors, fresh = drawn("hard", n, 500)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "people.db"
        with Gallery(path, twin) as people:
            begin = time.perf_counter()
            for start in range(0, n, 1000):
                some = range(start, min(start + 1000, n))
                people.store.put([Row(f"r{i}", f"p{i}", vectors[i], f"{i}.png", i) for i in some])
            loaded = time.perf_counter() - begin
        print(f"load {n:,}: {loaded:.1f} s; {path.stat().st_size / n:.0f} bytes an item on disk")
        print(f"open, and all in memory, in 7 processes: {opened(path)}", flush=True)
        people = Gallery(path)
        assert len(people) == n
        probes = vectors[rng.integers(0, n, 200)] + 0.02 * rng.normal(size=(200, DIM)).astype(np.float32)
        flat = Flat(vectors, distance("euclidean"))
        flat.search(probes[:1], 1)
        asked: list[Callable[[int], object]] = [
            lambda i: vectors @ probes[i],
            lambda i: flat.search(probes[i : i + 1], 1),
            lambda i: people.identify(probes[i], fpir=FPIR) if n <= MOST else people.search(probes[i], 1),
        ]
        every = np.array([[timed(ask, i) for ask in asked] for i in range(200)])  # whatever else goes on falls on all
        (reading, bare, named), above = every.T, every[:, 2] - every[:, 1]
        print(f"reading the matrix once: {spread(reading)}")
        print(f"search of it, exact, k = 1: {spread(bare)}")
        verb = "identify" if n <= MOST else "search"
        print(f"{verb} by the gallery: {spread(named)}; above the search: {spread(above)}")
        enrolled = [timed(lambda i: people.enroll(f"new{i}", fresh[i]), i) for i in range(500)]
        print(f"enrol one, on disk when it returns: {spread(enrolled)}")
        forgotten = [timed(lambda i: people.forget(f"new{i}"), i) for i in range(50)]
        print(f"forget one, gone from the disk when it returns: {spread(forgotten)}")
        people.close()
        small = Path(folder) / "killed.db"
        Gallery(small, twin).close()
        acknowledged, lost = killed(small, rng)
        print(f"kill -9, {ROUNDS} rounds: {acknowledged:,} operations acknowledged, {lost} lost")
    print(f"{os.cpu_count()} cores")


if __name__ == "__main__":
    main()
