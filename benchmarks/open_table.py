"""How long ten million rows take to open, subset and split. Makes its own table in a temporary folder.

python benchmarks/open_table.py [ROWS] [parquet|csv …]
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from gemel.items import read, split


def made(rows: int) -> pa.Table:
    """Paths, a hundred rows an identity, and a thousand groups."""
    item = np.arange(rows)
    identity, group = pa.array(item % max(1, rows // 100)).cast(pa.string()), pa.array(item % 1000).cast(pa.string())
    stem = pa.array(item).cast(pa.string())
    path = pc.binary_join_element_wise("images/", identity, "/", stem, ".jpg", "")
    return pa.table({"image": path, "identity": pc.binary_join_element_wise("p", identity, ""), "group": group})


def timed(what: str, call):  # type: ignore[no-untyped-def]
    start = time.perf_counter()
    value = call()
    print(f"  {what:<28}{time.perf_counter() - start:6.2f} s")
    return value


def measured(path: Path) -> None:
    print(f"{path.name}, {path.stat().st_size / 2**20:.0f} MiB")
    collection = timed("read", lambda: read(path))
    timed("take a tenth", lambda: collection.take(np.arange(0, len(collection), 10)))
    timed("split, open protocol", lambda: split(collection))
    timed("split, closed protocol", lambda: split(collection, protocol="closed"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"  {collection.summary().splitlines()[0]}\n  peak memory {peak:.1f} GiB")


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder, "images", "0", "0.jpg")
        first.parent.mkdir(parents=True)
        first.touch()
        for kind in sys.argv[2:] or ("parquet", "csv"):
            path = Path(folder, f"items.{kind}")
            write = pa.csv.write_csv if kind == "csv" else pa.parquet.write_table
            write(made(rows), path)
            measured(path)


if __name__ == "__main__":
    main()
