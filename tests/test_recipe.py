"""The list of choices: files round trip, mistakes are named, and what is left open is closed from the data."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemel.errors import RecipeError
from gemel.recipe import Facts, Recipe, choose, described

FACES = Facts(modality="image", items=10_000, identities=800, most_items=6, singletons=3000, side=250, color=True)


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
        ("holdout = 1.0", r"must lie in \[0, 1\)"),
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
    assert still_open == {"steps", "minutes", "patience", "temperature", "margin", "sampled"}
    assert (recipe.dim, recipe.epochs, recipe.size, recipe.color) == (32, 2.0, 64, True)


def test_pairs_without_identities_are_learned_by_contrast() -> None:
    facts = Facts(modality="vector", items=1000, identities=0, most_items=2, pairs=500)
    recipe = choose(Recipe(), facts)
    assert (recipe.loss, recipe.encoder) == ("contrastive", "dense")


def test_every_choice_has_a_help_text() -> None:
    assert all(text and kind in (int, float, str, bool) for kind, _, text in described().values())
