"""What many classes cost: one-shot accuracy on Omniglot's 659 evaluation characters, from 5 to all of them at once.

    python benchmarks/many_classes.py                      trains for 400 steps on images_background, three minutes
    python benchmarks/many_classes.py --model o.gemel      judges a twin that is there already

Characters of an episode come from all alphabets; one example each, one query; intervals are over characters.
"""

from __future__ import annotations

import argparse

import numpy as np

import gemel
from datasets import unpacked
from gemel.measure import few_shot
from omniglot import RECIPE

WAYS = (5, 10, 20, 50, 100, 200, 400, 659)


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--model")
    flags.add_argument("--steps", type=int, default=400)
    flags.add_argument("--episodes", type=int, default=4000)
    options = flags.parse_args()
    folder = unpacked("omniglot")
    if options.model:
        twin = gemel.Siamese.load(options.model)
    else:
        background = gemel.read(folder / "images_background", grouped=True)
        twin = gemel.train(background, RECIPE, steps=options.steps, progress=False)
    data = gemel.read(folder / "images_evaluation", grouped=True)
    assert data.identity is not None
    vectors, codes = twin.embed(data).vectors, np.asarray(data.identity.codes)
    print("ways   one example              five examples            chance")
    for ways in WAYS:
        how = {"ways": ways, "episodes": options.episodes, "distance_name": twin.method.distance}
        one, five = (few_shot(vectors, codes, shots=shots, **how) for shots in (1, 5))
        cells = [f"{f.accuracy:.4f} [{f.interval.low:.4f}, {f.interval.high:.4f}]" for f in (one, five)]
        print(f"{ways:<6} {cells[0]:<24} {cells[1]:<24} {1 / ways:.4f}", flush=True)


if __name__ == "__main__":
    main()
