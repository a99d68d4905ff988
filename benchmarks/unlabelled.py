"""Omniglot with few labels or none: the twenty official runs of 20-way one-shot.

    python benchmarks/unlabelled.py                  everything, about 20 minutes of two idle cores
    python benchmarks/unlabelled.py --only simclr

    raw         pixels by Euclidean distance
    simclr      two distorted views of each image of images_background, no labels
    vicreg      the same
    tenth       labels of one identity in ten, and nothing else
    joined      the same labels, and all other images as unlabelled ones in two views
    all         every label

All train the same network for the same steps, in settings that were set once and not tuned.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import gemel
from datasets import unpacked
from gemel.items import UNKNOWN, Collection
from gemel.measure import score_trials
from omniglot import RECIPE, judged, trials_of

SIDE = 28
VIEWS: dict[str, Any] = {
    "rotations": False,
    "groups": 0,
    "batch_pairs": 128,
    "degrees": 20.0,
    "shear": 20.0,
    "scale": 0.3,
    "translate": 0.15,
    "elastic": 0.03,
    "temperature": None,
}
CHOICES: dict[str, dict[str, Any]] = {
    "simclr": {**VIEWS, "loss": "simclr"},
    "vicreg": {**VIEWS, "loss": "vicreg"},
    "tenth": {"groups": 0, "identities": 32},
    "joined": {"groups": 0, "identities": 32, "unlabelled": 64, "elastic": 0.03},
    "all": {},
}


def known(data: Collection, name: str) -> Collection:
    """The background with as many labels as the row has."""
    if name in ("simclr", "vicreg"):
        return data.with_(identity=None, group=None)
    if name == "all":
        return data
    assert data.identity is not None
    codes = data.identity.codes
    kept = np.where(codes % 10 == 0, codes, UNKNOWN)
    if name == "tenth":
        return data.take(kept != UNKNOWN)
    return data.with_(identity=gemel.Labels(kept, data.identity.names))


def raw(folder: Path) -> str:
    """The official runs by pixels."""

    def pixels(files: list[Path]) -> np.ndarray:
        side = (SIDE, SIDE)
        return np.stack([np.asarray(Image.open(f).convert("L").resize(side), np.float32).ravel() for f in files])

    trials = trials_of(folder / "one-shot-classification", pixels)
    return f"{100 * score_trials(**trials, distance_name='euclidean').accuracy:.2f} %"


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--only", nargs="+", choices=CHOICES, default=list(CHOICES))
    flags.add_argument("--steps", type=int, default=600)
    flags.add_argument("--seed", type=int, default=0)
    options = flags.parse_args()
    folder = unpacked("omniglot")
    data = gemel.read(folder / "images_background", grouped=True)
    print(f"raw: official {raw(folder)}", flush=True)
    for name in options.only:
        begin, part = time.perf_counter(), known(data, name)
        recipe = RECIPE.but(steps=options.steps, seed=options.seed, **CHOICES[name])
        twin = gemel.train(part, recipe, progress=False)
        minutes = (time.perf_counter() - begin) / 60
        print(f"{name}: {len(part):,} images; {judged(twin, folder)}; {minutes:.1f} min", flush=True)


if __name__ == "__main__":
    main()
