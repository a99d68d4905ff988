"""How often a 95 % interval of an error rate covers the truth, over many samples of identities.

    python benchmarks/coverage.py                  # some minutes on one core
    python benchmarks/coverage.py --resplits 50    # a quick look

The rates are those of a fixed threshold, and of the operating points of a decision fitted on the sample.
Identities are drawn from a large simulated population in which some are noisier than others; all pairs of a
sample are measured, or a share of the different ones; the truth comes from two million fresh pairs. Four
intervals are compared: the one gemel uses, percentiles of an identity bootstrap, Wilson's on the effective number of
pairs, and Wilson's as if the pairs were independent.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gemel.measure.calibration import Judged, judged
from gemel.measure.intervals import Clusters, Interval, draws, identity_variance, rate_interval, wilson
from gemel.measure.verification import verification_of
from gemel.siamese import fitting

METHOD = fitting.Method("euclidean", 8)
fitting.REPLICATES = 20  # smooth enough here
fitting.unsupported = lambda *_: ""  # measured also where gemel itself makes no claim

DIM = 8
FRESH = 1_000_000


@dataclass(frozen=True)
class Setting:
    """One row of the table.

    Attributes:
        identities: in each sample.
        items: of each identity.
        fmr: the false match rate that fixes the threshold.
        spread: how differently noisy identities are: standard deviation of the logarithm of the noise.
        share: of the different pairs that are looked at.
    """

    identities: int
    items: int
    fmr: float
    spread: float = 0.3
    share: float = 1.0


SETTINGS = (
    *(Setting(n, 4, fmr) for n in (30, 60) for fmr in (0.1, 0.01)),
    *(Setting(150, 3, fmr) for fmr in (0.1, 0.01)),
    *(Setting(60, 4, fmr, spread=0.6) for fmr in (0.1, 0.01)),
    *(Setting(150, 3, fmr, share=0.05) for fmr in (0.1, 0.01)),
)


def items(setting: Setting, identities: int, each: int, rng: np.random.Generator) -> np.ndarray:
    """Embeddings [identities, each, DIM]: a centre per identity, and noise of the identity's own scale."""
    centre = rng.normal(size=(identities, 1, DIM))
    scale = 0.45 * np.exp(setting.spread * rng.normal(size=(identities, 1, 1)))
    return centre + scale * rng.normal(size=(identities, each, DIM))


class Population:
    """Error rates that samples are compared with."""

    def __init__(self, setting: Setting, rng: np.random.Generator) -> None:
        mine, other = items(setting, FRESH, 2, rng), items(setting, FRESH, 1, rng)
        self.same = np.sort(np.linalg.norm(mine[:, 0] - mine[:, 1], axis=1))
        self.different = np.sort(np.linalg.norm(mine[:, 0] - other[:, 0], axis=1))

    def fmr(self, threshold: float) -> float:
        return float(np.searchsorted(self.different, threshold, side="right") / FRESH)

    def fnmr(self, threshold: float) -> float:
        return 1 - float(np.searchsorted(self.same, threshold, side="right") / FRESH)

    def threshold(self, fmr: float) -> float:
        return float(self.different[int(fmr * FRESH)])

    def eer(self) -> float:
        grid = np.quantile(self.different, np.linspace(0, 1, 20_001))
        gap = [abs(self.fmr(t) - self.fnmr(t)) for t in grid]
        return self.fmr(float(grid[int(np.argmin(gap))]))


def sample(setting: Setting, rng: np.random.Generator) -> Judged:
    """All pairs among freshly drawn identities, or some of the different ones."""
    rows = items(setting, setting.identities, setting.items, rng).reshape(-1, DIM)
    owner = np.repeat(np.arange(setting.identities), setting.items)
    a, b = np.triu_indices(len(rows), 1)
    kept = (owner[a] == owner[b]) | (rng.random(len(a)) < setting.share)
    a, b = a[kept], b[kept]
    return judged(np.linalg.norm(rows[a] - rows[b], axis=1), owner[a] == owner[b], owner[a], owner[b])


def percentiles(hit: np.ndarray, pairs: Clusters) -> Interval:
    """Of an identity bootstrap of pairs of two identities: weights multiply, so sums are quadratic forms."""
    size = (pairs.count, pairs.count)
    hits, every = np.zeros(size), np.zeros(size)
    np.add.at(hits, (pairs.a, pairs.b), hit)
    np.add.at(every, (pairs.a, pairs.b), 1)
    weight = draws(pairs.count, 500, seed=0).astype(float)
    rates = ((weight @ hits) * weight).sum(axis=1) / ((weight @ every) * weight).sum(axis=1)
    return Interval(float(np.quantile(rates, 0.025)), float(np.quantile(rates, 0.975)))


def effective(hit: np.ndarray, pairs: Clusters) -> Interval:
    rate = float(hit.mean())
    variance = identity_variance((hit - rate) / len(hit), pairs)
    return wilson(rate, rate * (1 - rate) / variance if variance > 0 else pairs.count)


def naive(hit: np.ndarray, pairs: Clusters) -> Interval:
    return wilson(float(hit.mean()), len(hit))


METHODS: dict[str, Callable[[np.ndarray, Clusters], Interval]] = {
    "gemel": rate_interval,
    "bootstrap": percentiles,
    "effective": effective,
    "naive": naive,
}


def covered(setting: Setting, resplits: int, seed: int) -> dict[str, float]:
    """Share of resplits whose interval covers the truth, in percent, by what is estimated."""
    rng = np.random.default_rng(seed)
    truth = Population(setting, rng)
    fixed, eer = truth.threshold(setting.fmr), truth.eer()
    rows = [_one(sample(setting, rng), setting, truth, fixed, eer) for _ in range(resplits)]
    return {name: 100 * float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _one(known: Judged, setting: Setting, truth: Population, fixed: float, eer: float) -> dict[str, bool]:
    negative, positive = known.pairs.take(~known.same), known.pairs.take(known.same)
    out = {
        f"fixed {name}": truth.fmr(fixed) in method((known.distance <= fixed)[~known.same], negative)
        for name, method in METHODS.items()
    }
    out["fixed FNMR"] = truth.fnmr(fixed) in rate_interval((known.distance > fixed)[known.same], positive)
    made = fitting.fit_decision(
        known.distance, known.same, known.pairs.a, known.pairs.b, method=METHOD, fmrs=(setting.fmr,)
    )
    for point in made.points:
        name = "chosen" if point.name.startswith("fmr") else point.name
        out[f"{name} FMR"] = truth.fmr(point.threshold) in point.fmr_interval
        out[f"{name} FNMR"] = truth.fnmr(point.threshold) in point.fnmr_interval
    measured = verification_of(known.distance, known.same, known.pairs.a, known.pairs.b)
    assert measured.eer_interval is not None
    out["EER"] = eer in measured.eer_interval
    return out


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--resplits", type=int, default=200)
    flags.add_argument("--seed", type=int, default=0)
    asked = flags.parse_args()
    began = time.perf_counter()
    for number, setting in enumerate(SETTINGS):
        found = covered(setting, asked.resplits, asked.seed)
        if number == 0:
            print(f"{'n':>4} {'FMR':>5} {'spread':>6} {'share':>5}  " + "  ".join(found))
        cells = "  ".join(f"{value:{len(name)}.1f}" for name, value in found.items())
        print(f"{setting.identities:>4} {setting.fmr:>5} {setting.spread:>6} {setting.share:>5}  {cells}", flush=True)
    print(f"{asked.resplits} resplits, seed {asked.seed}, {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
