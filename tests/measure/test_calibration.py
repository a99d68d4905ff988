"""Log-likelihood ratios from pairs: monotone, bounded by the sample, right on fresh pairs; folds that hold out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gemel import measure
from gemel.measure import calibration
from gemel.measure.calibration import Evidence, cross_fit, fit_evidence, judged, threshold


def pairs(identities: int = 60, items: int = 3, seed: int = 0) -> calibration.Judged:
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(identities), items)
    rows = rng.normal(size=(identities, 6))[owner] + 0.5 * rng.normal(size=(len(owner), 6))
    a, b = np.triu_indices(len(owner), 1)
    return judged(np.linalg.norm(rows[a] - rows[b], axis=1), owner[a] == owner[b], owner[a], owner[b])


def test_pairs_are_sorted_together() -> None:
    known = judged(np.array([0.3, 0.1, 0.2]), np.array([False, True, False]), np.array([5, 6, 5]), np.array([7, 6, 6]))
    np.testing.assert_array_equal(known.distance, [0.1, 0.2, 0.3])
    np.testing.assert_array_equal(known.same, [True, False, False])
    np.testing.assert_array_equal(known.pairs.a, [1, 0, 0])
    np.testing.assert_array_equal(known.pairs.b, [1, 1, 2])


def test_evidence_is_linear_between_knots_and_constant_beyond() -> None:
    line = Evidence(np.array([1.0, 2.0, 4.0]), np.array([3.0, 0.0, -2.0]))
    np.testing.assert_allclose(line.at(np.array([0.0, 1.5, 3.0, 9.0])), [3, 1.5, -1, -2])
    assert line.reach(1.5) == 1.5
    assert line.reach(-1.0) == 3
    assert line.reach(0.0) == 2
    assert line.reach(3.1) == -math.inf
    assert line.reach(-2.0) == math.inf
    flat = Evidence(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 0.0, 0.0, -1.0]))
    assert flat.reach(0.0) == 3


def test_the_ratio_is_monotone_smooth_and_finite() -> None:
    fitted = fit_evidence(pairs(), replicates=100, seed=0)
    assert (np.diff(fitted.distance) > 0).all()
    assert (np.diff(fitted.llr) <= 0).all()
    assert np.isfinite(fitted.llr).all()
    assert 20 < len(fitted.llr) <= 2 * calibration.LEVELS + 1
    assert len(np.unique(fitted.llr)) > 0.5 * len(fitted.llr)


def test_averaging_makes_the_steps_smaller() -> None:
    plain, averaged = (fit_evidence(pairs(), replicates=n, seed=0) for n in (0, 100))
    assert np.abs(np.diff(averaged.llr)).max() < 0.7 * np.abs(np.diff(plain.llr)).max()


def test_the_ratio_is_right_where_it_is_known() -> None:
    """Gaussian distances of equal spread have a linear log-likelihood ratio."""
    rng = np.random.default_rng(1)
    n, apart = 20_000, 2.0
    same = np.arange(n) % 10 == 0
    distance = rng.normal(size=n) + np.where(same, 0, apart)
    fitted = fit_evidence(judged(distance, same, np.arange(n), np.arange(n)), replicates=30, seed=0)
    where = np.linspace(-0.5, 2.5, 13)
    np.testing.assert_allclose(fitted.at(where), apart * (apart / 2 - where), atol=0.35)


@pytest.mark.parametrize("identities", [6, 20, 100])
def test_a_perfect_ranker_is_believed_only_as_far_as_the_sample_reaches(identities: int) -> None:
    rng = np.random.default_rng(2)
    owner = np.repeat(np.arange(identities), 2)
    a, b = np.triu_indices(len(owner), 1)
    same = owner[a] == owner[b]
    distance = rng.random(len(a)) + np.where(same, 0, 5)
    fitted = fit_evidence(judged(distance, same, owner[a], owner[b]), replicates=20, seed=0)
    assert math.log(identities) - 0.1 <= fitted.llr[0] <= math.log(np.count_nonzero(~same)) + 0.1
    assert -math.log(identities) - 0.1 <= fitted.llr[-1] <= -math.log(identities) + 0.3


@pytest.mark.parametrize("sign", [-1, 0])
def test_an_inverted_or_constant_ranker_says_nothing(sign: int) -> None:
    known = pairs()
    known = judged(sign * known.distance, known.same, known.pairs.a, known.pairs.b)
    fitted = fit_evidence(known, replicates=20, seed=0)
    assert np.abs(fitted.llr).max() < 0.1


def test_thresholds_are_the_curve_s() -> None:
    known = pairs()
    points = known.curve()
    at = threshold(points, 0.1)
    assert at == measure.threshold_at_fmr(known.distance, known.same, 0.1)
    equal = threshold(points, None)
    alarms, misses = (known.distance <= equal)[~known.same].mean(), (known.distance > equal)[known.same].mean()
    assert abs(alarms - misses) < 2 / known.same.sum()


def test_a_pair_is_judged_by_rules_that_saw_neither_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    known = pairs(12)
    fits: list[set[int]] = []
    original = calibration.Judged.take

    def spy(self: calibration.Judged, rows: np.ndarray) -> calibration.Judged:
        if len(rows) == len(known.distance) and self is known:
            fits.append(set(known.pairs.a[rows]) | set(known.pairs.b[rows]))
        return original(self, rows)

    fold = calibration._folds(known, np.random.default_rng(0))
    monkeypatch.setattr(calibration.Judged, "take", spy)
    cross_fit(known, (None,), replicates=0, seed=0)
    left_out = [set(range(12)) - seen for seen in fits]
    for i, j in zip(known.pairs.a, known.pairs.b, strict=True):
        assert {k for k in range(12) if fold[k] in (fold[i], fold[j])} in left_out
    assert all(left_out)


def test_every_fold_has_identities_with_same_pairs() -> None:
    owner = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, *range(5, 40)])
    a, b = np.triu_indices(len(owner), 1)
    known = judged(np.arange(len(a), dtype=float), owner[a] == owner[b], owner[a], owner[b])
    fold = calibration._folds(known, np.random.default_rng(0))
    assert sorted(fold[:5]) == [0, 1, 2, 3, 4]
    assert np.bincount(fold).tolist() == [8] * 5


def test_rates_on_the_pairs_that_chose_the_threshold_are_flattered_and_cross_fitted_ones_are_not() -> None:
    """Noise alone: no threshold does better than chance, which only the cross-fitted rates say."""
    inside, crossed = [], []
    for seed in range(40):
        known = pairs(10, 2, seed)
        noise = np.random.default_rng(seed).random(len(known.distance))
        known = judged(noise, known.same, known.pairs.a, known.pairs.b)
        level = fit_evidence(known, replicates=0, seed=0).at(known.distance)
        found = cross_fit(known, (), replicates=0, seed=seed)
        for llr, out in ((level, inside), (found.llr, crossed)):
            out.append(((llr > 0)[~known.same].mean() + (llr <= 0)[known.same].mean()) / 2)
    assert np.mean(inside) < 0.45
    assert np.mean(crossed) == pytest.approx(0.5, abs=0.05)
