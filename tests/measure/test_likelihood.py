"""Isotonic regression against its min-max formula, Cllr against its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel import measure
from gemel.measure.likelihood import falling, pooled_llr


def loop_falling(mean: np.ndarray, weight: np.ndarray) -> list[float]:
    """For each i: the least over s <= i of the greatest over t >= i of the mean of s … t (Barlow et al. 1972)."""
    n = len(mean)

    def average(s: int, t: int) -> float:
        return sum(mean[s : t + 1] * weight[s : t + 1]) / sum(weight[s : t + 1])

    return [min(max(average(s, t) for t in range(i, n)) for s in range(i + 1)) for i in range(n)]


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4)), min_size=1, max_size=14))
def test_pooling_is_the_min_max_formula(rows: list[tuple[int, int]]) -> None:
    mean, weight = np.array([float(m) for m, _ in rows]), np.array([float(w) for _, w in rows])
    found = falling(mean, weight)
    np.testing.assert_allclose(found, loop_falling(mean, weight), atol=1e-12)
    assert (np.diff(found) <= 1e-12).all()


def test_pooling_needs_few_passes_on_many_values() -> None:
    rng = np.random.default_rng(0)
    found = falling(rng.random(200_000), np.ones(200_000))
    assert found.std() < 0.02


def test_ratios_are_shares_of_mass() -> None:
    llr = pooled_llr(np.array([0.6, 0.0, 0.4, 0.0]), np.array([0.2, 0.0, 0.4, 0.4]))
    np.testing.assert_allclose(llr, [math.log(3), math.log(3), 0, -math.inf])


def test_cllr_is_its_definition() -> None:
    llr, same = np.array([2.0, -1.0, 0.5, -3.0]), np.array([True, True, False, False])
    misses = (math.log2(1 + math.exp(-2)) + math.log2(1 + math.exp(1))) / 2
    alarms = (math.log2(1 + math.exp(0.5)) + math.log2(1 + math.exp(-3))) / 2
    assert measure.cllr(llr, same) == pytest.approx((misses + alarms) / 2)


def test_cllr_tells_knowing_from_not_knowing_and_from_being_wrong() -> None:
    same = np.array([True, False])
    assert measure.cllr(np.array([np.inf, -np.inf]), same) == 0
    assert measure.cllr(np.array([0.0, 0.0]), same) == pytest.approx(1)
    assert measure.cllr(np.array([-5.0, 5.0]), same) > 7
    assert math.isfinite(measure.cllr(np.array([-2000.0, 2000.0]), same))


def test_no_calibration_of_the_same_ranking_costs_less() -> None:
    rng = np.random.default_rng(1)
    same = rng.random(400) < 0.2
    distance = rng.normal(size=400) + np.where(same, 0, 1.5)
    least = measure.min_cllr(distance, same)
    for slope in (0.3, 1.0, 1.5, 3.0):
        for middle in (0.3, 0.75, 1.2):
            assert measure.cllr(slope * (middle - distance), same) >= least
    assert 0.3 < least < 0.8
