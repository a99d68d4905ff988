"""The UCR archive: is the class of a series that of its nearest neighbour in the learned space? 30 sets, one recipe.

    python benchmarks/ucr.py                         all sets, five seeds
    python benchmarks/ucr.py seeds=1 GunPoint Coffee  some sets; further words are fields of a recipe, as steps=100

Official splits, closed protocol: classes are known, the series of the test split are new. Nothing is held out, and
nothing is chosen on the test split. Beside it in the same run: the nearest neighbour by Euclidean distance, and by
dynamic time warping (dtaidistance, no window), of the series as they are, with missing values on straight
lines. GEMEL_DATA must hold ucr.zip.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from dtaidistance import dtw

import gemel
from datasets import choices_of, unpacked
from gemel.items import Collection
from gemel.items.signals import interpolated, resampled
from gemel.neighbors.exact import nearest
from gemel.recipe import Recipe

RECIPE = Recipe(
    protocol="closed", holdout=0.0, steps=150, width=32, depth=3, identities=16, items=4, crop=0.1, jitter=0.1
)


def codes(data: Collection) -> np.ndarray:
    assert data.identity is not None
    return np.array([str(data.identity.value(i)) for i in range(len(data))])


def parts(name: str) -> tuple[Collection, Collection]:
    whole = gemel.read(next(unpacked("ucr").rglob(f"{name}_TRAIN.tsv")).parent)
    assert whole.split is not None
    split = np.array([whole.split.value(i) for i in range(len(whole))])
    return tuple(whole.take(split == role).with_(split=None) for role in ("train", "test"))  # type: ignore[return-value]


def accuracy(far: np.ndarray, train: np.ndarray, test: np.ndarray) -> float:
    return float((train[far.argmin(1)] == test).mean())


def raw(train: Collection, test: Collection) -> tuple[float, float]:
    """Accuracies of the nearest neighbour by Euclidean distance and by DTW."""
    rows = [[interpolated(part.load(i).astype(float))[:, 0] for i in range(len(part))] for part in (train, test)]
    longest = max(len(row) for part in rows for row in part)
    even = [np.stack([resampled(row[:, None], longest)[:, 0] for row in part]) for part in rows]
    plain = ((even[1][:, None] - even[0][None]) ** 2).sum(-1)
    every = rows[1] + rows[0]
    block = ((0, len(rows[1])), (len(rows[1]), len(every)))
    warped = dtw.distance_matrix_fast(every, block=block, parallel=True, compact=False)[: len(rows[1]), len(rows[1]) :]
    known = codes(train), codes(test)
    return accuracy(plain, *known), accuracy(np.asarray(warped), *known)


def learned(train: Collection, test: Collection, recipe: Recipe) -> float:
    twin = gemel.train(train, recipe, progress=False, say=lambda _: None)
    base, query = twin.embed(train).vectors, twin.embed(test).vectors
    found = nearest(query, base, 1, twin.metric).index[:, 0]
    return float((codes(train)[found] == codes(test)).mean())


def main() -> None:
    given = [word for word in sys.argv[1:] if "=" not in word]
    choices = choices_of(sys.argv[1:])
    seeds = choices.pop("seeds", 5)
    names = given or sorted(folder.name for folder in unpacked("ucr").rglob("*_TRAIN.tsv"))
    names = sorted({name.removesuffix("_TRAIN.tsv") for name in names})
    print(f"{'':28}  train  test classes   Euclid    DTW    gemel (each seed)")
    table = []
    for name in names:
        begin = time.perf_counter()
        train, test = parts(name)
        plain, warped = raw(train, test)
        own = [learned(train, test, RECIPE.but(seed=seed, **choices)) for seed in range(seeds)]
        table.append((plain, warped, float(np.mean(own))))
        each = " ".join(f"{100 * value:.1f}" for value in own)
        seconds = time.perf_counter() - begin
        print(
            f"{name:28}{len(train):7}{len(test):6}{len(set(codes(train))):8}{100 * plain:9.1f}{100 * warped:7.1f}"
            f"{100 * table[-1][2]:9.1f}  ({each})  {seconds:.0f} s",
            flush=True,
        )
    mean = 100 * np.mean(table, axis=0)
    wins = [(sum(row[2] > row[k] for row in table), sum(row[2] == row[k] for row in table)) for k in (0, 1)]
    print(f"{'mean of ' + str(len(table)):28}{'':21}{mean[0]:9.2f}{mean[1]:7.2f}{mean[2]:9.2f}")
    print(f"better than Euclid on {wins[0][0]} (equal {wins[0][1]}), than DTW on {wins[1][0]} (equal {wins[1][1]})")


if __name__ == "__main__":
    main()
