"""Several references: pooling by its laws, scores against loops, trials against the definition of each kind."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.distances import DISTANCES, Distance
from gemel.errors import DataError
from gemel.measure import clusters, pooled, rate_interval, scored, trials_of
from gemel.measure.references import POOLS

LOOPS = {
    "mean": lambda d: sum(d) / len(d),
    "minimum": min,
    "trimmed": lambda d: sum(sorted(d)[:-1]) / (len(d) - 1) if len(d) > 1 else d[0],
}


@settings(deadline=None, max_examples=100)
@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=7), st.sampled_from(POOLS), st.randoms())
def test_pooling_is_what_a_loop_gives_in_any_order(distances: list[float], pool: str, chance: object) -> None:
    value = float(pooled(np.array(distances), pool))
    assert value == pytest.approx(LOOPS[pool](distances), abs=1e-9)
    chance.shuffle(distances)  # type: ignore[attr-defined]
    assert float(pooled(np.array(distances), pool)) == pytest.approx(value, abs=1e-9)
    assert min(distances) - 1e-9 <= value <= max(distances) + 1e-9


def test_pooling_takes_many_at_once_and_no_unknown_word() -> None:
    far = np.random.default_rng(0).random((4, 3, 5))
    for pool in POOLS:
        rows = [[pooled(far[i, j], pool) for j in range(3)] for i in range(4)]
        np.testing.assert_allclose(pooled(far, pool), rows)
    with pytest.raises(DataError, match=r"'median'.*mean, minimum, trimmed"):
        pooled(far, "median")


def test_one_reference_unlike_the_others_does_not_count_when_trimmed() -> None:
    assert float(pooled(np.array([1.0, 2.0, 3.0, 99.0]), "trimmed")) == 2
    assert float(pooled(np.array([1.0, 99.0]), "trimmed")) == 1


@pytest.mark.parametrize("metric", DISTANCES.values(), ids=DISTANCES.keys())
@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("normalise", [0.0, 0.5, 1.0])
def test_scores_are_what_a_loop_gives(metric: Distance, pool: str, normalise: float) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(30, 6)).astype(np.float32)
    references = np.stack([rng.choice(30, 4, replace=False) for _ in range(5)])
    draw, item = rng.integers(5, size=40), rng.integers(30, size=40)

    def apart(i: int, j: int) -> float:
        return float(metric.paired(vectors[[i]], vectors[[j]])[0])

    expected = []
    for row, one in zip(references[draw], item, strict=True):
        among = [apart(i, j) for i, j in itertools.permutations(row, 2)]
        score = LOOPS[pool]([apart(one, i) for i in row])
        expected.append(score / (sum(among) / len(among)) ** normalise)
    found = scored(vectors, references, draw, item, metric=metric, pool=pool, normalise=normalise)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    mixed = np.stack([rng.permutation(row) for row in references])
    again = scored(vectors, mixed, draw, item, metric=metric, pool=pool, normalise=normalise)
    np.testing.assert_allclose(again, found, rtol=1e-5)


@pytest.mark.parametrize("pool", [*POOLS, "single"])
def test_one_reference_is_the_distance_of_a_pair(pool: str) -> None:
    vectors = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    metric, one, other = DISTANCES["euclidean"], np.arange(8), np.arange(1, 9)
    found = scored(vectors, one[:, None], np.arange(8), other, metric=metric, pool=pool)
    np.testing.assert_array_equal(found, metric.paired(vectors[one], vectors[other]))


def test_normalised_scores_know_no_unit() -> None:
    vectors = np.random.default_rng(0).normal(size=(9, 4))
    rows, zero, metric = np.array([[0, 1, 2]]), np.zeros(6, int), DISTANCES["manhattan"]
    one, ten = (scored(k * vectors, rows, zero, np.arange(3, 9), metric=metric, normalise=1.0) for k in (1, 10))
    np.testing.assert_allclose(one, ten)


def test_nothing_is_divided_by_the_spread_of_references_that_are_one() -> None:
    vectors, zero = np.ones((3, 4)), np.zeros(1, int)
    with pytest.raises(DataError, match="distance 0 from each other"):
        scored(vectors, np.array([[0, 1]]), zero, zero + 2, metric=DISTANCES["cosine"], normalise=1.0)


item = st.tuples(st.integers(-1, 3), st.integers(-1, 3))


@settings(deadline=None, max_examples=150)
@given(st.lists(item, max_size=16), st.integers(1, 3), st.booleans(), st.integers(0, 5))
def test_every_draw_is_compared_with_everything_of_each_kind(
    rows: list[tuple[int, int]], k: int, forged: bool, seed: int
) -> None:
    identity, claimed = np.array(rows, np.int64).reshape(-1, 2).T
    claimed = np.where(identity < 0, claimed, -1)
    found = trials_of(identity, k, seed=seed, impostor_of=claimed if forged else None)
    able = [i for i in range(4) if (identity == i).sum() > k]
    assert len(found.references) == 10 * len(able)
    for draw, row in enumerate(found.references):
        (who,) = set(identity[row].tolist())
        assert len(set(row.tolist())) == k
        mine = found.draw == draw
        of_kind = {
            (True, False): set(np.flatnonzero(identity == who).tolist()) - set(row.tolist()),
            (False, False): set(np.flatnonzero((identity >= 0) & (identity != who)).tolist()),
            (False, True): set(np.flatnonzero(claimed == who).tolist()) if forged else set(),
        }
        for (same, skilled), expected in of_kind.items():
            rows_of = mine & (found.same == same) & (found.skilled == skilled)
            assert sorted(found.item[rows_of].tolist()) == sorted(expected)
    assert len(found.item) == len(found.draw) == len(found.same) == len(found.skilled)


def test_draws_differ_and_trials_are_sampled_and_repeatable() -> None:
    identity, claimed = np.repeat(np.arange(50), 8), np.full(400, -1)
    identity[::8], claimed[::8] = -1, np.arange(50)
    whole, some, again = (
        trials_of(identity, 5, limit=limit, seed=3, impostor_of=claimed) for limit in (10**6, 200, 200)
    )
    assert len({tuple(sorted(row)) for row in whole.references.tolist()}) > 200
    assert len(some.references) == 4 * 50  # fewer draws where only so many trials are listed
    assert [int((some.same).sum()), int((~some.same & ~some.skilled).sum()), int(some.skilled.sum())] == [200] * 3
    for one, two in zip(some, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(some.references, trials_of(identity, 5, limit=200, seed=4).references)


def test_intervals_over_identities_cover_the_rates_of_others() -> None:
    """Ten draws of the same items are not ten samples: 95 % intervals must still be about that."""

    def accepted(identities: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        who = np.repeat(np.arange(identities), 8)
        spread = 0.5 * np.exp(0.3 * rng.normal(size=identities))[who, None]
        rows = rng.normal(size=(identities, 6))[who] + spread * rng.normal(size=(len(who), 6))
        tried = trials_of(who, 4, limit=5000 if identities < 1000 else 300_000, seed=seed)
        score = scored(rows, tried.references, tried.draw, tried.item, metric=DISTANCES["euclidean"], normalise=1.0)
        return score <= 1.3, tried.same, np.stack([who[tried.references[tried.draw, 0]], who[tried.item]])

    hit, same, _ = accepted(10_000, 0)
    truth = [hit[same == kind].mean() for kind in (True, False)]
    covered = [0, 0]
    for seed in range(1, 61):
        hit, same, (a, b) = accepted(30, seed)
        for place, rows in enumerate((same, ~same)):
            covered[place] += truth[place] in rate_interval(hit[rows], clusters(a[rows], b[rows]))
    assert min(covered) >= 52  # of 60; with intervals of exactly 95 %, 3 of 1,000 such samples have fewer


def test_wrong_questions_are_refused() -> None:
    with pytest.raises(DataError, match="1 reference or more; 0"):
        trials_of(np.zeros(3, int), 0)
    with pytest.raises(DataError, match="set its identity to -1"):
        trials_of(np.zeros(3, int), 1, impostor_of=np.zeros(3, int))
