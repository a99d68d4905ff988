"""Hard negatives for pairs that are all the same: who is mined, how they join, and that a run resumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gemel.errors import RecipeError
from gemel.items import Collection, Pairs, read
from gemel.learn.confuse import mined
from gemel.learn.mined_batches import MinedBatches
from gemel.learn.outset import outset
from gemel.learn.pair_batches import PairBatches, WithPairs
from gemel.recipe import Recipe
from tests.learn.killing import assert_resumes, assert_was_told

QUICK = Recipe(width=16, depth=1, dim=8, steps=24, checks=4, precision="fp32", batch_pairs=8, loss="infonce", mined=2)


def same_only(n: int = 80, seed: int = 0) -> Collection:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 8)).astype(np.float32)
    near = rows + 0.3 * rng.normal(size=rows.shape).astype(np.float32)
    return read(np.concatenate([rows, near])).with_(pairs=Pairs(np.arange(n), np.arange(n) + n, same=np.ones(n, bool)))


def test_a_batch_holds_pairs_and_the_negatives_of_their_first_items() -> None:
    a, b = np.arange(10), np.arange(10, 20)
    inner = MinedBatches(PairBatches(a, b, np.ones(10, np.float32), pairs=4, others="different"), each=2)
    batches = WithPairs(inner, a, b, np.ones(10, np.float32), items=30)
    assert (inner.plan(0).value == 1).all()
    table = np.full((30, 2), -1)
    table[:10, 0] = np.arange(20, 30)
    table[:10, 1] = (np.arange(10) + 1) % 10  # which may be in the batch already, and in a pair
    inner.tables.add(table, start=3)
    for step in range(3, 8):
        plan = batches.plan(step)
        assert plan.others == "different"
        assert len(np.unique(plan.item)) == len(plan.item)
        first = np.unique(inner.inner.plan(step).item[inner.inner.plan(step).row])
        same = {(plan.item[i], plan.item[j]) for i, j, v in zip(plan.row, plan.col, plan.value, strict=True) if v == 1}
        differ = {
            (plan.item[i], plan.item[j]) for i, j, v in zip(plan.row, plan.col, plan.value, strict=True) if v == 0
        }
        assert differ == {(i, n) for i in first for n in table[i]}
        there = set(plan.item.tolist())
        assert same == {(i, i + 10) for i in range(10) if i in there and i + 10 in there}
    assert (batches.plan(2).value == 1).all()


@pytest.mark.parametrize("skip", [0, 3])
def test_what_is_mined_is_near_and_in_no_chain_with_the_item(skip: int) -> None:
    data = same_only()
    begun = outset(data, QUICK.but(skip=skip, holdout=0.0))
    table = mined(begun.learner, 2)
    assert table.shape == (160, 2)
    assert (table[80:] == -1).all()
    known = table[:80] >= 0
    assert known.any()
    own = np.arange(80)[:, None]
    assert (table[:80] != own)[known].all()
    assert (table[:80] != own + 80)[known].all()


@pytest.mark.parametrize("loss", ["infonce", "multiplenegatives"])
def test_a_killed_run_resumes(loss: str, tmp_path: Path) -> None:
    assert_was_told(assert_resumes(same_only, QUICK.but(loss=loss), 15, tmp_path))


def test_there_is_nothing_to_mine_where_answers_are_given() -> None:
    data = same_only()
    assert data.pairs is not None
    labelled = data.with_(pairs=Pairs(data.pairs.a, data.pairs.b, same=np.arange(80) % 2 == 0))
    with pytest.raises(RecipeError, match="mined = 2 finds hard negatives where all pairs are the same"):
        outset(labelled, QUICK.but(loss="contrastive"))


def test_nothing_is_skipped_where_nothing_is_mined() -> None:
    with pytest.raises(RecipeError, match="skip = 3 is about negatives that are mined"):
        outset(same_only(), QUICK.but(mined=0, skip=3))
