"""Scanned signatures of writers never seen: Dutch ones, in binarised ink.

    python benchmarks/scanned.py                      learned from the 43 writers of train/, tested on the 21 of test/
    python benchmarks/scanned.py seeds=3 steps=100
    python benchmarks/scanned.py --choose fold=1      learned from 33 of the 43 writers, judged on the other 10: for
                                                      choosing a recipe; test/ is not looked at

Genuine pairs of one writer against skilled forgeries of that writer, and against pairs of two writers (random); then
signatures against five references of one writer. Beside them, for pairs: six trivial scalars of each picture, whose
differences a logistic regression weighs (fitted on genuine and skilled pairs of the writers of training), and raw
pixels. What a decision costs is cross-fitted over the tested writers, for there are no others. Intervals are over
writers. GEMEL_DATA must hold signatures-ink.zip.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import gemel
from datasets import choices_of, unpacked
from gemel.errors import NotCalibrated
from gemel.items import Collection, ImageModality
from gemel.items.units import who
from gemel.measure import Interval, Verification, verification_of
from gemel.recipe import Recipe
from gemel.siamese import Siamese, evaluate
from gemel.siamese.known import Known, known_pairs

if TYPE_CHECKING:
    from jaxtyping import Float

RECIPE = Recipe(prepare="ink", loss="multisimilarity", identities=6, items=16, steps=60, holdout=0.0)
HELD, REFERENCES = 10, 5
WHOLE = ImageModality(height=155, width=220, channels=1)
"""The pictures as they are."""


def pixels(data: Collection) -> Float[np.ndarray, "n h w"]:
    return np.stack([WHOLE.load(data.source(i))[:, :, 0] for i in range(len(data))]).astype(np.float32)


def scalars(image: Float[np.ndarray, "h w"]) -> list[float]:
    """Six numbers that say nothing of how a name is written: ink, width, height, aspect, edges across and down."""
    ink = image < 128
    rows, columns = (np.flatnonzero(ink.any(axis)) for axis in (1, 0))
    height, width = float(np.ptp(rows) + 1), float(np.ptp(columns) + 1)
    edges = (float(np.count_nonzero(np.diff(ink, axis=axis))) for axis in (1, 0))
    return [float(ink.sum()), width, height, width / height, *edges]


def between(data: Collection, pairs: Known) -> Float[np.ndarray, "m 6"]:
    """How far the scalars of each pair are apart."""
    known = np.array([scalars(image) for image in pixels(data)])
    return np.abs(known[pairs.a] - known[pairs.b])


def floor(twin: Siamese, learned: Collection, judged: Collection) -> None:
    """What can be told without reading a signature."""
    seen, asked = known_pairs(learned, twin.embed(learned)), known_pairs(judged, twin.embed(judged))
    near = seen.same | seen.skilled
    fitted = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    fitted.fit(between(learned, seen)[near], ~seen.same[near])
    flat = pixels(judged).reshape(len(judged), -1)
    distances = {
        "six scalars": fitted.decision_function(between(judged, asked)),
        "raw pixels": np.linalg.norm(flat[asked.a] - flat[asked.b], axis=1),
    }
    for words, distance in distances.items():
        kinds = {"skilled": asked.same | asked.skilled, "random": ~asked.skilled}
        for kind, rows in kinds.items():
            sides = asked.identity_a[rows], asked.identity_b[rows]
            print(line(f"{words}, {kind}", verification_of(distance[rows], asked.same[rows], *sides)), flush=True)


def line(words: str, found: Verification) -> str:
    area = found.auc_interval
    return (
        f"{words:32} EER {percent(found.eer, found.eer_interval)}   AUC {found.auc:.4f} [{area.low:.4f}, "
        f"{area.high:.4f}]   {found.same} same, {found.different} different"
    )


def percent(rate: float, interval: Interval) -> str:
    return f"{100 * rate:5.2f} % [{100 * interval.low:.2f}, {100 * interval.high:.2f}]"


def decided(twin: Siamese, judged: Collection, refs: int | None) -> str:
    """What a decision costs, cross-fitted over the judged writers, and what so few of them cannot support."""
    decisions = twin.calibrate(judged, refs=refs).decisions
    decision = next(each for each in decisions if each.method.references == (refs or 1))
    lines = []
    for at in decision.points:
        random = percent(at.apart.random, at.apart.random_interval)
        skilled = percent(at.apart.skilled, at.apart.skilled_interval)
        missed = percent(at.fnmr, at.fnmr_interval)
        lines.append(f"    {at.name}: false match, random {random}, skilled {skilled}; false non-match {missed}")
    for fmr in (0.1, 0.01):
        try:
            decision.asked(fmr)
        except NotCalibrated as reason:
            lines.append(f"    {reason}")
    return "\n".join(lines)


def parts(fold: int | None) -> tuple[Collection, Collection]:
    """What is learned from, and what is judged on; with a fold, both of the writers of training."""
    data = gemel.read(unpacked("signatures-ink"))
    assert data.split is not None
    train, test = (
        data.take(data.split.codes == data.split.names.index(name)).with_(split=None) for name in ("train", "test")
    )
    if fold is None:
        return train, test
    writer = who(train)
    assert writer is not None
    held = np.random.default_rng(0).permutation(np.unique(writer))[fold * HELD :][:HELD]
    return train.take(~np.isin(writer, held)), train.take(np.isin(writer, held))


def main() -> None:
    choices, choosing = choices_of(sys.argv[1:]), "--choose" in sys.argv
    fold, seeds = choices.pop("fold", 0), choices.pop("seeds", 1)
    learned, judged = parts(fold if choosing else None)
    for seed in range(seeds):
        begin = time.perf_counter()
        twin = gemel.train(learned, RECIPE.but(seed=seed, **choices), progress=False)
        minutes = (time.perf_counter() - begin) / 60
        if seed == 0 and not choosing:
            floor(twin, learned, judged)
        for refs in (None, REFERENCES):
            found = evaluate(twin, judged, refs=refs)
            against = "" if refs is None else f", {refs} references"
            for kind, measured in (("skilled", found.skilled), ("random", found.random)):
                print(line(f"seed {seed}{against}, {kind}", measured), flush=True)
            if seed == 0 and not choosing:
                print(decided(twin, judged, refs), flush=True)
        print(f"{choices}; trained in {minutes:.1f} min", flush=True)


if __name__ == "__main__":
    main()
