"""Correlations against SciPy, intervals against a bootstrap; average precision and F1 against loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from gemel import measure
from gemel.errors import DataError, NotEnoughData


def graded(n: int = 400, *, levels: int = 11, noise: float = 0.3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    score = rng.integers(0, levels, n) / (levels - 1)
    return np.exp(1 - score + noise * rng.normal(size=n)), score


def test_correlations_are_those_of_scipy_with_ties_too() -> None:
    distance, score = graded()
    distance = np.round(distance, 1)
    found = measure.graded_of(distance, score)
    assert found.spearman == pytest.approx(stats.spearmanr(-distance, score).statistic, abs=1e-12)
    assert found.pearson == pytest.approx(stats.pearsonr(-distance, score).statistic, abs=1e-12)
    assert (found.spearman_interval, found.mse) == (None, None)


def test_closer_is_better_and_only_order_matters_to_ranks() -> None:
    distance, score = graded(noise=0.0)
    assert measure.graded_of(distance, score).spearman == pytest.approx(1)
    assert measure.rank_error(distance, score) == pytest.approx(0)
    assert measure.rank_error(-distance, score) == pytest.approx(1)
    noisy, score = graded()
    assert measure.rank_error(np.log(noisy), score) == pytest.approx(measure.rank_error(noisy, score))


def test_predictions_are_judged_in_squared_units_of_the_score() -> None:
    distance, score = graded(50)
    assert measure.graded_of(distance, score, predicted=score + 0.1).mse == pytest.approx(0.01)


@pytest.mark.parametrize("levels", [3, 101])
def test_intervals_are_as_wide_as_those_of_a_bootstrap_over_identities(levels: int) -> None:
    distance, score = graded(600, levels=levels)
    unit = np.repeat(np.arange(200), 3)
    found, rng = measure.graded_of(distance, score, unit, unit), np.random.default_rng(1)
    draws = [np.concatenate([3 * u + np.arange(3) for u in rng.integers(0, 200, 200)]) for _ in range(400)]
    for name in ("spearman", "pearson"):
        again = [getattr(measure.graded_of(distance[d], score[d]), name) for d in draws]
        low, high = np.percentile(again, [2.5, 97.5])
        interval = getattr(found, f"{name}_interval")
        assert getattr(found, name) in interval
        assert interval.high - interval.low == pytest.approx(high - low, rel=0.25)


@pytest.mark.parametrize(
    ("distance", "score", "error"),
    [
        ([1.0, 2.0], [1.0, 2.0], NotEnoughData),
        ([1.0, 2.0, 3.0], [1.0, 1.0, 1.0], NotEnoughData),
        ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0], NotEnoughData),
        ([1.0, np.nan, 3.0], [1.0, 2.0, 3.0], DataError),
    ],
)
def test_what_has_no_correlation_is_refused(distance: list[float], score: list[float], error: type[Exception]) -> None:
    with pytest.raises(error, match=r"pairs|scores|finite"):
        measure.graded_of(np.array(distance), np.array(score))


def labelled() -> st.SearchStrategy[tuple[np.ndarray, np.ndarray]]:
    pair = st.tuples(st.integers(-4, 4), st.booleans())
    both = st.lists(pair, min_size=2, max_size=24).filter(lambda rows: len({s for _, s in rows}) == 2)
    return both.map(lambda rows: (np.array([float(d) for d, _ in rows]), np.array([s for _, s in rows])))


@given(labelled())
@settings(deadline=None)
def test_average_precision_and_f1_are_those_of_scikit_learn(pairs: tuple[np.ndarray, np.ndarray]) -> None:
    distance, same = pairs
    assert measure.average_precision(distance, same) == pytest.approx(metrics.average_precision_score(same, -distance))
    every = {t: metrics.f1_score(same, distance <= t) for t in np.unique(distance)}
    for threshold, value in every.items():
        assert measure.f1(distance, same, threshold) == pytest.approx(value)
    best = measure.best_f1(distance, same)
    assert best.f1 == pytest.approx(max(every.values()))
    assert measure.f1(distance, same, best.threshold) == pytest.approx(best.f1)
