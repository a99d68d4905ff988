"""Signatures as pen trajectories, the task of the first Siamese network: SVC2004 Task 2, by users never seen.

    python benchmarks/signatures.py                      five folds over the 40 users
    python benchmarks/signatures.py choose=true          what choices were made by: 24 users teach, 8 others are judged
    python benchmarks/signatures.py encoder=delay head=false width=32 depth=4 pooling=statistics steps=200

Five folds over the users: 32 train (skilled forgeries are theirs too), 8 are tested. Five of a user's S1 to S10 are
enrolled; S11 to S20 are genuine, S21 to S40 skilled forgeries, and 20 signatures of other tested users random ones; ten
draws of the five. The score of a signature is its distance to the nearest of the five; normalised, that divided by the
mean distance of the five among each other to some power. One threshold for all users, and beside that the competition's
measure: the mean of the EER of each user's trials, each with a threshold of its own. Beside it, in the same run: how
far the length is from that of the five, and dynamic time warping (dtaidistance) in two ways that z-score each channel
of a signature and sum straight distances along the path: *DTW by length* over x, y, pressure, tilt and derivatives,
divided by the lengths of both; *DTW of the whole* over x, y, velocity, pressure and its derivative, direction and
speed, not divided. Intervals are bootstraps over users.

All was chosen on the 32 training users of fold 0 alone, 24 to learn and 8 held out, four times: the features and the
head of gemel, those of DTW, nearest or mean, and the power of each way, ½ for gemel and 1 for DTW. Users of the other
folds are among these 32, so that fold 0, printed by itself, is the only one whose users no choice has seen.
The best of the competition's teams had 2.84 % by its measure, on 60 users who are not public. GEMEL_DATA must hold
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
from gemel.siamese.pairhead import proposing

USERS, ENROLLED, TRIALS, RANDOM = 40, 5, 10, 20
POWERS = (0.0, 0.5, 1.0)
CHANNELS = "1,2,4,5,6,7"
RECIPE = Recipe(
    encoder="frames",
    prepare="origin,velocity,angle,speed,acceleration,duration,resample=96",
    loss="multisimilarity",
    distance="euclidean",
    steps=100,
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
    """Scores [powers, users, trials, signatures] of genuine, skilled and random ones.

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
                nearest = between[np.ix_(enrolled, rows)].min(0)
                kinds[name].append(np.stack([nearest / among**power for power in POWERS]))
    shape = (users, TRIALS, len(POWERS), -1)
    return {name: np.reshape(values, shape).transpose(2, 0, 1, 3) for name, values in kinds.items()}


def error(genuine: np.ndarray, other: np.ndarray) -> float:
    """The EER with one threshold for all."""
    return eer(
        np.concatenate([genuine.ravel(), other.ravel()]),
        np.repeat([True, False], [genuine.size, other.size]),
    )


def own_error(genuine: np.ndarray, other: np.ndarray) -> float:
    """The mean EER of each user's trials, each with a threshold of its own."""
    return float(
        np.mean([error(g, o) for user in zip(genuine, other, strict=True) for g, o in zip(*user, strict=True)])
    )


def line(words: str, scores: dict[str, np.ndarray]) -> str:
    """The errors, each with a bootstrap over users."""
    chance = np.random.default_rng(0)
    cells = [(error, kind, power) for power in range(len(POWERS)) for kind in ("skilled", "random")]
    found = []
    for measure, kind, power in [*cells, (own_error, "skilled", 0)]:
        genuine, other = scores["genuine"][power], scores[kind][power]
        draws = [chance.integers(len(genuine), size=len(genuine)) for _ in range(200)]
        low, high = np.quantile([measure(genuine[d], other[d]) for d in draws], [0.025, 0.975])
        found.append(f"{100 * measure(genuine, other):.1f} [{100 * low:.1f}, {100 * high:.1f}]")
    return f"{words:18}" + "".join(f"{each:20}" for each in found)


def lengths(raws: list[np.ndarray]) -> np.ndarray:
    """How far apart the lengths of all signatures are, on a scale of ratios; never 0, to be divided by."""
    size = np.log([len(raw) for raw in raws])
    return np.abs(size[:, None] - size[None]) + 0.01


def warped_by_length(raws: list[np.ndarray]) -> np.ndarray:
    """DTW distances of all signatures, divided by the lengths of both."""
    size = np.array([len(raw) for raw in raws])
    series = [signals.with_velocity(raw[:, [0, 1, 5]]) for raw in raws]
    tilted = [np.concatenate([each, raw[:, 3:5]], 1) for each, raw in zip(series, raws, strict=True)]
    return warped(tilted) / (size[:, None] + size[None])


def warped_whole(raws: list[np.ndarray]) -> np.ndarray:
    """DTW distances of all signatures over direction and speed too, not divided by anything."""
    return warped([signals.with_speed(signals.with_angle(signals.with_velocity(raw[:, [0, 1, 5]]))) for raw in raws])


def warped(series: list[np.ndarray]) -> np.ndarray:
    """DTW distances of all series, each channel z-scored, of straight distances along the path."""
    ready = [np.ascontiguousarray(signals.standardised(each.astype(float))) for each in series]
    found = np.asarray(dtw_ndim.distance_matrix_fast(ready, parallel=False, compact=False, inner_dist="euclidean"))
    found[np.isinf(found)] = 0
    return np.maximum(found, found.T)


def quiet(_: str) -> None:
    """What the other folds have to say is the same."""


def main() -> None:
    choices = choices_of(sys.argv[1:])
    folds, channels = choices.pop("folds", 5), choices.pop("channels", CHANNELS)
    order = np.random.default_rng(0).permutation(USERS) + 1
    splits = np.split(order, 5)[:folds]
    if choices.pop("choose", False):
        order = np.random.default_rng(1).permutation(np.sort(order[USERS // 5 :]))
        splits = np.split(order, 4)
    ways = {"length": lengths, "DTW by length": warped_by_length, "DTW of the whole": warped_whole}
    parts: dict[str, list[dict[str, np.ndarray]]] = {words: [] for words in (*ways, "first distance", "gemel")}
    begin = time.perf_counter()
    columns = [f"{kind}, {power:g}" for power in POWERS for kind in ("skilled", "random")]
    print(f"{'EER %, power':18}" + "".join(f"{words:20}" for words in (*columns, "skilled, own")))
    for fold, tested in enumerate(splits):
        users = sorted(set(order.tolist()) - set(tested.tolist()))
        train = gemel.read(table(users), item="path", channels=str(channels))
        test = gemel.read(table(tested.tolist()), item="path", channels=str(channels))
        whole = gemel.read(table(tested.tolist()), item="path", channels=CHANNELS)
        raws = [whole.load(i) for i in range(len(whole))]
        for words, way in ways.items():
            parts[words].append(scored(way(raws), len(tested), seed=fold))
        twin = gemel.train(train, RECIPE.but(seed=fold, **choices), progress=False, say=print if fold == 0 else quiet)
        vectors = twin.embed(test).vectors
        for words, metric in (("first distance", proposing(twin.metric)), ("gemel", twin.metric)):
            parts[words].append(scored(metric.matrix(vectors, vectors), len(tested), seed=fold))
        for words, found in parts.items():
            print(line(f"{fold} {words}", found[-1]), flush=True)
    for words, found in parts.items():
        whole = {kind: np.concatenate([each[kind] for each in found], 1) for kind in found[0]}
        print(line(words, whole))
    print(f"{choices}; {(time.perf_counter() - begin) / 60:.1f} min")


if __name__ == "__main__":
    main()
