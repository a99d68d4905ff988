"""Log-likelihood ratios from pairs: monotone, bounded by the sample, right on fresh pairs; folds that hold out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gemel import measure
from gemel.measure import calibration
from gemel.measure.calibration import Evidence, fit_evidence, judged, optimism, threshold


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


def test_a_pair_is_judged_by_thresholds_that_saw_neither_identity() -> None:
    known = pairs(12)
    fold = calibration._folds(known, np.random.default_rng(0))
    chosen_on: list[set[tuple[float, bool]]] = []

    def choose(seen: calibration.Judged) -> np.ndarray:
        chosen_on.append(set(zip(seen.distance.tolist(), seen.same.tolist(), strict=True)))
        return np.array([1.0])

    optimism(known, choose, seed=0)
    left_out = {frozenset((p, q)) for p in range(5) for q in range(5)}
    everything = zip(
        known.distance.tolist(), known.same.tolist(), fold[known.pairs.a], fold[known.pairs.b], strict=True
    )
    rows = list(everything)
    expected = [{(d, s) for d, s, a, b in rows if a not in out and b not in out} for out in left_out]
    assert len(chosen_on) == 15
    assert all(seen in expected for seen in chosen_on)
    assert all(seen in chosen_on for seen in expected)


def test_optimism_is_held_out_minus_fitted_rates() -> None:
    """A double loop over pairs, each with the thresholds of the folds that hold neither of its identities."""
    known = pairs(12)
    fold = calibration._folds(known, np.random.default_rng(0))

    def choose(seen: calibration.Judged) -> np.ndarray:
        return np.array([np.median(seen.distance), seen.distance[seen.same].mean()])

    gap = {True: [], False: []}
    for distance, same, i, j in zip(known.distance, known.same, known.pairs.a, known.pairs.b, strict=True):
        out = (fold[i], fold[j])
        seen = known.take(~np.isin(fold[known.pairs.a], out) & ~np.isin(fold[known.pairs.b], out))
        at = choose(seen)
        errors = distance > at if same else distance <= at
        others = seen.distance[seen.same == same]
        fitted = [(others > t).mean() if same else (others <= t).mean() for t in at]
        gap[bool(same)].append(errors - np.array(fitted))
    fmr, fnmr = optimism(known, choose, seed=0)
    np.testing.assert_allclose(fmr, np.mean(gap[False], axis=0))
    np.testing.assert_allclose(fnmr, np.mean(gap[True], axis=0))


def test_a_threshold_that_was_not_chosen_is_not_flattered() -> None:
    fmr, fnmr = optimism(pairs(40), lambda seen: np.array([1.5, -np.inf, np.inf]), seed=0)
    np.testing.assert_allclose(fmr, 0, atol=0.02)
    np.testing.assert_allclose(fnmr, 0, atol=1e-9)


def test_every_fold_has_identities_with_same_pairs() -> None:
    owner = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, *range(5, 40)])
    a, b = np.triu_indices(len(owner), 1)
    known = judged(np.arange(len(a), dtype=float), owner[a] == owner[b], owner[a], owner[b])
    fold = calibration._folds(known, np.random.default_rng(0))
    assert sorted(fold[:5]) == [0, 1, 2, 3, 4]
    assert np.bincount(fold).tolist() == [8] * 5


def test_rates_on_the_pairs_that_chose_the_threshold_are_flattered_and_corrected_ones_are_not() -> None:
    """Noise alone: no threshold does better than chance, which only the corrected rates say."""
    flattered, corrected = [], []

    def choose(seen: calibration.Judged) -> np.ndarray:
        return np.array([fit_evidence(seen, replicates=0, seed=0).reach(0.0)])

    for seed in range(60):
        known = pairs(10, 2, seed)
        noise = np.random.default_rng(seed).random(len(known.distance))
        known = judged(noise, known.same, known.pairs.a, known.pairs.b)
        fmr, fnmr = known.rates(choose(known))
        extra = optimism(known, choose, seed=seed)
        flattered.append((fmr + fnmr)[0] / 2)
        corrected.append((fmr + fnmr + extra.sum(axis=0))[0] / 2)
    assert np.mean(flattered) < 0.45
    assert np.mean(corrected) == pytest.approx(0.5, abs=0.05)
