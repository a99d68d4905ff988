"""Plans are pure, balanced, and never pair an item with itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.errors import NotEnoughData
from gemel.learn.batches import UNKNOWN, IdentityBatches, PairBatches


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
    plan = IdentityBatches(identity, identities=3, items=4, impostor_of=impostor_of).plan(0)
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
