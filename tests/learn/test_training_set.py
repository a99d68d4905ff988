"""What a split knows of its items, which batches follow from it, and what the pairs of a batch are."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch

from gemel.errors import NotEnoughData, RecipeError
from gemel.items import Collection, ImageModality, Labels, Pairs, Triplets, VectorModality, decode, read
from gemel.learn.augment import Augment
from gemel.learn.losses import NAMED, Knows
from gemel.learn.losses import build as built
from gemel.learn.relation import Block
from gemel.learn.sources import needs_of
from gemel.learn.training_set import Steps, TrainingSet, batches_of, training_set
from gemel.recipe import Recipe
from gemel.recipe.allowed import ONLY

SMALL = Recipe(loss="contrastive", identities=4, items=2, batch_pairs=6, dim=8, distance="cosine")


def images(n: int, **known: Any) -> Collection:
    """So many random images and what is known of them."""
    pixels = np.random.default_rng(0).integers(0, 256, (n, 16, 16), np.uint8)
    return read(pixels).with_(modality=ImageModality(height=16, width=16, channels=1), **known)


def vectors(n: int, **known: Any) -> Collection:
    return read(np.random.default_rng(0).random((n, 5), np.float32)).with_(**known)


def known(data: Collection) -> TrainingSet:
    return training_set(data, data, decode(data))


def labels(*codes: int) -> Labels:
    return Labels(np.array(codes), [f"p{code}" for code in range(max(codes, default=-1) + 1)])


def block(data: TrainingSet, recipe: Recipe, step: int = 0) -> tuple[Block, np.ndarray]:
    """What is known in a batch, and the items of its rows."""
    batch = Steps(data, batches_of(data, recipe), Augment(), total=10, seed=0).batch(step)
    return batch.relation.block(), batch.plan.item


FOURS = labels(*np.repeat(np.arange(6), 4).tolist())
TOLD = Pairs(np.array([0, 2, 4]), np.array([1, 3, 5]), np.array([True, True, False]))
ALIKE = Pairs(np.array([0, 2, 4]), np.array([1, 3, 5]), np.array([True, True, True]))
SCORED = Pairs(np.array([0, 2]), np.array([1, 3]), score=np.array([0.2, 0.9]))
TRIPLETS = Triplets(np.array([0, 3]), np.array([1, 4]), np.array([2, 5]))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"identity": FOURS}, {Knows.IDENTITY}),
        ({"identity": labels(*range(24))}, {Knows.IDENTITY}),
        ({"pairs": TOLD}, {Knows.PAIRS}),
        ({"pairs": ALIKE}, {Knows.POSITIVES}),
        ({"pairs": SCORED}, {Knows.SCORE}),
        ({"triplets": TRIPLETS}, {Knows.TRIPLETS}),
        ({"identity": FOURS, "pairs": TOLD}, {Knows.IDENTITY, Knows.PAIRS}),
        ({}, set()),
    ],
)
def test_what_the_data_knows(told: dict[str, Any], expected: set[Knows]) -> None:
    assert known(vectors(24, **told)).knows == expected | {Knows.VIEWS}


def test_claims_are_codes_of_identities() -> None:
    claimed = Labels(np.array([-1, -1, 0, 1]), ["new", "p0"])
    data = known(vectors(4, identity=labels(0, 0, -1, -1), impostor_of=claimed))
    assert data.impostor_of.tolist() == [-1, -1, 1, 0]
    assert len(data.unlabelled) == 0


@pytest.mark.parametrize(("most", "expected"), [(24, 24), (23, 12), (13, 12), (12, 12), (7, 6), (1, 1)])
def test_some_are_never_more_than_asked_for(most: int, expected: int) -> None:
    assert len(known(vectors(24)).some(most)) == expected


def test_both_pairs_of_every_triplet_are_in_one_batch() -> None:
    rng = np.random.default_rng(1)
    data = known(vectors(300, triplets=Triplets(*rng.permutation(300).reshape(3, 100))))
    counted = 0
    for step in range(10):
        found, _ = block(data, SMALL.but(loss="triplet", batch_pairs=8), step)
        counted += int((found.same.any(1) & found.different.any(1)).sum())
    assert counted == 10 * 4


@pytest.mark.parametrize("loss", [name for name in NAMED if Knows.POSITIVES in needs_of(name)])
def test_pairs_that_are_all_same_teach_against_the_rest_of_the_batch(loss: str) -> None:
    place = np.arange(20)
    data = known(vectors(40, pairs=Pairs(place, place + 20, np.ones(20, bool))))
    batch = Steps(data, batches_of(data, SMALL.but(loss=loss)), Augment(), total=10, seed=0).batch(0)
    x = torch.randn(len(batch.plan), 8, generator=torch.Generator().manual_seed(0))
    assert built(SMALL.but(loss=loss))(x, x, batch.relation).counted > 0


@pytest.mark.parametrize("loss", ["supcon", "infonce", "multiplenegatives", "triplet", "circle"])
def test_labelled_pairs_cannot_teach_losses_with_negatives_from_the_batch(loss: str) -> None:
    data = known(vectors(24, pairs=TOLD))
    with pytest.raises(
        RecipeError, match=rf"{loss} loss learns from .* data knows pairs labelled same or different.*contrastive"
    ):
        batches_of(data, SMALL.but(loss=loss))


def test_an_unlisted_pair_is_different_only_beside_pairs_that_are_all_same() -> None:
    alike, _ = block(known(vectors(24, pairs=ALIKE)), SMALL)
    told, _ = block(known(vectors(24, pairs=TOLD)), SMALL)
    off = ~torch.eye(6, dtype=torch.bool)
    assert torch.equal(alike.same | alike.different, off)
    assert int((told.same | told.different).sum()) == 2 * 2


def test_a_pair_that_was_not_drawn_is_not_different_where_both_its_items_are() -> None:
    # every two of six items are the same, and a batch holds two of the fifteen pairs
    data = known(vectors(6, pairs=Pairs(*np.triu_indices(6, 1), np.ones(15, bool))))
    for step in range(10):
        assert not block(data, SMALL.but(batch_pairs=2), step)[0].different.any()


def test_explicit_pairs_beside_identities_win_over_them() -> None:
    # said: two items of identity 0 are different, and an item of 0 and one of 1 are the same
    pairs = Pairs(np.array([0, 2]), np.array([1, 4]), np.array([False, True]))
    data = known(vectors(8, identity=labels(0, 0, 0, 0, 1, 1, 1, 1), pairs=pairs))
    seen, item = block(data, SMALL.but(identities=2, items=4))
    at = {int(i): row for row, i in enumerate(item)}
    assert seen.different[at[0], at[1]]
    assert seen.different[at[1], at[0]]
    assert seen.same[at[2], at[4]]
    assert seen.same[at[0], at[2]]
    assert seen.different[at[0], at[4]]


def test_scores_beside_identities_are_for_losses_that_take_scores() -> None:
    data = known(vectors(8, identity=labels(0, 0, 0, 0, 1, 1, 1, 1), pairs=SCORED))
    recipe = SMALL.but(identities=2, items=4)
    assert block(data, recipe)[0].score is not None
    assert block(data, recipe.but(loss="supcon"))[0].score is None


@pytest.mark.parametrize("step", range(5))
def test_without_labels_an_item_is_the_same_as_its_other_view_only(step: int) -> None:
    data = known(images(20))
    seen, item = block(data, SMALL.but(loss="infonce"), step)
    alike = torch.from_numpy(item[:, None] == item)
    itself = torch.eye(len(item), dtype=torch.bool)
    assert torch.equal(seen.same, alike & ~itself)
    assert torch.equal(seen.different, ~alike)


@pytest.mark.parametrize("loss", [name for name in NAMED if needs_of(name) == {Knows.VIEWS}])
def test_a_loss_that_looks_at_views_only_is_given_views(loss: str) -> None:
    plan = batches_of(known(images(24, identity=FOURS, pairs=TOLD)), SMALL.but(loss=loss)).plan(0)
    assert sorted(plan.view.tolist()) == [0] * 6 + [1] * 6


def test_identities_of_one_item_each_are_learned_from_views() -> None:
    plan = batches_of(known(images(24, identity=labels(*range(24)))), SMALL.but(loss="supcon")).plan(0)
    assert set(plan.view.tolist()) == {0, 1}


def test_an_unlabelled_item_is_different_from_all_but_its_other_view_and_impostors() -> None:
    identity = labels(*np.repeat(np.arange(3), 4).tolist(), *[-1] * 8)
    impostor_of = Labels(np.array([-1] * 12 + [0, 1] + [-1] * 6), identity.names)
    data = known(images(20, identity=identity, impostor_of=impostor_of))
    assert data.unlabelled.tolist() == list(range(14, 20))
    seen, item = block(data, SMALL.but(loss="supcon", identities=3, items=4, unlabelled=3))
    free, forged = torch.from_numpy(item >= 14), torch.from_numpy((item == 12) | (item == 13))
    assert int(free.sum()) == 6
    assert int(forged.sum()) == 2
    alike = torch.from_numpy(item[:, None] == item)[free]
    assert torch.equal(seen.same[free], alike & ~torch.eye(len(item), dtype=torch.bool)[free])
    assert torch.equal(seen.different[free], ~alike & ~forged)
    assert int(seen.different[forged].sum()) == 2 * 4


def test_unlabelled_items_and_identities_beside_pairs_ask_questions_too() -> None:
    identity = labels(*np.repeat(np.arange(3), 2).tolist(), *[-1] * 4)
    data = known(images(10, identity=identity, pairs=Pairs(np.array([0]), np.array([1]), np.array([True]))))
    recipe = SMALL.but(loss="multiplenegatives", identities=3, unlabelled=4)
    batch = Steps(data, batches_of(data, recipe), Augment(), total=1, seed=0).batch(0)
    assert batch.relation.pairs is not None
    x = torch.randn(len(batch.plan), 8, generator=torch.Generator().manual_seed(0))
    assert built(recipe)(x, x, batch.relation).counted == 3 + 4


@pytest.mark.parametrize(
    ("data", "choices", "expected"),
    [
        (vectors(24, identity=FOURS), {"rotations": True}, "no images but vectors"),
        (images(24, pairs=TOLD), {"rotations": True}, "rotations = True is about batches of identities"),
        (images(24, identity=FOURS), {"groups": 2}, "groups = 2, but the data has no groups"),
        (images(24, pairs=TOLD), {"groups": 2}, "groups = 2 is about batches of identities"),
        (images(24, identity=FOURS), {"unlabelled": 2}, "every training item has an identity"),
        (images(24), {"unlabelled": 2}, "unlabelled = 2 is about batches of identities"),
        (
            images(25, identity=labels(*FOURS.codes.tolist(), -1)),
            {"unlabelled": 1, "loss": "softmax"},
            "softmax loss learns nothing from two views.*supcon",
        ),
        (vectors(24), {}, "Two views of an item would be equal"),
        (vectors(25, identity=labels(*FOURS.codes.tolist(), -1)), {"unlabelled": 1}, "Two views of an item"),
        (images(24), dict.fromkeys(("degrees", "translate", "scale", "shear"), 0.0), "Two views of an item"),
        (images(24, pairs=TOLD), {"loss": "softmax"}, "softmax loss learns from identities"),
    ],
)
def test_what_does_not_fit_the_data_is_refused_before_the_first_step(
    data: Collection, choices: dict[str, Any], expected: str
) -> None:
    with pytest.raises(RecipeError, match=expected):
        batches_of(known(data), SMALL.but(**choices))


def test_quarter_turns_of_oblong_images_are_refused() -> None:
    data = images(24, identity=FOURS).with_(modality=ImageModality(height=16, width=24, channels=1))
    with pytest.raises(RecipeError, match=r"square images: 16 × 24 pixels.*Leave it out"):
        batches_of(known(data), SMALL.but(rotations=True))


def test_nothing_known_is_too_little_for_a_loss_over_identities() -> None:
    with pytest.raises(NotEnoughData, match=r"no identity has two items.*supcon"):
        batches_of(known(images(24)), SMALL.but(loss="softmax"))


def test_dropout_makes_two_views_of_a_vector() -> None:
    assert len(batches_of(known(vectors(24)), SMALL.but(dropout=0.1)).plan(0)) == 12
    assert known(vectors(24)).modality == VectorModality(5)


def test_a_recipe_knows_which_losses_have_proxies() -> None:
    from gemel.learn.losses import NAMED

    takers = [name for name, make in NAMED.items() if "sampled" in inspect.signature(make).parameters]
    assert sorted(takers) == sorted(ONLY["sampled"])
