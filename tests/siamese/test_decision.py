"""Decisions: monotone, continuous, right on fresh identities, honest about what they cannot know."""

from __future__ import annotations

import json
import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.errors import DataError, ModelError, NotCalibrated, NotEnoughData
from gemel.measure.intervals import Interval
from gemel.siamese.decision import Counts, Decision, Knot, Method, OperatingPoint, point_name
from gemel.siamese.fitting import fit_decision

METHOD = Method("euclidean", 6)
DIM = 6


def items(rng: np.random.Generator, identities: int, each: int) -> np.ndarray:
    """A centre per identity, noise of the identity's own scale."""
    scale = 0.5 * np.exp(0.3 * rng.normal(size=(identities, 1, 1)))
    return rng.normal(size=(identities, 1, DIM)) + scale * rng.normal(size=(identities, each, DIM))


def sample(identities: int, each: int = 3, seed: int = 0) -> tuple[np.ndarray, ...]:
    """All pairs among fresh identities: distance, same, and the identity of either side."""
    rows = items(np.random.default_rng(seed), identities, each).reshape(-1, DIM)
    a, b = np.triu_indices(len(rows), 1)
    return np.linalg.norm(rows[a] - rows[b], axis=1), a // each == b // each, a // each, b // each


@cache
def decision(identities: int = 60) -> Decision:
    return fit_decision(*sample(identities), method=METHOD)


@cache
def population() -> tuple[np.ndarray, np.ndarray]:
    """Distances of independent same and different pairs of identities that nothing was fitted on."""
    rng = np.random.default_rng(99)
    mine, other = items(rng, 200_000, 2), items(rng, 200_000, 1)
    return np.linalg.norm(mine[:, 0] - mine[:, 1], axis=1), np.linalg.norm(mine[:, 0] - other[:, 0], axis=1)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(-1, 12), min_size=2, max_size=20), st.floats(0.001, 0.999))
def test_probability_never_rises_and_never_jumps(distances: list[float], prior: float) -> None:
    here = decision().at(prior)
    ordered = np.sort(np.array(distances))
    probability = here.probability(ordered)
    assert (np.diff(probability) <= 0).all()
    assert ((probability > 0) & (probability < 1)).all()
    np.testing.assert_allclose(here.probability(ordered + 1e-9), probability, atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(st.floats(0.001, 0.999), st.floats(-1, 12))
def test_the_verdict_and_the_probability_agree(prior: float, distance: float) -> None:
    here = decision().at(prior)
    probability = float(here.probability(distance))
    if abs(probability - 0.5) > 1e-9:
        assert (distance <= here.threshold()) == (probability > 0.5)
    if math.isfinite(here.threshold()):
        assert float(here.probability(here.threshold())) == pytest.approx(0.5)


def test_the_calibration_is_a_slope_and_not_a_staircase() -> None:
    knots = decision().knots
    assert len({knot.llr for knot in knots}) > len(knots) / 2


def test_json_restores_it_exactly() -> None:
    for made in (decision(), decision().at(1e-6), decision().at(1 - 1e-6)):
        text = json.dumps(made.json(), allow_nan=False)
        again = Decision.from_json(json.loads(text))
        assert again == made
        np.testing.assert_array_equal(again.probability(np.linspace(0, 9, 50)), made.probability(np.linspace(0, 9, 50)))


def test_a_prior_beyond_the_evidence_decides_alone() -> None:
    never, always = decision().at(1e-6).point("bayes"), decision().at(1 - 1e-6).point("bayes")
    assert (never.threshold, never.fmr, never.fnmr) == (-math.inf, 0, 1)
    assert (always.threshold, always.fmr, always.fnmr) == (math.inf, 1, 0)
    assert 1.0 in always.fmr_interval
    assert 0.0 not in never.fnmr_interval


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6, unique=True),
    st.floats(1e-6, 1 - 1e-6),
    st.lists(st.sampled_from(["", "rgb", "thermal", "é"]), max_size=2).map(tuple),
    st.floats(),
)
def test_any_decision_survives_json(
    distances: list[float], prior: float, branches: tuple[str, ...], far: float
) -> None:
    interval = Interval(1 / 3, 2 / 3)
    knots = tuple(Knot(d, -d, 0.1, interval, 0.2, interval) for d in sorted(distances))
    points = (OperatingPoint("eer", 0.0 if math.isnan(far) else far, 1 / 7, interval, 0.3, interval),)
    made = Decision(Method("cosine", 2, branches=branches), prior, knots, points, Counts(1, 2, 3, 4, 5))
    assert Decision.from_json(json.loads(json.dumps(made.json(), allow_nan=False))) == made


@pytest.mark.parametrize("damage", [{}, {"method": {}}, {"knots": [{"distance": 1.0}]}, {"prior": "half"}])
def test_a_damaged_file_is_refused(damage: dict[str, object]) -> None:
    value = decision().json() | damage if damage else {}
    with pytest.raises(ModelError, match="calibrate the model again"):
        Decision.from_json(value)


def test_a_prior_moves_the_odds_and_nothing_else() -> None:
    even, rare = decision(), decision().at(0.01)
    where = np.linspace(0.5, 5, 20)
    odds = [np.log(p / (1 - p)) for p in (even.probability(where), rare.probability(where))]
    np.testing.assert_allclose(odds[0] - odds[1], math.log(99), atol=1e-9)
    assert rare.threshold() < even.threshold()
    assert rare.point("bayes").fmr < even.point("bayes").fmr
    assert rare.point("bayes").fnmr > even.point("bayes").fnmr
    assert rare.at(0.5) == even
    assert rare.threshold(0.1) == even.threshold(0.1)
    with pytest.raises(DataError, match="above 0 and below 1"):
        even.at(1.0)


@pytest.mark.parametrize("prior", [0.5, 0.01])
def test_probabilities_are_right_on_fresh_identities(prior: float) -> None:
    """One same pair to a hundred different ones in the sample; the stated prior alone decides what comes out."""
    distance, same, a, b = sample(100, 3)
    assert (~same).sum() > 100 * same.sum()
    fitted = fit_decision(distance, same, a, b, method=METHOD, prior=prior)
    positive, negative = population()
    probability = fitted.probability(np.concatenate([positive, negative]))
    weight = np.repeat([prior, 1 - prior], [len(positive), len(negative)]) / len(positive)
    answer = np.arange(len(probability)) < len(positive)
    bins = np.digitize(probability, [0.01, 0.1, 0.3, 0.5, 0.7, 0.9])
    seen, gap = 0, 0.0
    for place in range(7):
        mass = weight[bins == place].sum()
        if mass > 1e-4:
            claimed = (weight * probability)[bins == place].sum() / mass
            true = (weight * answer)[bins == place].sum() / mass
            odds = [math.log(p / (1 - p)) for p in (claimed, true)]
            assert odds[0] == pytest.approx(odds[1], abs=0.7), f"bin {place}"  # the imbalance alone would add 4.6
            gap += mass * abs(claimed - true)
            seen += 1
    assert seen >= 5
    assert gap < 0.05 * min(1, 4 * prior)
    assert (weight * probability).sum() == pytest.approx(prior, rel=0.1)


def test_operating_points_hold_on_fresh_identities() -> None:
    positive, negative = population()
    made = decision(150)
    assert [point.name for point in made.points] == ["bayes", "eer", "fmr=1e-1"]
    for point in made.points:
        assert (negative <= point.threshold).mean() == pytest.approx(point.fmr, abs=0.03)
        assert (positive > point.threshold).mean() == pytest.approx(point.fnmr, abs=0.04)
        assert point.fmr in point.fmr_interval
        assert point.fnmr in point.fnmr_interval
    assert made.point("fmr=1e-1").fmr == pytest.approx(0.1, abs=0.01)
    assert made.point("eer").fmr == pytest.approx(made.point("eer").fnmr, abs=0.01)


def test_what_the_identities_cannot_support_is_refused_with_the_number_it_takes() -> None:
    with pytest.raises(NotCalibrated, match=r"FMR 0\.001 takes at least 3000 independent identities; there are 60"):
        decision().threshold(0.001)
    with pytest.raises(NotCalibrated, match=r"fmr=2e-1.*bayes, eer, fmr=1e-1.*0\.2"):
        decision().threshold(0.2)
    with pytest.raises(NotCalibrated, match="'best'"):
        decision().point("best")
    with pytest.raises(DataError, match="came as 0"):
        decision().threshold(0.0)


def test_more_identities_support_more() -> None:
    distance, same, a, b = sample(300, 2)
    keep = same | (np.random.default_rng(0).random(len(same)) < 0.2)
    made = fit_decision(distance[keep], same[keep], a[keep], b[keep], method=METHOD, fmrs=(0.2, 0.01))
    assert [point.name for point in made.points] == ["bayes", "eer", "fmr=2e-1", "fmr=1e-2"]
    assert made.threshold(0.01) < made.threshold(0.2)
    assert (made.counts.identities, made.counts.same_identities, made.counts.different_identities) == (300, 300, 300)
    assert (made.counts.same, made.counts.different) == (same.sum(), (~same & keep).sum())


def test_too_little_is_refused_with_the_number_it_takes() -> None:
    with pytest.raises(NotEnoughData, match=r"at least 5 identities with two items or more.* there are 4 such"):
        fit_decision(*sample(4), method=METHOD)
    distance, same, a, b = sample(9)
    single = same & (a >= 4)
    with pytest.raises(NotEnoughData, match="there are 4 such identities"):
        fit_decision(distance[~single], same[~single], a[~single], b[~single], method=METHOD)
    with pytest.raises(NotEnoughData, match="9 such identities and 0 different pairs"):
        fit_decision(distance[same], same[same], a[same], b[same], method=METHOD)
    with pytest.raises(DataError, match="not finite"):
        fit_decision(np.where(distance > 3, np.nan, distance), same, a, b, method=METHOD)


def test_five_identities_are_enough_for_wide_intervals() -> None:
    made = fit_decision(*sample(5, 2), method=METHOD)
    bayes = made.point("bayes")
    assert bayes.fmr_interval.high - bayes.fmr_interval.low > 0.15
    assert float(made.probability(0.0)) < 0.99


def test_explicit_pairs_rest_on_their_components() -> None:
    """Both kinds of pairs lie within components: no identity is ever shared between two."""
    rng = np.random.default_rng(0)
    component = np.repeat(np.arange(40), 4)
    same = np.tile([True, True, False, False], 40)
    distance = rng.random(160) + ~same * 0.6
    made = fit_decision(distance, same, component, component, method=METHOD)
    assert made.counts.same_identities == made.counts.different_identities == 40
    assert made.point("eer").fmr == pytest.approx(0.2, abs=0.12)


def test_distances_of_float32_and_the_order_of_pairs_do_not_matter() -> None:
    distance, same, a, b = sample(20)
    shuffled = np.random.default_rng(0).permutation(len(same))
    swapped = fit_decision(distance[shuffled], same[shuffled], b[shuffled], a[shuffled], method=METHOD)
    made = fit_decision(distance, same, a, b, method=METHOD)
    np.testing.assert_allclose([k.llr for k in swapped.knots], [k.llr for k in made.knots], atol=1e-9)
    narrow = fit_decision(distance.astype(np.float32), same, a, b, method=METHOD)
    assert narrow.threshold() == pytest.approx(made.threshold(), rel=1e-3)


@pytest.mark.parametrize(("fmr", "name"), [(0.1, "fmr=1e-1"), (1e-3, "fmr=1e-3"), (0.05, "fmr=5e-2"), (1.0, "fmr=1e0")])
def test_names_of_operating_points(fmr: float, name: str) -> None:
    assert point_name(fmr) == name
