"""Nearest neighbours: exact and approximate search beside what the machine can do and what others do.

    python benchmarks/near.py                  100,000 rows of 128 numbers
    python benchmarks/near.py n=1000000
    python benchmarks/near.py data=hard graph=no
    GEMEL_DATA=… python benchmarks/near.py data=texts
    python benchmarks/near.py exact=no distance=cosine,manhattan   graphs only

The rows are those of drawn.py. Every time is the median of interleaved rounds; the bare product is Q @ X.T, of one
query X @ q. FAISS and scikit-learn are called as their manuals say. What a gallery costs around this: gallery.py.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import faiss
import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from drawn import DIM, drawn
from gemel.distances import DISTANCES, distance
from gemel.neighbors.exact import Neighbors
from gemel.neighbors.flat import Flat
from gemel.neighbors.hnsw import EFFORT, LINKS, built, embedded
from gemel.neighbors.recall import recall

K, SCANNED = 10, 10_000
KINDS = ("clustered", "hard", "texts")


def seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def timed(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, np.ndarray]:
    """Seconds of each call, in rounds, so that whatever else the machine does falls on all."""
    for call in calls.values():
        call()
    took: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            took[name].append(seconds(call))
    return {name: np.array(times) for name, times in took.items()}


def spread(times: np.ndarray) -> str:
    """Milliseconds: the median, and the middle half."""
    low, middle, high = 1e3 * np.quantile(times, [0.25, 0.5, 0.75])
    return f"{middle:,.3g} ({low:,.3g} to {high:,.3g})"


def product(query: np.ndarray, base: np.ndarray) -> None:
    """256 queries at a time; every result is an array of its own."""
    for start in range(0, len(query), 256):
        query[start : start + 256] @ base.T


def tiled(query: np.ndarray, base: np.ndarray) -> None:
    """As fast as it gets: 1024 queries and 2048 rows at a time, each result over the last one, in the cache."""
    out = np.empty((min(1024, len(query)), 2048), np.float32)
    for start in range(0, len(query), 1024):
        some = query[start : start + 1024]
        for row in range(0, len(base) - 2047, 2048):
            np.matmul(some, base[row : row + 2048].T, out=out[: len(some)])


def scan(table: pd.DataFrame, q: np.ndarray) -> pd.DataFrame:
    """As DeepFace.find compares: a Python function for every row."""

    def far(row: pd.Series) -> float:
        a = row["embedding"]
        return 1 - np.dot(a, q) / (np.sqrt(np.dot(a, a)) * np.sqrt(np.dot(q, q)))

    return table.assign(distance=table.apply(far, axis=1)).sort_values("distance").head(K)


def exact(base: np.ndarray, query: np.ndarray) -> None:
    """Beside the bare product, which finds nothing."""
    rounds = 7 if len(base) <= 200_000 else 3
    searches: dict[str, Callable[[np.ndarray], object]] = {
        "bare product": lambda q: product(q, base),
        "bare product, in the cache": lambda q: tiled(q, base),
    }
    for name, rows in {name: Flat(base, d) for name, d in DISTANCES.items()}.items():
        searches[f"gemel, exact, {name}"] = lambda q, rows=rows: rows.search(q, K)
    flat = faiss.IndexFlatL2(DIM)
    flat.add(base)
    searches["FAISS, flat, euclidean"] = lambda q: flat.search(q, K)
    brute = NearestNeighbors(n_neighbors=K, algorithm="brute").fit(base)
    searches["scikit-learn, brute, euclidean"] = brute.kneighbors
    slow = [name for name in searches if "manhattan" in name]
    many = timed({name: lambda s=s: s(query) for name, s in searches.items() if name not in slow}, rounds)
    many |= timed({name: lambda name=name: searches[name](query[:64]) for name in slow}, 3)
    one = {
        name: timed({"bare": lambda: base @ query[0], name: lambda s=s: s(query[:1])}, 30)
        for name, s in searches.items()
    }
    table = pd.DataFrame({"embedding": list(base[:SCANNED])})
    scanned = np.median(timed({"": lambda: scan(table, query[0])}, 3)[""]) * len(base) / SCANNED
    each_second = {name: (64 if name in slow else len(query)) / np.median(took) for name, took in many.items()}
    print(f"| exact | queries a second, {len(query)} at once | of the bare product | one query, ms | of X @ q |")
    print("|---|---|---|---|---|")
    for name, took in one.items():
        rate, share = each_second[name], each_second[name] / each_second["bare product, in the cache"]
        times = np.median(took[name] / took["bare"])
        print(f"| {name} | {rate:,.0f} | {share:.2f} | {spread(took[name])} | {times:.2f} |")
    print(
        f"| pandas, DeepFace's way, cosine ({SCANNED:,} rows, times {len(base) / SCANNED:g}) | | | "
        f"{scanned * 1e3:,.0f} | {scanned / np.median(one['bare product']['bare']):,.0f} |",
        flush=True,
    )


def approximate(base: np.ndarray, query: np.ndarray, name: str) -> None:
    """A graph, through gemel and as FAISS searches it itself."""
    rows = Flat(base, distance(name))
    truth = rows.search(query, K)
    begin = time.perf_counter()
    index = built(rows, k=K)
    took, room = time.perf_counter() - begin, faiss.serialize_index(index.graph).nbytes / 2**20
    index.graph.hnsw.efSearch = index.promise.breadth

    def direct(q: np.ndarray) -> Neighbors:
        far, node = index.graph.search(embedded(q, rows.distance), K)
        return Neighbors(index.place[node], far)

    print(f"\n{name}: built in {took:.0f} s, {room:,.0f} MiB ({LINKS} links, effort {EFFORT}), {index.promise}")
    print("| approximate | recall@10 | one query, ms | queries a second, all at once | exact, ms |")
    print("|---|---|---|---|---|")
    one = {"gemel": [], "FAISS itself": [], "exact": []}
    calls = {"gemel": lambda q: index.search(q, K), "FAISS itself": direct, "exact": lambda q: rows.search(q, K)}
    for key in [*calls, *calls]:  # each for itself: the same query twice in a row would find its nodes in the cache
        one[key] += [seconds(lambda key=key, q=q: calls[key](q[None])) for q in query[:200]]
    for key in ("gemel", "FAISS itself"):
        found = calls[key](query)
        row, col = np.repeat(np.arange(len(query)), K), found.index.ravel()
        far = np.sort(rows.distance.paired(query[row], base[col]).reshape(-1, K), axis=1)
        share = recall(Neighbors(found.index, far), truth)
        rate = len(query) / np.median(timed({"": lambda key=key: calls[key](query)}, 3)[""])
        ms = [spread(np.array(one[x])) for x in (key, "exact")]
        print(f"| {key} | {share:.4f} | {ms[0]} | {rate:,.0f} | {ms[1]} |", flush=True)


def main() -> None:
    said = dict(word.split("=", 1) for word in sys.argv[1:])
    n = int(said.get("n", 100_000))
    print(f"{n:,} x {DIM}, {faiss.omp_get_max_threads()} threads, FAISS {faiss.__version__}, NumPy {np.__version__}")
    for kind in said.get("data", ",".join(KINDS)).split(","):
        base, query = drawn(kind, n, 1024 if n <= 200_000 else 256)
        print(f"\n### {kind}: {len(base):,} rows\n", flush=True)
        if said.get("exact") != "no":
            exact(base, query)
        for name in [] if said.get("graph") == "no" else said.get("distance", "euclidean").split(","):
            approximate(base, query, name)


if __name__ == "__main__":
    main()
