"""Labeled Faces in the Wild, View 2: same person or not, trained from scratch on no outside data.

    python benchmarks/lfw.py

Two trainings: one judges folds 1 to 5 and has seen nobody who appears in them, the other folds 6 to 10.
The threshold for a fold comes from the other four folds of its half, which its network has not seen either.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import gemel
from datasets import unpacked
from gemel import distances
from gemel.items import Collection
from gemel.measure import Interval, accuracy, best_accuracy, verification_of
from gemel.recipe import Recipe

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

RECIPE = Recipe.read(Path(__file__).with_name("lfw.toml"))
FOLDS = 10


@dataclass(frozen=True)
class Pairs:
    """The 6,000 pairs of View 2.

    Attributes:
        a, b: names of the files, without their folder.
        same: whether they show one person.
        fold: 0 to 9.
    """

    a: list[str]
    b: list[str]
    same: Bool[np.ndarray, " n"]
    fold: Int[np.ndarray, " n"]

    def people(self, folds: range) -> set[str]:
        """Everybody who appears in the given folds."""
        names = [n for ends in (self.a, self.b) for n, f in zip(ends, self.fold, strict=True) if f in folds]
        return {name.rpartition("_")[0] for name in names}


def view2(folder: Path) -> Pairs:
    """Read pairs.txt: ten folds of 300 same and 300 different pairs."""
    lines = [line.split("\t") for line in (folder / "pairs.txt").read_text(encoding="utf-8").splitlines()[1:]]
    left = [_file(line[0], line[1]) for line in lines]
    right = [_file(line[0], line[2]) if len(line) == 3 else _file(line[2], line[3]) for line in lines]
    same = np.array([len(line) == 3 for line in lines])
    return Pairs(left, right, same, np.arange(len(lines)) // (len(lines) // FOLDS))


def _file(person: str, number: str) -> str:
    return f"{person}_{int(number):04d}"


def apart(vectors: Float[np.ndarray, "n d"], data: Collection, pairs: Pairs, metric: str) -> Float[np.ndarray, " m"]:
    """The distance of every pair."""
    place = {Path(data.name(i)).stem: i for i in range(len(data))}
    a, b = ([place[name] for name in ends] for ends in (pairs.a, pairs.b))
    return distances.distance(metric).paired(vectors[a], vectors[b])


def cross_validated(distance: Float[np.ndarray, " n"], pairs: Pairs) -> Float[np.ndarray, " f"]:
    """Accuracy on each fold, at the best threshold of the other folds of its half."""
    found = []
    for fold in range(FOLDS):
        half = pairs.fold // 5 == fold // 5
        fit, test = half & (pairs.fold != fold), pairs.fold == fold
        threshold = best_accuracy(distance[fit], pairs.same[fit]).threshold
        found.append(accuracy(distance[test], pairs.same[test], threshold))
    return np.array(found)


def report(name: str, distance: Float[np.ndarray, " n"], pairs: Pairs) -> None:
    folds = cross_validated(distance, pairs)
    error = folds.std(ddof=1) / np.sqrt(FOLDS)
    print(f"{name}: accuracy {100 * folds.mean():.2f} ± {100 * error:.2f} % (standard error of ten folds)")
    codes = {name: code for code, name in enumerate(sorted(pairs.people(range(FOLDS))))}
    a, b = (np.array([codes[n.rpartition("_")[0]] for n in ends]) for ends in (pairs.a, pairs.b))
    found = verification_of(distance, pairs.same, a, b)
    print(f"  AUC {found.auc:.4f}, EER {100 * found.eer:.2f} % {_interval(found.eer_interval)}")
    for point in found.at_fmr:
        print(f"  FNMR at FMR {point.fmr:g}: {100 * point.fnmr:.2f} % {_interval(point.interval)}", flush=True)


def _interval(interval: Interval) -> str:
    return f"[{100 * interval.low:.2f}, {100 * interval.high:.2f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=RECIPE.steps)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folder = unpacked("lfw")
    data, pairs = gemel.read(folder / "all"), view2(folder)
    assert data.identity is not None
    pixels = np.stack([data.load(i) for i in range(len(data))]).reshape(len(data), -1).astype(np.float32)
    report("raw pixels", apart(pixels, data, pairs, "euclidean"), pairs)
    distance = np.full(len(pairs.same), np.nan, np.float32)
    for half in (range(5), range(5, 10)):
        unseen = pairs.people(half)
        names = np.array([data.identity.names[code] not in unseen for code in data.identity.codes])
        begin = time.perf_counter()
        twin = gemel.train(data.take(names), RECIPE, steps=options.steps, seed=options.seed, progress=False)
        print(
            f"trained on {names.sum()} images in {(time.perf_counter() - begin) / 60:.1f} min; {twin.measures}",
            flush=True,
        )
        tested = np.isin(pairs.fold, half)
        distance[tested] = apart(twin.embed(data).vectors, data, pairs, twin.method.distance)[tested]
    report("gemel", distance, pairs)


if __name__ == "__main__":
    main()
