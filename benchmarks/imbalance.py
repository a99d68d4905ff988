"""One same pair among a hundred different ones: learned with and without balance; the probability at the true prior.

    python benchmarks/imbalance.py

Printed letters (drawn from the typefaces inside matplotlib), explicit pairs 1 : 100, contrastive loss. Letters are
split three ways: to learn, to calibrate, to judge. Same and different pairs of the judged letters stand 1 : 100 too.
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import gemel
from gemel.cli.demo.letters import draw
from gemel.items import Collection, Pairs, decode, split
from gemel.measure import owners, pairs_of, verification_of
from gemel.recipe import Recipe

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

RARE = 100
"""Different pairs for each same pair."""
PRIOR = 1 / (1 + RARE)
RECIPE = Recipe(size=32, color=False, loss="contrastive", distance="euclidean", holdout=0.0)
BINS = (0.0, 0.001, 0.01, 0.1, 0.3, 0.7, 1.0)


def imbalanced(data: Collection, same_pairs: int, seed: int) -> Pairs:
    """Pairs of labelled items in the proportion 1 : RARE."""
    assert data.identity is not None
    found = pairs_of(data.identity.codes, limit=same_pairs * RARE, seed=seed)
    same, different = np.flatnonzero(found.same), np.flatnonzero(~found.same)
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.choice(same, same_pairs, replace=False), different[: same_pairs * RARE]])
    return Pairs(found.a[rows], found.b[rows], found.same[rows])


def reliability(probability: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"]) -> str:
    """Predicted against observed share of same pairs, bin by bin."""
    lines = []
    for low, high in pairwise(BINS):
        inside = (probability >= low) & (probability <= high if high == 1 else probability < high)
        if inside.any():
            predicted, observed = probability[inside].mean(), same[inside].mean()
            lines.append(
                f"    {low:5.3f} to {high:5.3f}: said {predicted:.4f}, was {observed:.4f}, {inside.sum():6d} pairs"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=400)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder))
        data = gemel.read(folder)
        content = decode(data).content  # two letters that look alike in some typeface stay on one side
        parts = split(data, shares={"train": 0.5, "calibrate": 0.25, "test": 0.25}, content=content)
        learn = parts["train"]
        learn = learn.with_(identity=None, pairs=imbalanced(learn, 400, seed=0))
        test = parts["test"]
        assert test.identity is not None
        judged = imbalanced(test, 1000, seed=1)
        rests_on = owners(test.identity.codes, np.full(len(test), -1))
        for balance in (True, False):
            twin = gemel.train(learn, RECIPE, steps=options.steps, balance=balance, progress=False)
            twin = twin.calibrate(parts["calibrate"], prior=PRIOR)
            vectors = twin.embed(test).vectors
            distance = twin.metric.paired(vectors[judged.a], vectors[judged.b])
            assert judged.same is not None
            found = verification_of(distance, judged.same, rests_on[judged.a], rests_on[judged.b])
            name = "balanced" if balance else "as they come"
            print(f"{name}: EER {found.eer:.4f} {found.eer_interval}, AUC {found.auc:.4f}")
            assert twin.decision is not None
            probability = twin.decision.probability(distance)
            print(f"  at the true prior {PRIOR:.4f}: said {probability.mean():.4f} on average")
            print(reliability(probability, judged.same), flush=True)


if __name__ == "__main__":
    main()
