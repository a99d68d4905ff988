"""Signatures as pen trajectories, the task of the first Siamese network: SVC2004 Task 2, by users never seen.

    python benchmarks/signatures.py                      five folds over the 40 users
    python benchmarks/signatures.py folds=1 encoder=residual steps=300

Five folds over the users: 32 train (skilled forgeries are theirs too), 8 are tested. Five of a user's S1 to S10 are
enrolled; S11 to S20 are genuine, S21 to S40 skilled forgeries, and 20 signatures of other tested users random ones; ten
draws of the five. The score of a signature is its mean distance to the five; normalised, that divided by the mean
distance of the five among each other. One threshold for all users. Beside it, in the same run: how far the length is
from that of the five, and dynamic time warping (dtaidistance) in two ways. Both z-score each channel of a signature and
sum straight distances along the path: *DTW by length* over x, y, pressure and their derivatives, divided by the root of
the two lengths; *DTW of the whole* also over second derivatives of x and y and the direction of the pen, not divided.
Intervals are bootstraps over users.

All was chosen on the 32 training users of fold 0 alone: the recipe with 8 of them held out, twice; DTW on all 32, where
the first way was the better one with one threshold, and the second with normalised scores.
The best of the competition's teams had an EER of 2.84 % on 60 users who are not public. GEMEL_DATA must hold
svc2004-task2.zip.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
from dtaidistance import dtw_ndim

import gemel
from datasets import choices_of, unpacked
from gemel.items import signals
from gemel.measure import eer
from gemel.recipe import Recipe

USERS, ENROLLED, TRIALS, RANDOM = 40, 5, 10, 20
RECIPE = Recipe(
    encoder="delay",
    width=32,
    depth=4,
    pooling="statistics",
    prepare="origin,velocity,angle,speed,acceleration,duration,resample=96",
    loss="multisimilarity",
    distance="euclidean",
    steps=200,
    holdout=0.0,
    identities=16,
    items=4,
)


def table(users: list[int]) -> dict[str, list[Any]]:
    """The signatures of some users: S1 to S20 are theirs, S21 to S40 imitate them."""
    folder = unpacked("svc2004-task2")
    rows = [(u, s) for u in users for s in range(1, 41)]
    return {
        "path": [str(folder / f"U{u}S{s}.TXT") for u, s in rows],
        "identity": [f"U{u}" if s <= 20 else None for u, s in rows],
        "impostor_of": [None if s <= 20 else f"U{u}" for u, s in rows],
    }


def scored(between: np.ndarray, users: int, *, seed: int) -> dict[str, np.ndarray]:
    """Scores [users, trials, signatures] of genuine, skilled and random ones, plain and normalised.

    Args:
        between: [users * 40, users * 40] distances of all signatures of the tested users.
    """
    kinds = {name: [] for name in ("genuine", "skilled", "random")}
    chance = np.random.default_rng(seed)
    for user in range(users):
        first = 40 * user
        others = np.concatenate([np.arange(40 * u, 40 * u + 20) for u in range(users) if u != user])
        for _ in range(TRIALS):
            enrolled = first + chance.choice(10, ENROLLED, replace=False)
            among = between[np.ix_(enrolled, enrolled)].sum() / (ENROLLED * (ENROLLED - 1))
            asked = {
                "genuine": first + np.arange(10, 20),
                "skilled": first + np.arange(20, 40),
                "random": chance.choice(others, RANDOM, replace=False),
            }
            for name, rows in asked.items():
                mean = between[np.ix_(enrolled, rows)].mean(0)
                kinds[name].append(np.stack([mean, mean / among]))
    shape = (users, TRIALS, 2)
    return {name: np.reshape(values, (*shape, -1)).transpose(2, 0, 1, 3) for name, values in kinds.items()}


def error(genuine: np.ndarray, other: np.ndarray) -> float:
    return eer(
        np.concatenate([genuine.ravel(), other.ravel()]),
        np.repeat([True, False], [genuine.size, other.size]),
    )


def line(words: str, scores: dict[str, np.ndarray]) -> str:
    """EER against skilled and random ones, plain and normalised, with a bootstrap over users."""
    chance = np.random.default_rng(0)
    found = []
    for normal in (0, 1):
        for kind in ("skilled", "random"):
            genuine, other = scores["genuine"][normal], scores[kind][normal]
            draws = [chance.integers(len(genuine), size=len(genuine)) for _ in range(200)]
            low, high = np.quantile([error(genuine[d], other[d]) for d in draws], [0.025, 0.975])
            found.append(f"{100 * error(genuine, other):5.2f} [{100 * low:.2f}, {100 * high:.2f}]")
    return f"{words:22}" + "   ".join(f"{each:22}" for each in found)


def lengths(raws: list[np.ndarray]) -> np.ndarray:
    size = np.log([len(raw) for raw in raws])
    return np.abs(size[:, None] - size[None])


def warped_by_length(raws: list[np.ndarray]) -> np.ndarray:
    """DTW distances of all signatures, divided by the root of the lengths of both."""
    size = np.array([len(raw) for raw in raws])
    return warped([signals.with_velocity(raw.astype(float)) for raw in raws]) / np.sqrt(size[:, None] + size[None])


def warped_whole(raws: list[np.ndarray]) -> np.ndarray:
    """DTW distances of all signatures over more channels, not divided by anything."""
    return warped([dynamics(raw.astype(float)) for raw in raws])


def dynamics(series: np.ndarray) -> np.ndarray:
    """The channels with their derivatives, and the acceleration and direction of the pen."""
    acceleration = signals.derivative(signals.derivative(series[:, :2]))
    direction = signals.with_angle(series)[:, series.shape[1] :]
    return np.concatenate([signals.with_velocity(series), acceleration, direction], 1)


def warped(series: list[np.ndarray]) -> np.ndarray:
    """DTW distances of all series, each channel z-scored, of straight distances along the path."""
    ready = [np.ascontiguousarray(signals.standardised(each)) for each in series]
    found = np.asarray(dtw_ndim.distance_matrix_fast(ready, parallel=False, compact=False, inner_dist="euclidean"))
    found[np.isinf(found)] = 0
    return np.maximum(found, found.T)


def quiet(_: str) -> None:
    """What the other folds have to say is the same."""


def main() -> None:
    choices = choices_of(sys.argv[1:])
    folds, quick = choices.pop("folds", 5), choices.pop("dtw", True)
    order = np.random.default_rng(0).permutation(USERS) + 1
    parts: dict[str, list[dict[str, np.ndarray]]] = {
        "length": [],
        "DTW by length": [],
        "DTW of the whole": [],
        "gemel": [],
    }
    begin = time.perf_counter()
    for fold, tested in enumerate(np.split(order, 5)[:folds]):
        users = sorted(set(range(1, USERS + 1)) - set(tested.tolist()))
        train = gemel.read(table(users), item="path", channels="1,2,7")
        test = gemel.read(table(tested.tolist()), item="path", channels="1,2,7")
        raws = [test.load(i) for i in range(len(test))]
        parts["length"].append(scored(lengths(raws), len(tested), seed=fold))
        if quick:
            parts["DTW by length"].append(scored(warped_by_length(raws), len(tested), seed=fold))
            parts["DTW of the whole"].append(scored(warped_whole(raws), len(tested), seed=fold))
        twin = gemel.train(train, RECIPE.but(seed=fold, **choices), progress=False, say=print if fold == 0 else quiet)
        vectors = twin.embed(test).vectors
        between = twin.metric.matrix(vectors, vectors)
        parts["gemel"].append(scored(between, len(tested), seed=fold))
        print(line(f"fold {fold}", parts["gemel"][-1]), flush=True)
    print(
        f"{'':22}" + "   ".join(f"{words:22}" for words in ("skilled", "random", "skilled, normal.", "random, normal."))
    )
    for words, found in parts.items():
        if found:
            whole = {kind: np.concatenate([each[kind] for each in found], 1) for kind in found[0]}
            print(line(words, whole))
    print(f"EER %; {choices}; {(time.perf_counter() - begin) / 60:.1f} min")


if __name__ == "__main__":
    main()
