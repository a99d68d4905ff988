"""Plans are pure, balanced, and never pair an item with itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.errors import NotEnoughData
from gemel.learn.batches import UNKNOWN, IdentityBatches, ViewBatches, WithUnlabelled
from gemel.learn.plan import Batches, BatchPlan


def identities_of(*counts: int) -> np.ndarray:
    return np.repeat(np.arange(len(counts)), counts)


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(1, 7), min_size=2, max_size=30).filter(lambda c: max(c) >= 2),
    identities=st.integers(2, 8),
    items=st.integers(2, 5),
    variants=st.sampled_from([1, 4]),
    step=st.integers(0, 500),
)
def test_a_plan_is_pure_and_no_row_appears_twice(
    counts: list[int], identities: int, items: int, variants: int, step: int
) -> None:
    identity = identities_of(*counts)
    kwargs = {"identities": identities, "items": items, "variants": variants, "seed": 3}
    once, again = IdentityBatches(identity, **kwargs), IdentityBatches(identity, **kwargs)
    again.plan(step + 1)
    plan, same = once.plan(step), again.plan(step)
    for name in ("item", "variant", "view"):
        np.testing.assert_array_equal(getattr(plan, name), getattr(same, name))
    assert plan.seed == same.seed
    rows = set(zip(plan.item.tolist(), plan.variant.tolist(), plan.view.tolist(), strict=True))
    assert len(rows) == len(plan)


def test_every_identity_comes_once_per_pass_with_k_items() -> None:
    identity = identities_of(*[5] * 12)
    batches = IdentityBatches(identity, identities=4, items=3)
    drawn = [batches.plan(step) for step in range(3)]
    classes = np.concatenate([np.unique(identity[plan.item]) for plan in drawn])
    np.testing.assert_array_equal(np.sort(classes), np.arange(12))
    assert all((np.bincount(identity[plan.item])[np.unique(identity[plan.item])] == 3).all() for plan in drawn)


def test_passes_differ() -> None:
    batches = IdentityBatches(identities_of(*[5] * 12), identities=4, items=3)
    assert not np.array_equal(batches.plan(0).item, batches.plan(3).item)


def test_an_identity_with_too_few_items_gives_views() -> None:
    batches = IdentityBatches(identities_of(2, 2), identities=2, items=4)
    plan = batches.plan(0)
    assert sorted(zip(plan.item.tolist(), plan.view.tolist(), strict=True)) == [
        (item, view) for item in range(4) for view in range(2)
    ]


def test_singletons_join_as_negatives_and_never_in_pairs() -> None:
    identity = identities_of(*[4] * 4, *[1] * 20)
    batches = IdentityBatches(identity, identities=4, items=4)
    plan = batches.plan(0)
    lone = plan.item[identity[plan.item] >= 4]
    assert len(lone) == 4
    assert len(np.unique(lone)) == 4
    assert batches.rows == len(plan) == 20


def test_groups_fill_a_batch() -> None:
    identity = identities_of(*[3] * 40)
    group = identity // 10
    batches = IdentityBatches(identity, identities=8, items=3, group=group, groups=2, variants=4)
    for step in range(10):
        plan = batches.plan(step)
        assert len(np.unique(group[plan.item])) == 2
        assert len(plan) == 24


def test_impostors_follow_the_identity_they_pretend_to_be() -> None:
    genuine = identities_of(*[4] * 6)
    identity = np.concatenate([genuine, np.full(12, UNKNOWN)])
    impostor_of = np.concatenate([np.full(24, UNKNOWN), np.repeat(np.arange(6), 2)])
    batches = IdentityBatches(identity, identities=3, items=4, impostor_of=impostor_of)
    plan = batches.plan(0)
    assert len(plan) == batches.rows == 18
    shown = set(identity[plan.item].tolist()) - {UNKNOWN}
    assert set(impostor_of[plan.item].tolist()) - {UNKNOWN} == shown
    assert (impostor_of[plan.item] != UNKNOWN).sum() == 6


@pytest.mark.parametrize("counts", [(1, 1, 1), (5,), (1,)])
def test_nothing_to_tell_apart_is_refused(counts: tuple[int, ...]) -> None:
    with pytest.raises(NotEnoughData, match="at least two of them"):
        IdentityBatches(identities_of(*counts), identities=4, items=4)


def test_shards_are_the_batch_in_order() -> None:
    plan = IdentityBatches(identities_of(*[5] * 9), identities=5, items=3).plan(2)
    for world in (1, 2, 3, 4):
        joined = np.concatenate([plan.shard(rank, world).item for rank in range(world)])
        np.testing.assert_array_equal(joined, plan.item)


def rows_of(plan: BatchPlan) -> list[tuple[int, int, int]]:
    return list(zip(plan.item.tolist(), plan.variant.tolist(), plan.view.tolist(), strict=True))


@settings(max_examples=60, deadline=None)
@given(items=st.integers(2, 90), pairs=st.integers(1, 40), turn=st.integers(0, 3))
def test_every_item_comes_once_per_pass_in_two_views(items: int, pairs: int, turn: int) -> None:
    batches = ViewBatches(items, pairs=pairs, seed=2)
    parts = -(-items // max(2, pairs))
    plans = [batches.plan(turn * parts + part) for part in range(parts)]
    assert sorted(row for plan in plans for row in rows_of(plan)) == [(i, 0, v) for i in range(items) for v in (0, 1)]
    assert all(len(plan) <= batches.rows <= 2 * max(2, pairs) for plan in plans)
    assert all(plan.others == "different" for plan in plans)
    assert rows_of(ViewBatches(items, pairs=pairs, seed=2).plan(turn)) == rows_of(batches.plan(turn))


def test_views_of_one_item_alone_teach_nothing() -> None:
    with pytest.raises(NotEnoughData, match="two items"):
        ViewBatches(1, pairs=8)


def with_unlabelled(variants: int = 1) -> tuple[Batches, Batches]:
    identity = np.concatenate([identities_of(*[4] * 9), np.full(10, UNKNOWN)])
    batches = IdentityBatches(identity, identities=3, items=2, variants=variants)
    return batches, WithUnlabelled(batches, np.arange(36, 46), count=4, variants=variants, seed=1)


@pytest.mark.parametrize("variants", [1, 4])
def test_unlabelled_items_join_in_two_views_each_once_per_pass(variants: int) -> None:
    inner, outer = with_unlabelled(variants)
    more: list[tuple[int, int, int]] = []
    for step in range(3):
        plan, before = outer.plan(step), inner.plan(step)
        assert rows_of(plan)[: len(before)] == rows_of(before)
        assert plan.others == "different"
        assert plan.seed == before.seed
        more += rows_of(plan)[len(before) :]
    assert sorted((item, view) for item, _, view in more) == [(i, v) for i in range(36, 46) for v in (0, 1)]
    assert len({(item, turns) for item, turns, _ in more}) == 10
    assert outer.rows == inner.rows + 8
