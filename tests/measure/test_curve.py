"""Error rates against plain loops, on rankers that are perfect, random, inverted and tied."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel import measure
from gemel.errors import DataError, NotEnoughData


def labelled() -> st.SearchStrategy[tuple[np.ndarray, np.ndarray]]:
    """Pairs with many ties and both classes."""
    pair = st.tuples(st.integers(-4, 4), st.booleans())
    both = st.lists(pair, min_size=2, max_size=24).filter(lambda rows: len({s for _, s in rows}) == 2)
    return both.map(lambda rows: (np.array([float(d) for d, _ in rows]), np.array([s for _, s in rows])))


def ranker(kind: str, n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    same = np.arange(n) % 2 == 0
    distance = {
        "perfect": np.where(same, 0.0, 1.0) + 0.4 * rng.random(n),
        "random": rng.random(n),
        "inverted": np.where(same, 1.0, 0.0) + 0.4 * rng.random(n),
        "constant": np.full(n, 0.5),
    }
    return distance[kind], same


def rates(distance: np.ndarray, same: np.ndarray, threshold: float) -> tuple[Fraction, Fraction]:
    positives = [d for d, s in zip(distance, same, strict=True) if s]
    negatives = [d for d, s in zip(distance, same, strict=True) if not s]
    alarms = sum(1 for d in negatives if d <= threshold)
    misses = sum(1 for d in positives if not d <= threshold)
    return Fraction(alarms, len(negatives)), Fraction(misses, len(positives))


def thresholds(distance: np.ndarray) -> list[float]:
    return [-math.inf, *sorted(set(distance.tolist()))]


def loop_eer(distance: np.ndarray, same: np.ndarray) -> Fraction:
    points = [rates(distance, same, t) for t in thresholds(distance)]
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if x1 >= y1:
            along = (y0 - x0) / ((y0 - x0) + (x1 - y1))
            return x0 + along * (x1 - x0)
    raise AssertionError


def loop_auc(distance: np.ndarray, same: np.ndarray) -> float:
    wins = [
        1.0 if p < n else 0.5 if p == n else 0.0
        for p, s in zip(distance, same, strict=True)
        if s
        for n, t in zip(distance, same, strict=True)
        if not t
    ]
    return sum(wins) / len(wins)


@settings(deadline=None, max_examples=150)
@given(labelled())
def test_curve_eer_and_auc_are_what_loops_find(pairs: tuple[np.ndarray, np.ndarray]) -> None:
    points = measure.curve_of(*pairs)
    expected = [rates(*pairs, t) for t in thresholds(pairs[0])]
    np.testing.assert_array_equal(points.threshold, thresholds(pairs[0]))
    np.testing.assert_allclose(points.fmr, [float(x) for x, _ in expected], atol=1e-12)
    np.testing.assert_allclose(points.fnmr, [float(y) for _, y in expected], atol=1e-12)
    assert measure.eer(*pairs) == pytest.approx(float(loop_eer(*pairs)), abs=1e-12)
    assert measure.auc(*pairs) == pytest.approx(loop_auc(*pairs), abs=1e-12)


@settings(deadline=None, max_examples=100)
@given(labelled(), st.sampled_from([0.0, 0.1, 0.25, 1 / 3, 0.5, 1.0]))
def test_thresholds_at_a_false_match_rate_are_what_loops_find(pairs: tuple[np.ndarray, np.ndarray], fmr: float) -> None:
    allowed = [t for t in thresholds(pairs[0]) if float(rates(*pairs, t)[0]) <= fmr + 1e-12]
    assert measure.threshold_at_fmr(*pairs, fmr) == max(allowed)
    assert measure.fnmr_at_fmr(*pairs, fmr) == pytest.approx(min(float(rates(*pairs, t)[1]) for t in allowed))


@settings(deadline=None, max_examples=100)
@given(labelled())
def test_accuracy_is_what_loops_find(pairs: tuple[np.ndarray, np.ndarray]) -> None:
    distance, same = pairs
    every = [sum((d <= t) == s for d, s in zip(distance, same, strict=True)) / len(same) for t in thresholds(distance)]
    best = measure.best_accuracy(distance, same)
    assert best.accuracy == pytest.approx(max(every))
    assert measure.accuracy(distance, same, best.threshold) == pytest.approx(max(every))


@settings(deadline=None, max_examples=100)
@given(labelled())
def test_only_the_ranking_counts(pairs: tuple[np.ndarray, np.ndarray]) -> None:
    distance, same = pairs
    stretched = distance**3 + 7 * distance - 2
    assert measure.eer(stretched, same) == measure.eer(distance, same)
    assert measure.auc(stretched, same) == measure.auc(distance, same)
    assert measure.min_cllr(stretched, same) == measure.min_cllr(distance, same)
    assert measure.fnmr_at_fmr(stretched, same, 0.25) == measure.fnmr_at_fmr(distance, same, 0.25)


@pytest.mark.parametrize(
    ("kind", "eer", "auc", "fnmr", "accuracy", "bits"),
    [
        ("perfect", 0, 1, 0, 1, 0),
        ("random", 0.5, 0.5, 0.9, 0.5, 1),
        ("inverted", 1, 0, 1, 0.5, 1),
        ("constant", 0.5, 0.5, 1, 0.5, 1),
    ],
)
def test_rankers(kind: str, eer: float, auc: float, fnmr: float, accuracy: float, bits: float) -> None:
    pairs = ranker(kind)
    assert measure.eer(*pairs) == pytest.approx(eer, abs=0.02)
    assert measure.auc(*pairs) == pytest.approx(auc, abs=0.02)
    assert measure.fnmr_at_fmr(*pairs, 0.1) == pytest.approx(fnmr, abs=0.02)
    assert measure.best_accuracy(*pairs).accuracy == pytest.approx(accuracy, abs=0.02)
    assert measure.min_cllr(*pairs) == pytest.approx(bits, abs=0.02)


def test_equal_distances_are_judged_together() -> None:
    best = measure.best_accuracy(np.array([0.5, 0.5]), np.array([True, False]))
    assert best.accuracy == 0.5
    assert measure.eer(np.array([0.5, 0.5]), np.array([True, False])) == 0.5


def test_order_of_pairs_does_not_matter() -> None:
    distance, same = ranker("random")
    shuffled = np.random.default_rng(1).permutation(len(same))
    rounded = np.round(distance, 2)
    assert measure.curve_of(rounded, same).eer == measure.curve_of(rounded[shuffled], same[shuffled]).eer


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(NotEnoughData, match="0 same and 2 different"):
        measure.eer(np.array([0.1, 0.2]), np.array([False, False]))
    with pytest.raises(DataError, match="1 of 2 distances are not finite"):
        measure.auc(np.array([0.1, np.nan]), np.array([True, False]))
