"""Omniglot: 20-way one-shot, the twenty official runs and random within-alphabet episodes.

    python benchmarks/omniglot.py --seeds 0 1 2          trains three times, about 5 minutes of 2 idle cores each
    python benchmarks/omniglot.py --table --steps 400    the same network under other losses and distances
    python benchmarks/omniglot.py --choose               held-out background alphabets only: for choosing settings

Trains on `images_background` only. The settings stand in omniglot.toml.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import gemel
from datasets import unpacked
from gemel.items import Collection, Labels
from gemel.measure import FewShot, few_shot, score_trials
from gemel.recipe import Recipe

RECIPE = Recipe.read(Path(__file__).with_name("omniglot.toml"))
EPISODES = 10_000
TABLE = (
    {"loss": "supcon", "distance": "cosine"},
    {"loss": "supcon", "distance": "euclidean"},
    {"loss": "supcon", "distance": "manhattan"},
    {"loss": "supcon", "distance": "learned"},
    {"loss": "contrastive", "distance": "euclidean"},
    {"loss": "triplet", "distance": "euclidean"},
    {"loss": "bce", "distance": "learned"},
)


@dataclass(frozen=True)
class OneShot:
    """What one trained twin reaches."""

    official: FewShot
    episodes: FewShot

    def __str__(self) -> str:
        return (
            f"official {_percent(self.official)}; {self.episodes.episodes:,} within-alphabet {_percent(self.episodes)}"
        )


def _percent(found: FewShot) -> str:
    return f"{100 * found.accuracy:.2f} % [{100 * found.interval.low:.2f}, {100 * found.interval.high:.2f}]"


def judged(twin: gemel.Siamese, folder: Path) -> OneShot:
    """The official runs, and random episodes among the evaluation alphabets."""
    evaluation = gemel.read(folder / "images_evaluation", grouped=True)
    return OneShot(official(twin, folder / "one-shot-classification"), episodes(twin, evaluation))


def episodes(twin: gemel.Siamese, data: Collection) -> FewShot:
    """20-way one-shot within an alphabet."""
    assert data.identity is not None
    assert data.group is not None
    vectors = twin.embed(data).vectors
    how = {"ways": 20, "group": data.group.codes, "distance_name": twin.method.distance, "episodes": EPISODES}
    return few_shot(vectors, data.identity.codes, **how)


def official(twin: gemel.Siamese, folder: Path) -> FewShot:
    """The 400 trials of the twenty official runs."""
    trials = trials_of(folder, lambda files: twin.embed(files).vectors)
    return score_trials(**trials, distance_name=twin.method.distance)


def trials_of(folder: Path, embed: Callable[[list[Path]], np.ndarray]) -> dict[str, np.ndarray]:
    """Queries, supports and answers of the official runs, embedded."""
    query, support, answer, run_of = [], [], [], []
    for run in sorted(folder.glob("run*")):
        classes = sorted((run / "training").glob("*.png"))
        examples = embed(classes)
        tests = list(_trials(run))
        query.append(embed([test for test, _ in tests]))
        support += [examples[:, None]] * len(tests)
        answer += [classes.index(right) for _, right in tests]
        run_of += [int(run.name.removeprefix("run"))] * len(tests)
    unit = np.array(run_of)
    return {"query": np.concatenate(query), "support": np.stack(support), "answer": np.array(answer), "unit": unit}


def _trials(run: Path) -> Iterator[tuple[Path, Path]]:
    for line in (run / "class_labels.txt").read_text(encoding="utf-8").splitlines():
        test, training = line.split()
        yield run.parent / test, run.parent / training


def held_out_alphabets(data: Collection) -> Collection:
    """Every fifth background alphabet stops the training and chooses the settings; nothing is calibrated."""
    assert data.group is not None
    return data.with_(split=Labels((data.group.codes % 5 == 2).astype(np.int64), ["train", "stop"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=RECIPE.steps)
    parser.add_argument("--table", action="store_true", help="other losses and distances, one run each")
    parser.add_argument("--choose", action="store_true", help="judge on held-out background alphabets")
    options = parser.parse_args()
    folder = unpacked("omniglot")
    background = gemel.read(folder / "images_background", grouped=True)
    if options.choose:
        background = held_out_alphabets(background)
        twin = gemel.train(background, RECIPE, steps=options.steps, holdout=0.0, seed=options.seeds[0], progress=False)
        print(_percent(episodes(twin, background.take(background.split.codes == 1))))
        return
    rows = TABLE if options.table else ({},)
    for row in rows:
        scores = []
        for seed in options.seeds:
            begin = time.perf_counter()
            twin = gemel.train(background, RECIPE, steps=options.steps, seed=seed, progress=False, **row)
            seconds = time.perf_counter() - begin
            found = judged(twin, folder)
            scores.append(100 * found.official.accuracy)
            print(f"{row or ''} seed {seed}: {found}; {seconds / 60:.1f} min", flush=True)
        if len(scores) > 1:
            mean, spread = statistics.mean(scores), statistics.stdev(scores)
            print(f"official runs, mean of {len(scores)} seeds: {mean:.2f} % (sd {spread:.2f})")


if __name__ == "__main__":
    main()
