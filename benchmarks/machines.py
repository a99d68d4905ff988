"""One-class use on real recordings: what is healthy is enrolled from five examples, and what is not it is flagged.

    python benchmarks/machines.py                   six sets of the UCR archive with seven classes and more, three seeds
    python benchmarks/machines.py seeds=1 Plane     some sets; further words are fields of a recipe, as steps=100

Each class stands for a machine in one state. A third of the classes train, others are never seen: five series of one of
those, from the official training split, are enrolled as the healthy state; its series of the test split should pass,
those of all other unseen classes should be flagged. The score is the distance to the nearest of the five. Beside it in
the same run: Euclidean distance and dynamic time warping (dtaidistance, no window) of the series as they are.
GEMEL_DATA must hold ucr.zip.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from dtaidistance import dtw

import gemel
from datasets import choices_of
from gemel.items import Collection
from gemel.items.signals import interpolated
from gemel.measure import auc
from gemel.recipe import Recipe
from ucr import codes, parts

SETS = ("Adiac", "FaceAll", "MedicalImages", "MelbournePedestrian", "Plane", "SwedishLeaf")
ENROLLED, MOST = 5, 200
RECIPE = Recipe(
    protocol="open", holdout=0.0, steps=150, width=32, depth=3, identities=16, items=4, crop=0.1, jitter=0.1
)
Far = Callable[[Collection, Collection], np.ndarray]
"""Items of one side and of the other → distances."""


def euclidean(a: Collection, b: Collection) -> np.ndarray:
    one, other = (np.stack(values(side)) for side in (a, b))
    return np.sqrt(((one[:, None] - other[None]) ** 2).sum(-1))


def warped(a: Collection, b: Collection) -> np.ndarray:
    rows = values(a) + values(b)
    block = ((0, len(a)), (len(a), len(rows)))
    return np.asarray(dtw.distance_matrix_fast(rows, block=block, parallel=True, compact=False))[: len(a), len(a) :]


def values(data: Collection) -> list[np.ndarray]:
    return [interpolated(data.load(i).astype(float))[:, 0] for i in range(len(data))]


def scores(train: Collection, test: Collection, unseen: list[str], far: Far) -> tuple[np.ndarray, np.ndarray]:
    """The distance of every test series to the nearest enrolled one of each unseen class, and whether it is that."""
    known, asked = codes(train), codes(test)
    rows = np.flatnonzero(np.isin(asked, unseen))[:MOST]
    some = test.take(rows)
    near, same = [], []
    for name in unseen:
        healthy = train.take(np.flatnonzero(known == name)[:ENROLLED])
        near.append(far(some, healthy).min(1))
        same.append(asked[rows] == name)
    return np.concatenate(near), np.concatenate(same)


def main() -> None:
    given = [word for word in sys.argv[1:] if "=" not in word]
    choices = choices_of(sys.argv[1:])
    seeds = choices.pop("seeds", 3)
    print(f"{'AUC':22} classes unseen   Euclid     DTW   gemel (each seed)")
    table = []
    for name in given or SETS:
        train, test = parts(name)
        classes = sorted(set(codes(train)))
        found: list[tuple[float, ...]] = []
        for seed in range(seeds):
            order = np.random.default_rng(seed).permutation(classes)
            taught, unseen = list(order[: -(-len(classes) // 3)]), list(order[-(-len(classes) // 3) :])
            learn = train.take(np.flatnonzero(np.isin(codes(train), taught)))
            twin = gemel.train(learn, RECIPE.but(seed=seed, **choices), progress=False, say=lambda _: None)

            def learned(a: Collection, b: Collection, twin: gemel.Siamese = twin) -> np.ndarray:
                return twin.metric.matrix(twin.embed(a).vectors, twin.embed(b).vectors)

            each = [scores(train, test, unseen, far) for far in (euclidean, warped, learned)]
            found.append(tuple(auc(*one) for one in each))
        means = np.mean(found, axis=0)
        table.append(means)
        own = " ".join(f"{row[2]:.3f}" for row in found)
        print(
            f"{name:22}{len(classes):8}{len(unseen):7}{means[0]:9.3f}{means[1]:8.3f}{means[2]:8.3f}  ({own})",
            flush=True,
        )
    plain, aligned, own_mean = np.mean(table, axis=0)
    print(f"{'mean':37}{plain:9.3f}{aligned:8.3f}{own_mean:8.3f}")


if __name__ == "__main__":
    main()
