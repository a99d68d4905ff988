"""The result value: what it holds, what it refuses to claim, and how wide its intervals are."""

from __future__ import annotations

import numpy as np
import pytest

from gemel import measure
from gemel.errors import DataError


def sample(identities: int, items: int = 3, noise: float = 0.5, seed: int = 0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(identities), items)
    rows = rng.normal(size=(identities, 6))[owner] + noise * rng.normal(size=(len(owner), 6))
    pairs = measure.pairs_of(owner, limit=20_000)
    distance = np.linalg.norm(rows[pairs.a] - rows[pairs.b], axis=1)
    return distance, pairs.same, owner[pairs.a], owner[pairs.b]


def test_it_holds_what_the_single_measures_say() -> None:
    distance, same, a, b = sample(320)
    found = measure.verification_of(distance, same, a, b)
    assert found.auc == measure.auc(distance, same)
    assert found.eer == measure.eer(distance, same)
    assert found.min_cllr == measure.min_cllr(distance, same)
    for fmr in (0.1, 0.01):
        assert found.fnmr(fmr).fnmr == measure.fnmr_at_fmr(distance, same, fmr)
        assert found.fnmr(fmr).threshold == measure.threshold_at_fmr(distance, same, fmr)
        assert found.fnmr(fmr).fnmr in found.fnmr(fmr).interval
    assert (found.same, found.different, found.identities) == (960, 20_000, 320)
    assert found.auc in found.auc_interval
    assert found.eer in found.eer_interval
    with pytest.raises(DataError, match=r"0\.1, 0\.01, 0\.001"):
        found.fnmr(0.5)


def test_what_few_identities_cannot_support_is_not_claimed() -> None:
    found = measure.verification_of(*sample(40))
    assert found.fnmr(0.1).fnmr is not None
    for fmr, needed in ((0.01, 300), (0.001, 3000)):
        entry = found.fnmr(fmr)
        assert (entry.fnmr, entry.interval, entry.threshold) == (None, None, None)
        assert f"at least {needed} independent identities; there are 40" in entry.note


def test_without_identities_there_are_no_intervals_and_it_says_so() -> None:
    distance, same, *_ = sample(40)
    found = measure.verification_of(distance, same)
    assert (found.auc_interval, found.eer_interval, found.identities) == (None, None, None)
    assert found.fnmr(0.01).interval is None
    assert "independent" in found.note


@pytest.mark.parametrize(("noise", "eer", "auc"), [(0.0, 0.0, 1.0), (50.0, 0.5, 0.5)])
def test_perfect_and_random_rankers(noise: float, eer: float, auc: float) -> None:
    found = measure.verification_of(*sample(60, noise=noise))
    assert found.eer == pytest.approx(eer, abs=0.06)
    assert found.auc == pytest.approx(auc, abs=0.06)
    assert eer in found.eer_interval
    assert auc in found.auc_interval
    assert found.eer_interval.high - found.eer_interval.low > 0.02


def test_an_inverted_ranker_is_worse_than_random() -> None:
    distance, same, a, b = sample(60, noise=0.01)
    found = measure.verification_of(-distance, same, a, b)
    assert found.auc == 0
    assert found.eer == 1
    assert found.min_cllr == pytest.approx(1)
    assert found.eer_interval.low > 0.9


def test_intervals_are_as_wide_as_results_scatter() -> None:
    """Over fresh samples of identities, the interval's width is about four standard deviations."""
    every = [measure.verification_of(*sample(50, seed=seed)) for seed in range(120)]
    for name in ("eer", "auc"):
        scatter = np.std([getattr(v, name) for v in every])
        width = np.mean([getattr(v, f"{name}_interval").high - getattr(v, f"{name}_interval").low for v in every])
        assert 3.4 < width / scatter < 5.2
    scatter = np.std([v.fnmr(0.1).fnmr for v in every])
    width = np.mean([v.fnmr(0.1).interval.high - v.fnmr(0.1).interval.low for v in every])
    assert 3.2 < width / scatter < 5.8


def test_skilled_forgeries_rest_on_one_identity() -> None:
    identity, claimed = np.repeat(np.arange(20), 3), np.full(60, -1)
    identity[2::3], claimed[2::3] = -1, np.arange(20)
    pairs = measure.pairs_of(identity, impostor_of=claimed)
    owner = measure.owners(identity, claimed)
    distance = np.random.default_rng(0).random(len(pairs.a))
    found = measure.verification_of(distance, pairs.same, owner[pairs.a], owner[pairs.b])
    assert (found.same, found.different, found.identities) == (20, 20 * 19 * 2 + 40, 20)
