"""One of many, or nobody: thresholds hold in galleries of strangers that had no part in choosing them."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from gemel.distances import distance
from gemel.errors import DataError, ModelError, NotCalibrated
from gemel.measure.identification import crossed, identification_of
from gemel.siamese.openset import OpenSet, fit_open_set


def people(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 12)).astype(np.float32)


@pytest.fixture(scope="module")
def fitted() -> OpenSet:
    found = fit_open_set(people(500, 0), np.arange(500), distance("cosine"), seed=0)
    assert found is not None
    return found


def test_fpir_is_the_mean_over_all_galleries() -> None:
    known = crossed(people(7, 1), distance("euclidean"))
    for size in (1, 2, 4, 6):
        for place in (0, len(known.at) // 2, len(known.at) - 1):
            taken = [
                (known.far[probe, list(drawn)] <= known.at[place]).any()
                for probe in range(7)
                for drawn in combinations([other for other in range(7) if other != probe], size)
            ]
            assert known.fpir(size)[place] == pytest.approx(np.mean(taken))


def test_the_interval_is_that_of_leaving_strangers_out() -> None:
    vectors = people(30, 2)
    known = crossed(vectors, distance("euclidean"))
    place, size = len(known.at) // 2, 3
    without = []
    for out in range(30):
        rest = np.delete(np.arange(30), out)
        near = known.far[np.ix_(rest, rest)] <= known.at[place]
        missed = [np.prod([(28 - k - i) / (28 - i) for i in range(size)]) for k in near.sum(axis=1)]
        without.append(1 - np.mean(missed))
    spread = np.sqrt(29 / 30 * np.square(np.array(without) - np.mean(without)).sum())
    reach = known.interval(place, size)
    rate = known.fpir(size)[place]
    assert reach.low < rate < reach.high
    wide = np.log(reach.high / (1 - reach.high)) - np.log(reach.low / (1 - reach.low))
    assert wide == pytest.approx(2 * 2.045 * spread / (rate * (1 - rate)), rel=0.01)


@pytest.mark.parametrize(("fpir", "size"), [(0.1, 1), (0.1, 40), (0.02, 40), (0.1, 300), (0.1, 1500)])
def test_the_chosen_rate_holds_for_new_strangers(fitted: OpenSet, fpir: float, size: int) -> None:
    threshold = fitted.threshold(fpir, size)
    rates = []
    for seed in range(4):
        far = distance("cosine").matrix(people(500, 100 + seed), people(size, 200 + seed))
        rates.append((far.min(axis=1) <= threshold).mean())
    reach = fitted.interval(fpir, size)
    assert reach.low <= np.mean(rates) <= reach.high
    assert reach.low <= fpir <= reach.high


def test_larger_galleries_and_lower_rates_take_smaller_distances(fitted: OpenSet) -> None:
    by_size = [fitted.threshold(0.1, size) for size in (1, 2, 3, 10, 33, 100, 499, 500, 1000)]
    assert (np.diff(by_size) < 0).all()
    by_rate = [fitted.threshold(rate, 50) for rate in (0.5, 0.3, 0.12, 0.1, 0.05, 0.011)]
    assert (np.diff(by_rate) < 0).all()


def test_what_strangers_cannot_show_is_refused(fitted: OpenSet) -> None:
    with pytest.raises(NotCalibrated, match=r"among 100,000 .* at least 1,733, or enrol no more than 8,333"):
        fitted.threshold(0.1, 100_000)
    with pytest.raises(NotCalibrated, match="at least 3,000"):
        fitted.threshold(0.001, 10)
    for wrong in (0, 0.6, -1):
        with pytest.raises(DataError, match="An FPIR lies above 0"):
            fitted.threshold(wrong, 10)
    assert fit_open_set(people(29, 0), np.arange(29), distance("cosine"), seed=0) is None


def test_it_is_restored_exactly(fitted: OpenSet) -> None:
    assert OpenSet.from_json(fitted.json()) == fitted
    with pytest.raises(ModelError, match="damaged"):
        OpenSet.from_json({"strangers": 3})


def test_copies_of_one_item_leave_no_threshold() -> None:
    found = fit_open_set(np.ones((40, 4), np.float32), np.arange(40), distance("euclidean"), seed=0)
    assert found is not None
    with pytest.raises(NotCalibrated, match="too near to one another"):
        found.threshold(0.1, 5)


@pytest.mark.parametrize(
    ("mated", "right", "strangers", "expected"),
    [
        ([0.1, 0.2], [True, True], [0.9, 0.8], (1, 0, 0)),
        ([0.9, 0.8], [True, True], [0.1, 0.2], (1, 1, 1)),
        ([0.1, 0.2], [False, True], [0.5, 0.6], (0.5, 0.5, 0.5)),
    ],
    ids=["perfect", "inverted", "ties are accepted"],
)
def test_identification(
    mated: list[float], right: list[bool], strangers: list[float], expected: tuple[float, ...]
) -> None:
    ids = np.arange(2)
    found = identification_of(np.array(mated), np.array(right), ids, np.array(strangers), ids, 0.5)
    assert (found.rank1, found.fnir, found.fpir) == expected
    assert found.fnir in found.fnir_interval
