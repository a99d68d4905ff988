"""Endless pairs from labels alone: how long an index of them takes, how fast pairs come, and in how much memory.

    python benchmarks/pair_generation.py                     1 and 100 million labels, 10 of each identity; two minutes
    python benchmarks/pair_generation.py --labels 1000000

Each line is a process of its own. Labels are int32 in random order, half of the pairs are the same, and none comes
twice among a million in a row (100,000 of a million labels). Seconds are of the processor, one thread. Memory is what
is resident beyond the labels and the imports (Linux).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

import numpy as np

from big_batch import resident
from gemel.measure.pair_stream import PairStream

EACH = 10
"""Items of each identity, on average."""
WINDOW = 1_000_000


def measured(labels: int, by: str, blocks: int) -> dict[str, float]:
    """Seconds, pairs a second, and GiB beyond the labels: of the index, while it is made, and while pairs come."""
    identity = np.random.default_rng(0).integers(0, labels // EACH, labels, dtype=np.int32)
    before, begin = resident("VmRSS"), time.process_time()
    stream = PairStream(identity, by=by, window=min(WINDOW, labels // EACH))
    build = time.process_time() - begin
    index, making = resident("VmRSS") - before, resident("VmHWM") - before
    begin = time.process_time()
    for block in range(blocks):
        pairs = stream.pairs(block)
    rate = blocks * len(pairs.a) / (time.process_time() - begin)
    assert ((identity[pairs.a] == identity[pairs.b]) == pairs.same).all()
    found = {"build": build, "rate": rate, "index": index, "making": making, "streaming": resident("VmRSS") - before}
    return found | {"peak": resident("VmHWM"), "window": stream.window}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=int, nargs="+", default=[1_000_000, 100_000_000])
    parser.add_argument("--blocks", type=int, default=200, help="blocks of 65,536 pairs that are timed")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        labels, by, blocks = options.one
        print(json.dumps(measured(int(labels), by, int(blocks))))
        return
    print("labels        drawn by    build s  M pairs/s   GiB: index  making  streaming  whole process   window")
    for labels in options.labels:
        for by in ("identities", "pairs"):
            command = [sys.executable, __file__, "--one", str(labels), by, str(options.blocks)]
            f = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(
                f"{labels:<13,} {by:<11} {f['build']:7.2f} {f['rate'] / 1e6:10.2f} {f['index']:12.3f}"
                f" {f['making']:7.3f} {f['streaming']:10.3f} {f['peak']:14.3f} {f['window']:>20,}",
                flush=True,
            )


if __name__ == "__main__":
    main()
