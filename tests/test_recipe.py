"""The list of choices: files round trip, mistakes are named, and what is left open is closed from the data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gemel.errors import RecipeError
from gemel.recipe import Facts, Recipe, choose, described, of_field

FACES = Facts(modality="image", items=10_000, identities=800, median_items=6, singletons=3000, side=250, color=True)


def test_a_recipe_survives_its_file(tmp_path: Path) -> None:
    recipe = choose(Recipe(lr=3e-4, rotations=True, encoder='pretrained:a "b" \\c'), FACES)
    (tmp_path / "r.toml").write_text(recipe.toml(), encoding="utf-8")
    assert Recipe.read(tmp_path / "r.toml") == recipe


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("temprature = 0.1", "Did you mean 'temperature'"),
        ("steps = 1.5", "steps must be int"),
        ("flip = 1", "flip must be bool"),
        ("loss = 'magic'", "choose one of supcon"),
        ("steps = 0", "must be above 0"),
        ("steps = 5\nminutes = 3", "Give the budget once"),
        ("holdout = 0.6", r"holdout = 0.6 must lie in \[0, 0.5\]: training keeps at least half"),
        ("shear = 90.0", r"must lie in \[0, 90\)"),
        ("shear = -1", r"must lie in \[0, 90\)"),
        ("seed = -1", r"seed = -1 must lie in \[0,"),
        ("dropout = 1.0", r"must lie in \[0, 1\)"),
        ("scale = 1.0", r"must lie in \[0, 1\)"),
        ("hue = 1.5", r"must lie in \[0, 1\]"),
        ("erase = -0.1", r"must lie in \[0, 1\]"),
        *[
            (f"{name} = -1", "must be at least 0")
            for name in "groups unlabelled weight_decay degrees translate elastic brightness blur".split()
        ],
        ("lr = inf", "and finite"),
        ("degrees = nan", "must be at least 0"),
        ("loss = 'supcon'\nminer = 'hard'", "miner = 'hard' changes nothing for the supcon loss.*triplet"),
        ("loss = 'bce'\nsoft = true", "soft = True changes nothing"),
        ("loss = 'triplet'\nsampled = 8", "sampled = 8 changes nothing.*softmax, cosface, arcface"),
        ("steps", "is not a TOML file"),
    ],
)
def test_mistakes_are_named(line: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(line, encoding="utf-8")
    with pytest.raises(RecipeError, match=expected):
        Recipe.read(tmp_path / "r.toml")


def test_whole_numbers_are_fine_where_fractions_are_expected(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text("minutes = 3", encoding="utf-8")
    assert Recipe.read(tmp_path / "r.toml").minutes == 3.0


def test_everything_is_closed_and_what_was_chosen_stays() -> None:
    recipe = choose(Recipe(dim=32, epochs=2.0), FACES)
    still_open = {name for name in described() if getattr(recipe, name) is None}
    of_others = {"length", "vocabulary", "cell", "pooling", "prepare", "fusion", "branches", "snr"}
    assert still_open - of_others == {
        *("steps", "minutes", "patience", "temperature", "margin", "sampled", "plus", "prefixes", "chunk", "cut")
    }
    assert (recipe.dim, recipe.epochs, recipe.size, recipe.color) == (32, 2.0, 64, True)


def test_pairs_without_identities_are_learned_by_contrast() -> None:
    facts = Facts(modality="vector", items=1000, identities=0, median_items=2, pairs=500)
    recipe = choose(Recipe(), facts)
    assert (recipe.loss, recipe.encoder) == ("contrastive", "dense")


@pytest.mark.parametrize(("pairs", "positives_only"), [(500, True), (0, False)])
def test_what_is_only_known_to_be_the_same_is_told_from_the_rest_of_its_batch(pairs: int, positives_only: bool) -> None:
    facts = Facts(
        modality="image", items=1000, identities=0, median_items=2, pairs=pairs, positives_only=positives_only
    )
    assert choose(Recipe(), facts).loss == "infonce"


def test_what_was_given_is_never_changed() -> None:
    few = Facts(modality="image", items=30, identities=5, median_items=6)
    given = {"identities": 500, "items": 40, "batch_pairs": 900, "size": 512, "epochs": 3.0}
    assert choose(Recipe(**given), few).chosen().items() >= given.items()
    assert choose(Recipe(), few).identities == 5


def test_a_new_budget_takes_the_place_of_the_old_one() -> None:
    recipe = Recipe(steps=500).but(minutes=5.0)
    assert (recipe.steps, recipe.epochs, recipe.minutes) == (None, None, 5.0)
    assert recipe.but(dim=8).minutes == 5.0
    assert recipe.but(minutes=None).minutes is None
    with pytest.raises(RecipeError, match="Give the budget once"):
        recipe.but(steps=5, epochs=1.0)


def test_a_choice_that_the_chosen_loss_ignores_is_refused() -> None:
    with pytest.raises(RecipeError, match="choose a loss that has it: triplet"):
        choose(Recipe(miner="hard"), FACES)
    assert Recipe(loss="triplet", miner="hard", soft=True).miner == "hard"


@pytest.mark.parametrize("name", ["", "missing.toml"])
def test_what_is_no_file_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"cannot be read|no recipe file"):
        Recipe.read(tmp_path / name)


def test_every_choice_has_a_help_text() -> None:
    assert all(text and kind in (int, float, str, bool) for kind, _, text in described().values())


def test_records_have_an_encoder_for_each_field_and_what_images_among_them_need() -> None:
    fields = {"photo": "image", "title": "text", "price": "vector"}
    facts = Facts(modality="record", fields=fields, items=100, identities=9, median_items=4, side=90, color=True)
    recipe = choose(Recipe(encoder="title=transformer", width=32), facts)
    assert recipe.encoder == "photo=conv,title=transformer,price=dense"
    assert (recipe.size, recipe.color, recipe.fusion, recipe.loss, recipe.depth) == (64, True, "gated", "supcon", None)
    title, price = of_field(recipe, "title", "text"), of_field(recipe, "price", "vector")
    assert (title.encoder, title.width, title.length) == ("transformer", 32, 128)
    assert (price.encoder, price.width, price.depth) == ("dense", 32, 2)
    apart = choose(Recipe(branches="photo,title"), replace(facts, fields=dict(list(fields.items())[:2])))
    assert (apart.loss, apart.fusion) == ("clip", None)
    tuned = of_field(recipe.but(encoder="photo=conv,title=pretrained:x", tune="frozen"), "photo", "image")
    assert tuned.tune == "full"


def test_sounds_are_read_in_windows_of_three_seconds_at_most() -> None:
    facts = Facts(modality="audio", items=100, identities=9, median_items=4, points=4000)
    recipe = choose(Recipe(), facts)
    assert (recipe.encoder, recipe.length, recipe.pooling) == ("conv", 300, "mean")
    assert choose(Recipe(encoder="pretrained:x"), facts).length is None


def test_series_that_are_to_be_told_from_imitations_keep_their_points() -> None:
    facts = Facts(modality="series", items=400, identities=20, median_items=20, impostors=400, channels=3, points=300)
    recipe = choose(Recipe(), facts)
    assert (recipe.encoder, recipe.prepare, recipe.head, recipe.length) == (
        "frames",
        "velocity,resample=96",
        True,
        2048,
    )
    assert choose(Recipe(prepare="zscore,resample=50"), facts).encoder == "frames"
    given: list[dict[str, Any]] = [{"width": 32}, {"prepare": "velocity"}, {"head": False}, {"encoder": "delay"}]
    for choices in given:
        assert choose(Recipe(**choices), facts).encoder in ("residual", "delay")
    vibrations: list[dict[str, Any]] = [{"channels": 1}, {"points": 4096}]
    for other in ({"impostors": 0}, *vibrations):
        assert choose(Recipe(), replace(facts, **other)).encoder == "residual"
