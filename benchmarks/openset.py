"""Who is this, or nobody? Faces of people that training never met: a gallery of one picture each, others and strangers.

    python benchmarks/openset.py                    gallery sizes 100, 500 and 1,000, at an FPIR of 1 % and of 10 %
    python benchmarks/openset.py steps=200          further words are fields of a recipe

People of Labeled Faces in the Wild, in three parts by lot: training (1,100 with two pictures or more), calibration (80
of those and 1,500 with one), test (the others: 500 with several pictures, of whom the first is enrolled, and those with
one, who are enrolled to fill the largest gallery, or strangers). Thresholds come from the calibration people alone.
Beside it in the same run, by the same rules: raw pixels and their first 128 principal components. GEMEL_DATA must
hold lfw.zip.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import gemel
from datasets import choices_of, unpacked
from gemel.items import Collection
from gemel.measure import Interval
from gemel.measure.identification import Identification, identification_of
from gemel.neighbors.exact import nearest
from gemel.recipe import Recipe

if TYPE_CHECKING:
    from jaxtyping import Float, Int

RECIPE = Recipe.read(Path(__file__).with_name("lfw.toml"))
SIZES, FPIRS, SEED = (100, 500, 1000), (0.01, 0.1), 0
TRAIN, CALIBRATE, ALONE = 1100, 80, 1500


@dataclass(frozen=True)
class Parts:
    """Items by their use, as positions.

    Attributes:
        train, calibrate: all items of those people.
        enrolled: the first item of every test person with several.
        probes: their other items.
        alone: the items of test people with one.
    """

    train: Int[np.ndarray, " n"]
    calibrate: Int[np.ndarray, " n"]
    enrolled: Int[np.ndarray, " n"]
    probes: Int[np.ndarray, " n"]
    alone: Int[np.ndarray, " n"]


def parts(codes: Int[np.ndarray, " n"]) -> Parts:
    rng = np.random.default_rng(SEED)
    counts = np.bincount(codes)
    several, alone = rng.permutation(np.flatnonzero(counts > 1)), rng.permutation(np.flatnonzero(counts == 1))
    train, calibrate, test = np.split(several, [TRAIN, TRAIN + CALIBRATE])
    first = {person: np.flatnonzero(codes == person) for person in test}
    return Parts(
        np.flatnonzero(np.isin(codes, train)),
        np.flatnonzero(np.isin(codes, np.concatenate([calibrate, alone[:ALONE]]))),
        np.array([items[0] for items in first.values()]),
        np.concatenate([items[1:] for items in first.values()]),
        np.concatenate([np.flatnonzero(codes == person) for person in alone[ALONE:]]),
    )


def judge(
    twin: gemel.Siamese,
    vectors: Float[np.ndarray, "n d"],
    codes: Int[np.ndarray, " n"],
    of: Parts,
    size: int,
    fpir: float,
) -> tuple[Identification, Interval]:
    """Names, or none, for a gallery of so many: (measures, what calibration promised)."""
    known = of.enrolled[:size]
    filled = np.concatenate([known, of.alone[: size - len(known)]])
    strangers = of.alone[max(0, SIZES[-1] - len(of.enrolled)) :]
    probes = of.probes[np.isin(codes[of.probes], codes[known])]
    near, far = (nearest(vectors[rows], vectors[filled], 1, twin.metric) for rows in (probes, strangers))
    right = codes[filled[near.index[:, 0]]] == codes[probes]
    among = twin.decision.open_set
    threshold = among.threshold(fpir, size)
    found = identification_of(
        near.distance[:, 0], right, codes[probes], far.distance[:, 0], codes[strangers], threshold
    )
    return found, among.interval(fpir, size)


def said(name: str, size: int, fpir: float, found: Identification, promised: Interval) -> str:
    cells = [
        f"{100 * value:.2f} % [{100 * reach.low:.2f}, {100 * reach.high:.2f}]"
        for value, reach in (
            (found.rank1, found.rank1_interval),
            (found.fpir, found.fpir_interval),
            (found.fnir, found.fnir_interval),
        )
    ]
    promise = f"[{100 * promised.low:.2f}, {100 * promised.high:.2f}]"
    return f"| {size:,} | {fpir:.0%} | {name} | {' | '.join([*cells[:2], promise, cells[2]])} |"


def by_vectors(vectors: Float[np.ndarray, "n d"], data: Collection, of: Parts) -> gemel.Siamese:
    """A twin that compares vectors as they are, calibrated on the same people."""
    twin = gemel.Siamese.from_vectors(vectors.shape[1], "euclidean")
    labels = [data.identity.value(int(i)) for i in of.calibrate]
    return twin.calibrate(gemel.read(vectors[of.calibrate], labels=labels))


def main() -> None:
    choices = choices_of(sys.argv[1:])
    data = gemel.read(unpacked("lfw") / "all")
    codes = data.identity.codes
    of = parts(codes)
    pixels = np.stack([data.load(i) for i in range(len(data))]).reshape(len(data), -1).astype(np.float32) / 255
    mean = pixels[of.train].mean(axis=0)
    axes = np.linalg.svd(pixels[of.train] - mean, full_matrices=False)[2][:128]
    begin = time.perf_counter()
    recipe = {"holdout": 0.1, "seed": SEED} | choices
    twin = gemel.train(data.take(of.train), RECIPE, progress=False, **recipe)
    print(f"trained on {len(of.train):,} pictures in {(time.perf_counter() - begin) / 60:.1f} min", flush=True)
    twin = twin.but(decisions=()).calibrate(data.take(of.calibrate))
    print(f"{len(of.calibrate):,} pictures of {twin.decision.open_set.strangers:,} people calibrate")
    print("| enrolled | chosen | | rank 1 | FPIR | promised | FNIR |\n|---|---|---|---|---|---|---|")
    small = (pixels - mean) @ axes.T
    rivals = (("raw pixels", pixels), (f"{len(axes)} principal components", small))
    each = [("gemel", twin, twin.embed(data).vectors), *((name, by_vectors(x, data, of), x) for name, x in rivals)]
    for size in SIZES:
        for fpir in FPIRS:
            for name, one, vectors in each:
                print(said(name, size, fpir, *judge(one, vectors, codes, of, size, fpir)), flush=True)


if __name__ == "__main__":
    main()
