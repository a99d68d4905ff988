"""Intervals keep their promise where pairs share identities, and the usual ones do not."""

from __future__ import annotations

import numpy as np
import pytest

from gemel import measure
from gemel.errors import DataError
from gemel.measure.intervals import (
    Interval,
    clusters,
    draws,
    identity_variance,
    logit_interval,
    mean_interval,
    rate_interval,
    student,
    wilson,
)


def test_sums_count_a_pair_within_an_identity_once() -> None:
    pairs = clusters(np.array([7, 7, 3]), np.array([7, 3, 9]))
    assert pairs.count == 3
    np.testing.assert_array_equal(pairs.sums(np.array([1.0, 10.0, 100.0])), [110, 11, 100])


def test_a_pair_of_an_unknown_identity_is_refused() -> None:
    with pytest.raises(DataError, match="the identity it pretends to be"):
        clusters(np.array([0, 1]), np.array([1, -1]))


def test_bootstrap_weights_are_products_over_identities() -> None:
    pairs = clusters(np.array([0, 0, 1]), np.array([0, 1, 2]))
    np.testing.assert_array_equal(pairs.weights(np.array([2, 3, 0])), [2, 6, 0])
    counts = draws(50, 300, seed=0)
    assert (counts.sum(axis=1) == 50).all()
    assert counts.var() == pytest.approx(1, abs=0.05)


def test_the_variance_is_its_double_sum() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, size=40), rng.integers(0, 5, size=40)
    value = rng.normal(size=40)
    total = 0.0
    for x, i, j in zip(value, a, b, strict=True):
        for y, k, m in zip(value, a, b, strict=True):
            shared = len({i, j} & {k, m})
            total += x * y * (1.5 if shared == 2 else shared)
    assert identity_variance(value, clusters(a, b)) == pytest.approx(total * 5 / 3)


@pytest.mark.parametrize("share", [1.0, 0.15])
@pytest.mark.parametrize("bar", [0.7, 1.2])
def test_the_variance_is_that_of_drawing_other_identities(share: float, bar: float) -> None:
    rng = np.random.default_rng(1)
    a, b = np.triu_indices(40, 1)
    rates, variances = [], []
    for _ in range(400):
        kept = rng.random(len(a)) < share
        noise = rng.random(40)
        hit = (noise[a] + noise[b] + rng.random(len(a)) < bar)[kept]
        rates.append(hit.mean())
        variances.append(identity_variance((hit - hit.mean()) / len(hit), clusters(a[kept], b[kept])))
    assert 0.9 < np.mean(variances) / np.var(rates) < 1.4


def test_independent_values_have_the_textbook_variance() -> None:
    value = np.random.default_rng(1).random(500)
    unit = np.arange(500)
    found = identity_variance((value - value.mean()) / 500, clusters(unit, unit))
    assert found == pytest.approx(value.var(ddof=1) / 500)


def test_copies_of_an_item_add_no_confidence() -> None:
    right = np.random.default_rng(2).random(60) < 0.7
    once = mean_interval(right.astype(float))
    copied = mean_interval(np.repeat(right, 9).astype(float), np.repeat(np.arange(60), 9))
    assert copied.low == pytest.approx(once.low)
    assert copied.high == pytest.approx(once.high)


@pytest.mark.parametrize(("freedom", "quantile"), [(4, 2.7764), (9, 2.2622), (29, 2.0452), (1000, 1.9623)])
def test_student_is_the_table(freedom: int, quantile: float) -> None:
    assert student(0.95, freedom) == pytest.approx(quantile, rel=0.002)


def test_wilson_is_the_textbook_example() -> None:
    found = wilson(0.1, 50.0)
    assert (found.low, found.high) == (pytest.approx(0.0435, abs=1e-4), pytest.approx(0.2136, abs=1e-4))


def test_no_error_among_few_identities_is_no_proof() -> None:
    found = rate_interval(np.zeros(435, bool), clusters(*np.triu_indices(30, 1)))
    assert found.low == 0
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 30))
    mirrored = logit_interval(1.0, 0.0, 30)
    assert (mirrored.low, mirrored.high) == (pytest.approx(1 - found.high), 1)


def test_a_wider_level_gives_a_wider_interval() -> None:
    narrow, wide = (logit_interval(0.1, 1e-3, 40, level=level) for level in (0.8, 0.99))
    assert wide.low < narrow.low < 0.1 < narrow.high < wide.high
    assert 0.1 in narrow
    assert wide.level == 0.99
    assert 0.5 not in Interval(0.1, 0.2)


def test_the_rule_of_three() -> None:
    assert [measure.independent_needed(rate) for rate in (0.1, 0.01, 0.001)] == [30, 300, 3000]
    with pytest.raises(DataError, match="came as 0"):
        measure.independent_needed(0.0)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """40 identities of 3 items, some noisier than others; `benchmarks/coverage.py` has the whole table."""
    rng = np.random.default_rng(3)
    truth = _truth(rng)
    honest = {"fixed": 0, "chosen": 0, "rejected": 0}
    naive = 0
    for _ in range(RESPLITS):
        distance, a, b = _sample(rng)
        same = a == b
        fixed, chosen = truth.threshold, np.quantile(distance[~same], 0.05, method="lower")
        across, within = clusters(a[~same], b[~same]), clusters(a[same], b[same])
        accepted = distance <= fixed
        honest["fixed"] += truth.fmr(fixed) in rate_interval(accepted[~same], across)
        honest["chosen"] += truth.fmr(chosen) in rate_interval((distance <= chosen)[~same], across)
        honest["rejected"] += truth.fnmr(fixed) in rate_interval(~accepted[same], within)
        naive += truth.fmr(fixed) in wilson(accepted[~same].mean(), float(np.count_nonzero(~same)))
    for name, covered in honest.items():
        assert 0.92 <= covered / RESPLITS <= 0.98, name
    assert naive / RESPLITS < 0.6


RESPLITS = 400
IDENTITIES, ITEMS, DIM = 40, 3, 6


class _truth:
    def __init__(self, rng: np.random.Generator) -> None:
        mine, other = _items(rng, 400_000, 2), _items(rng, 400_000, 1)
        self.positive = np.linalg.norm(mine[:, 0] - mine[:, 1], axis=1)
        self.negative = np.linalg.norm(mine[:, 0] - other[:, 0], axis=1)
        self.threshold = float(np.quantile(self.negative, 0.05))

    def fmr(self, threshold: float) -> float:
        return float((self.negative <= threshold).mean())

    def fnmr(self, threshold: float) -> float:
        return float((self.positive > threshold).mean())


def _items(rng: np.random.Generator, identities: int, each: int) -> np.ndarray:
    scale = 0.5 * np.exp(0.3 * rng.normal(size=(identities, 1, 1)))
    return rng.normal(size=(identities, 1, DIM)) + scale * rng.normal(size=(identities, each, DIM))


def _sample(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = _items(rng, IDENTITIES, ITEMS).reshape(-1, DIM)
    i, j = np.triu_indices(len(rows), 1)
    return np.linalg.norm(rows[i] - rows[j], axis=1), i // ITEMS, j // ITEMS
