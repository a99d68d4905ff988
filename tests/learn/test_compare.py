"""Losses and distances side by side: the same budget, the same identities, one winner by a stated rule."""

from __future__ import annotations

import pytest

from gemel.errors import NotEnoughData, RecipeError
from gemel.learn.compare import compare
from gemel.learn.train import train
from tests.learn.patterns import QUICK, collection

LOSSES, DISTANCES = ["supcon", "bce"], ["cosine", "euclidean"]


def test_every_loss_meets_every_distance_and_one_wins() -> None:
    said: list[str] = []
    plan = QUICK.but(loss="softmax", sampled=8)  # which the others would not look at
    found = compare(collection(60), plan, losses=LOSSES, distances=DISTANCES, say=said.append)
    assert [(t.loss, t.distance) for t in found.trials] == [(x, d) for x in LOSSES for d in DISTANCES]
    assert found.winner.auc == max(t.auc for t in found.trials) > 0.8
    assert all(t.verification is not None and t.verification.identities == 6 for t in found.trials)
    assert len(said) == 4
    table = found.table().splitlines()
    assert table[1].startswith("* ")
    assert f"Winner: {found.winner.loss} with {found.winner.distance} distance." in table[-1]
    assert found.json()["winner"]["loss"] == found.winner.loss


def test_what_cannot_be_trained_is_a_row_with_its_reason() -> None:
    found = compare(collection(), QUICK.but(steps=5), losses=["supcon", "regression"], distances=["cosine"])
    assert found.trials[1].verification is None
    assert "regression loss learns from" in found.trials[1].reason
    assert found.winner.loss == "supcon"
    assert "regression loss learns from" in found.table()


def test_names_that_do_not_exist_are_refused_before_anything_is_trained() -> None:
    with pytest.raises(RecipeError, match="magic"):
        compare(collection(), QUICK, losses=["supcon", "magic"])
    with pytest.raises(RecipeError, match="name the distances"):
        compare(collection(), QUICK, losses=["supcon"], distances=["auto"])


def test_without_held_out_identities_there_is_nothing_to_judge_by() -> None:
    with pytest.raises(NotEnoughData, match="more identities"):
        compare(collection(8), QUICK.but(holdout=0.0), losses=["supcon"])


def test_auto_is_settled_on_training_items_only() -> None:
    said: list[str] = []
    recipe = QUICK.but(distance="auto", steps=20, width=4)
    twin = train(collection(80), recipe, progress=False, say=said.append)
    chosen = twin.recipe["distance"]
    assert twin.method.distance == chosen.replace("learned", "manhattan")
    table = next(sentence for sentence in said if "Winner" in sentence)
    assert table.endswith(f"Winner: supcon with {chosen} distance.")
    assert "judged on 6 identities" in table  # a tenth of the 64 that train, and none of those held out
