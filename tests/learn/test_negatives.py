"""Hard negatives and confused identities against brute force; what is doubted; batches in which they meet."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.distances import DISTANCES, Distance, distance
from gemel.errors import DataError
from gemel.learn import negatives
from gemel.learn.confused_batches import ConfusedBatches
from gemel.learn.confusion import UNKNOWN, centroids, confusion
from gemel.learn.doubt import Doubt
from gemel.learn.negatives import hard_negatives, nearest_positive


def drawn(n: int, dim: int, seed: int, identities: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    identity = rng.integers(-1, identities, n)
    vectors = rng.normal(size=(n, dim)) + rng.normal(size=(identities + 1, dim))[identity] / 2
    return vectors.astype(np.float32), identity


def apart(vectors: np.ndarray, metric: Distance) -> np.ndarray:
    row, col = np.divmod(np.arange(len(vectors) ** 2), len(vectors))
    return metric.paired(vectors[row], vectors[col]).reshape(len(vectors), len(vectors))


def brute(vectors: np.ndarray, identity: np.ndarray, k: int, metric: Distance, doubt: Doubt) -> list[tuple[int, int]]:
    """Anchor by anchor: sort all others, and drop whatever any filter names."""
    far, unit, found = apart(vectors, metric), metric.typical(vectors.shape[1]), []
    for a in range(len(vectors)):
        others = [
            i for i in range(len(vectors)) if identity[a] >= 0 and identity[i] >= 0 and identity[i] != identity[a]
        ]
        mates = [far[a, i] for i in range(len(vectors)) if i != a and identity[i] == identity[a]]
        kept = []
        for rank, i in enumerate(sorted(others, key=lambda i: (far[a, i], i))):
            length = far[a, i] / unit
            left = rank < doubt.skip
            left |= doubt.within is not None and length <= doubt.within
            if mates:
                left |= doubt.margin is not None and length <= min(mates) / unit + doubt.margin
                left |= doubt.max_share is not None and 1 - length >= doubt.max_share * (1 - min(mates) / unit)
            kept += [] if left else [(a, i)]
        found += kept[:k]
    return found


maybe = st.one_of(st.none(), st.floats(-0.3, 0.6))


@settings(max_examples=150, deadline=None)
@given(
    n=st.integers(0, 40),
    seed=st.integers(0, 1000),
    k=st.integers(1, 5),
    metric=st.sampled_from(list(DISTANCES.values())),
    skip=st.integers(0, 4),
    margin=maybe,
    max_share=st.one_of(st.none(), st.floats(0.5, 1.0)),
    within=maybe,
)
def test_hard_negatives_are_what_brute_force_finds(
    n: int,
    seed: int,
    k: int,
    metric: Distance,
    skip: int,
    margin: float | None,
    max_share: float | None,
    within: float | None,
) -> None:
    vectors, identity = drawn(n, 5, seed)
    doubt = Doubt(skip=skip, margin=margin, max_share=max_share, within=within)
    found = hard_negatives(vectors, identity, k, metric, doubt=doubt)
    assert list(zip(found.anchor.tolist(), found.negative.tolist(), strict=True)) == brute(
        vectors, identity, k, metric, doubt
    )
    np.testing.assert_array_equal(found.distance, metric.paired(vectors[found.anchor], vectors[found.negative]))


def test_tiles_and_a_choice_of_anchors_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, identity = drawn(300, 8, 0, identities=40)
    doubt = Doubt(skip=2, max_share=0.95)
    whole = hard_negatives(vectors, identity, 3, distance("cosine"), doubt=doubt)
    monkeypatch.setattr(negatives, "ANCHORS", 7)
    monkeypatch.setattr(negatives, "TILE", 32)
    monkeypatch.setattr(negatives, "BLOCK", 16)
    tiled = hard_negatives(vectors, identity, 3, distance("cosine"), doubt=doubt)
    some = hard_negatives(vectors, identity, 3, distance("cosine"), doubt=doubt, anchors=np.arange(0, 300, 3))
    for name in ("anchor", "negative", "distance"):
        np.testing.assert_array_equal(getattr(tiled, name), getattr(whole, name))
        np.testing.assert_array_equal(getattr(some, name), getattr(whole, name)[whole.anchor % 3 == 0])
    assert len(some) > 100


def test_ties_and_copies_go_to_the_earlier_item() -> None:
    vectors = np.repeat(np.eye(3, dtype=np.float32), 3, axis=0)
    found = hard_negatives(vectors, np.arange(9), 4, distance("euclidean"), anchors=np.array([4]))
    np.testing.assert_array_equal(found.negative, [3, 5, 0, 1])
    found = hard_negatives(
        vectors, np.arange(9), 4, distance("euclidean"), anchors=np.array([4]), doubt=Doubt(within=0)
    )
    np.testing.assert_array_equal(found.negative, [0, 1, 2, 6])


def test_a_copy_of_the_positive_under_another_name_is_doubted() -> None:
    vectors, identity = drawn(30, 4, 1)
    vectors[[0, 1, 2]], identity[[0, 1, 2]] = vectors[1], [0, 0, 1]
    vectors[0] += 0.01
    for doubt in (Doubt(margin=0.0), Doubt(max_share=1.0)):
        found = hard_negatives(vectors, identity, 3, distance("euclidean"), doubt=doubt, anchors=np.array([0]))
        assert len(found) == 3
        assert 2 not in found.negative


def test_the_nearest_positive_is_another_item_of_the_identity() -> None:
    vectors, identity = drawn(60, 3, 2)
    identity[7] = 99
    anchors = np.flatnonzero(identity >= 0)
    far = apart(vectors, distance("manhattan"))
    mate = (identity[:, None] == identity[None]) & ~np.eye(60, dtype=bool)
    expected = np.where(mate, far, np.inf).min(axis=1)[anchors]
    np.testing.assert_array_equal(nearest_positive(vectors, identity, anchors, distance("manhattan")), expected)
    assert np.isinf(expected).sum() == 1


def test_a_filter_that_cannot_be_is_refused() -> None:
    with pytest.raises(DataError, match="at least 0"):
        Doubt(skip=-1)


def test_fifty_thousand_items_take_the_memory_of_a_tile() -> None:
    vectors, identity = drawn(50_000, 8, 0, identities=5000)
    anchors = np.arange(0, 50_000, 100)
    tracemalloc.start()
    found = hard_negatives(vectors, identity, 5, distance("euclidean"), anchors=anchors, doubt=Doubt(margin=-0.1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 25 * negatives.ANCHORS * negatives.TILE
    assert len(found) > 4 * len(anchors)


@settings(max_examples=100, deadline=None)
@given(n=st.integers(0, 40), seed=st.integers(0, 1000), k=st.integers(1, 4))
def test_confused_identities_are_those_with_the_nearest_items(n: int, seed: int, k: int) -> None:
    vectors, identity = drawn(n, 4, seed)
    far = apart(vectors, distance("euclidean"))
    found = confusion(vectors, identity, k, distance("euclidean"), items=max(n, 1))
    assert found.shape == (identity.max(initial=-1) + 1, k)
    for code, row in enumerate(found):
        nearest = {
            int(other): far[np.ix_(identity == code, identity == other)].min()
            for other in np.unique(identity[(identity >= 0) & (identity != code)])
            if (identity == code).any()
        }
        expected = sorted(nearest, key=lambda other: nearest[other])[:k]
        assert row.tolist() == expected + [UNKNOWN] * (k - len(expected))


def test_centroids_are_means_and_their_confusion_needs_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, identity = drawn(200, 4, 3, identities=20)
    identity[identity == 5] = 6
    means, codes = centroids(vectors, identity)
    np.testing.assert_array_equal(codes, np.unique(identity[identity >= 0]))
    for mean, code in zip(means, codes, strict=True):
        np.testing.assert_allclose(mean, vectors[identity == code].mean(axis=0), atol=1e-6)
    monkeypatch.setattr("gemel.learn.confusion.BLOCK", 40)
    np.testing.assert_allclose(centroids(vectors, identity)[0], means, atol=1e-6)
    table = confusion(means, codes, 3, distance("euclidean"), items=3)
    far = apart(means, distance("euclidean")) + np.diag(np.full(len(means), np.inf))
    np.testing.assert_array_equal(table[codes], codes[np.argsort(far, axis=1)[:, :3]])
    assert (table[5] == UNKNOWN).all()


def ring(identities: int, k: int = 2) -> np.ndarray:
    """Every identity is confused with the next ones."""
    return (np.arange(identities)[:, None] + np.arange(1, k + 1)) % identities


def classes(batches: ConfusedBatches, step: int, items: int) -> np.ndarray:
    plan = batches.plan(step)
    return (plan.item // items * 4 + plan.variant)[::items]


@pytest.mark.parametrize("variants", [1, 4])
def test_leaders_bring_those_they_are_confused_with(variants: int) -> None:
    identity = np.repeat(np.arange(60), 3)
    batches = ConfusedBatches(identity, identities=12, items=3, share=0.5, variants=variants, seed=1)
    batches.tables.add(ring(60), start=0)
    for step in range(20):
        drawn = classes(batches, step, 3)
        assert len(np.unique(drawn)) == len(drawn) == 12
        code, turn = drawn[:3] // 4, drawn[:3] % 4
        assert set(np.concatenate([(code + 1) % 60 * 4 + turn, (code + 2) % 60 * 4 + turn])) <= set(drawn)


def test_the_others_come_once_per_pass() -> None:
    batches = ConfusedBatches(np.repeat(np.arange(60), 3), identities=12, items=3, share=0.5)
    batches.tables.add(ring(60), start=0)
    leaders = np.concatenate([classes(batches, step, 3)[:6] // 4 for step in range(10)])
    np.testing.assert_array_equal(np.sort(leaders), np.arange(60))


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(1, 4), min_size=2, max_size=20).filter(lambda c: max(c) >= 2),
    identities=st.integers(2, 12),
    share=st.floats(0, 1),
    seed=st.integers(0, 50),
)
def test_any_table_gives_full_batches_of_distinct_rows(
    counts: list[int], identities: int, share: float, seed: int
) -> None:
    identity = np.repeat(np.arange(len(counts)), counts)
    batches = ConfusedBatches(identity, identities=identities, items=2, share=share)
    batches.tables.add(np.random.default_rng(seed).integers(-1, len(counts), (len(counts), 3)), start=0)
    for step in range(5):
        plan = batches.plan(step)
        assert len(plan) == batches.rows
        assert len(set(zip(plan.item.tolist(), plan.variant.tolist(), plan.view.tolist(), strict=True))) == len(plan)


def test_a_plan_depends_on_the_table_in_force_and_survives_a_checkpoint() -> None:
    identity = np.repeat(np.arange(60), 3)
    batches, resumed = (ConfusedBatches(identity, identities=12, items=3, seed=2) for _ in range(2))
    before = [batches.plan(step).item for step in range(30)]
    for start, k in ((5, 2), (10, 3), (20, 4)):
        batches.tables.add(ring(60, k), start=start)
    resumed.tables.load_state_dict(batches.tables.state_dict())
    after = [batches.plan(step).item for step in range(30)]
    assert not np.array_equal(before[20], after[20])
    for step in range(10, 30):
        np.testing.assert_array_equal(resumed.plan(step).item, after[step])
    assert len(batches.tables.state_dict()["tables"]) == 2


def test_without_a_table_all_are_random() -> None:
    identity = np.repeat(np.arange(60), 3)
    batches = ConfusedBatches(identity, identities=12, items=3, share=0.5)
    early = batches.plan(3).item
    batches.tables.add(ring(60), start=4)
    np.testing.assert_array_equal(batches.plan(3).item, early)
    assert not np.array_equal(batches.plan(4).item, ConfusedBatches(identity, identities=12, items=3).plan(4).item)
