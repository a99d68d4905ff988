"""Explicit pairs and triplets come once per pass, whole, and with their labels; none is lost among identities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.errors import NotEnoughData
from gemel.learn.batches import IdentityBatches
from gemel.learn.pair_batches import PairBatches, TripletBatches, WithPairs
from gemel.learn.plan import BatchPlan


def pairs_with(same: int, different: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    a = np.arange(same + different)
    return a, a + same + different, np.repeat([1.0, 0.0], [same, different]).astype(np.float32)


def test_rare_same_pairs_are_drawn_as_often_as_different_ones() -> None:
    balanced = PairBatches(*pairs_with(20, 2000), pairs=64)
    natural = PairBatches(*pairs_with(20, 2000), pairs=64, balance=False)
    shares = [np.mean([b.plan(step).value.mean() for step in range(60)]) for b in (balanced, natural)]
    assert shares[0] == 0.5
    assert shares[1] == pytest.approx(20 / 2020, abs=0.005)


def test_every_pair_comes_once_per_pass() -> None:
    a, b, value = pairs_with(6, 30)
    batches = PairBatches(a, b, value, pairs=12)
    drawn = np.concatenate([(p := batches.plan(step)).item[p.row][p.value == 0] for step in range(5)])
    np.testing.assert_array_equal(np.sort(drawn), a[value == 0])


def test_pairs_keep_their_ends_and_labels() -> None:
    a, b, value = pairs_with(10, 10)
    known = {(int(x), int(y)): v for x, y, v in zip(a, b, value, strict=True)}
    plan = PairBatches(a, b, value, pairs=8).plan(7)
    for row, col, v in zip(plan.row, plan.col, plan.value, strict=True):
        assert known[int(plan.item[row]), int(plan.item[col])] == v


def test_an_item_in_several_pairs_is_one_row() -> None:
    a, b = np.zeros(10, int), np.arange(1, 11)
    plan = PairBatches(a, b, np.ones(10, np.float32), pairs=10).plan(0)
    assert len(plan) == 11


def told(plan: BatchPlan) -> set[tuple[int, int, float]]:
    """The pairs of a plan, by item."""
    return set(zip(plan.item[plan.row].tolist(), plan.item[plan.col].tolist(), plan.value.tolist(), strict=True))


@settings(max_examples=40, deadline=None)
@given(count=st.integers(1, 40), each=st.integers(1, 12), step=st.integers(0, 30))
def test_both_pairs_of_a_triplet_meet_in_one_batch(count: int, each: int, step: int) -> None:
    anchor, positive, negative = np.random.default_rng(count).permutation(3 * count).reshape(3, count)
    plan = TripletBatches(anchor, positive, negative, triplets=each).plan(step)
    whole = [{(a, p, 1.0), (a, n, 0.0)} for a, p, n in np.stack([anchor, positive, negative], 1).tolist()]
    found = [triplet for triplet in whole if triplet & told(plan)]
    assert set().union(*found) == told(plan)
    assert len(plan) <= 3 * each


def test_every_triplet_comes_once_per_pass() -> None:
    batches = TripletBatches(np.arange(12), np.arange(12, 24), np.arange(24, 36), triplets=4)
    drawn = np.concatenate([(p := batches.plan(step)).item[p.row][p.value == 1] for step in range(3)])
    np.testing.assert_array_equal(np.sort(drawn), np.arange(12))
    assert batches.rows == len(batches.plan(0)) == 12


def test_no_triplet_is_refused() -> None:
    nothing = np.zeros(0, int)
    with pytest.raises(NotEnoughData, match="at least one"):
        TripletBatches(nothing, nothing, nothing, triplets=4)


@pytest.mark.parametrize(("items", "variants"), [(2, 1), (5, 1), (5, 4)])
def test_the_pairs_among_a_batch_of_identities_are_all_in_its_plan(items: int, variants: int) -> None:
    rng = np.random.default_rng(0)
    identity = np.repeat(np.arange(12), 3)
    keys = rng.permutation(36 * 35)[:300]
    a, b = keys // 35, keys % 35
    b = b + (b >= a)
    value = rng.random(300).astype(np.float32)
    inner = IdentityBatches(identity, identities=6, items=items, variants=variants)
    outer = WithPairs(inner, a, b, value, items=36)
    seen = 0
    for step in range(6):
        plan = outer.plan(step)
        np.testing.assert_array_equal(plan.item, inner.plan(step).item)
        rows = list(zip(plan.item.tolist(), plan.variant.tolist(), strict=True))
        expected = sorted(
            (r, c, v)
            for i, j, v in zip(a.tolist(), b.tolist(), value.tolist(), strict=True)
            for r, (x, s) in enumerate(rows)
            for c, (y, t) in enumerate(rows)
            if (x, y) == (i, j) and s == t
        )
        found = () if plan.row is None else zip(plan.row.tolist(), plan.col.tolist(), plan.value.tolist(), strict=True)
        assert sorted(found) == expected
        seen += len(expected)
    assert seen > 20


def test_a_batch_without_a_pair_stays_as_it_is() -> None:
    inner = IdentityBatches(np.repeat(np.arange(4), 3), identities=2, items=2)
    far = WithPairs(inner, np.array([12]), np.array([13]), np.ones(1, np.float32), items=14)
    assert far.plan(0).row is None
    assert far.rows == inner.rows
