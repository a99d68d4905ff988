"""Steps that prepare images: what training takes from the recipe, and that a twin in use does the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

import gemel
from gemel.errors import RecipeError
from gemel.items import Collection, ImageModality, RecordModality, SeriesModality, read
from gemel.learn.outset import outset
from gemel.learn.train import train
from gemel.recipe import Recipe
from tests.learn.patterns import QUICK

STEPS = ("ink", "deskew", "crop")
INKED = QUICK.but(prepare="ink,deskew,crop", steps=5, color=None)


def signed(identities: int = 20, items: int = 3, seed: int = 0) -> np.ndarray:
    """Pages with a scribble somewhere, of another shape for each identity."""
    rng = np.random.default_rng(seed)
    pages = []
    for _ in range(identities):
        strokes = rng.uniform(0, 1, (8, 2)) * (50, 20)
        for _ in range(items):
            image = Image.new("L", (96, 64), 230)
            points = strokes + rng.normal(0, 1, strokes.shape) + rng.uniform(10, 35, 2)
            ImageDraw.Draw(image).line(list(map(tuple, points)), fill=40, width=2)
            pages.append(np.asarray(image))
    return np.stack(pages)


def scribbles(**how: Any) -> Collection:
    pages = signed(**how)
    return read(pages, labels=[f"p{i // 3}" for i in range(len(pages))])


def test_a_twin_prepares_in_use_as_in_training_and_remembers_it(tmp_path: Path) -> None:
    data = scribbles()
    twin = train(data, INKED, progress=False)
    assert isinstance(twin.modality, ImageModality)
    assert (twin.modality.steps, twin.modality.resize) == (STEPS, "pad")
    twin.save(tmp_path / "x.gemel")
    again = gemel.Siamese.load(tmp_path / "x.gemel")
    assert again.modality == twin.modality
    begun = outset(data, INKED)
    for i in range(3):
        raw = data.with_(modality=begun.modality).load(i)
        np.testing.assert_array_equal(again.modality.load(data.source(i)), raw)
    wide = np.full((200, 300), 230, np.uint8)
    wide[90:154, 140:236] = data.source(0)
    assert again.distance(data.source(0), wide) < again.distance(data.source(0), data.source(3))


def test_what_is_cropped_keeps_its_proportions_unless_told_otherwise() -> None:
    assert outset(scribbles(), INKED).recipe.aspect == "pad"
    assert outset(scribbles(), INKED.but(prepare="ink")).recipe.aspect == "stretch"
    assert outset(scribbles(), INKED.but(aspect="stretch")).recipe.aspect == "stretch"


def test_steps_of_other_kinds_of_items_are_refused_with_those_there_are() -> None:
    with pytest.raises(RecipeError, match="no step 'zscore' that prepares an image; there are ink, binary, deskew"):
        outset(scribbles(), QUICK.but(prepare="zscore"))
    with pytest.raises(RecipeError, match="prepare = 'ink' is about series and image and audio items"):
        outset(read(np.zeros((9, 3)), labels=list("aaabbbccc")), Recipe(prepare="ink"))


def test_a_twin_to_start_from_prepares_alike() -> None:
    first = train(scribbles(), INKED, progress=False)
    assert outset(scribbles(seed=1), Recipe(steps=5), start=first).modality == first.modality
    assert outset(scribbles(seed=1), Recipe(steps=5, size=32), start=first).modality.steps == STEPS  # type: ignore[attr-defined]
    with pytest.raises(RecipeError, match="prepares items by ink,deskew,crop"):
        outset(scribbles(seed=1), Recipe(steps=5, prepare="crop"), start=first)
    plain = train(scribbles(), INKED.but(prepare=None), progress=False)
    with pytest.raises(RecipeError, match="prepares items by no step"):
        outset(scribbles(seed=1), Recipe(steps=5, prepare="crop"), start=plain)


def test_steps_set_up_by_hand_are_kept() -> None:
    data = scribbles().with_(modality=ImageModality(height=24, width=48, channels=1, steps=("binary",)))
    begun = outset(data, Recipe(steps=5))
    assert begun.modality == data.modality
    assert begun.recipe.prepare == "binary"
    changed = outset(data, Recipe(steps=5, prepare="crop")).modality
    assert changed == ImageModality(height=24, width=48, channels=1, steps=("crop",))


def test_each_field_of_a_record_takes_the_steps_of_its_kind(tmp_path: Path) -> None:
    for i, pixels in enumerate(signed(4)):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
        np.savetxt(tmp_path / f"{i}.csv", np.random.default_rng(i).normal(size=(9, 2)), delimiter=",")
    rows = [f"{i}.png,{i}.csv,p{i // 3}\n" for i in range(12)]
    (tmp_path / "t.csv").write_text("scan,strokes,identity\n" + "".join(rows), encoding="utf-8")
    data = read(tmp_path / "t.csv", fields="scan,strokes")
    begun = outset(data, Recipe(steps=5, holdout=0.0, prepare="zscore,ink,crop,velocity"))
    assert isinstance(begun.modality, RecordModality)
    scan, strokes = begun.modality.fields["scan"], begun.modality.fields["strokes"]
    assert isinstance(scan, ImageModality)
    assert isinstance(strokes, SeriesModality)
    assert (scan.steps, strokes.steps) == (("ink", "crop"), ("zscore", "velocity"))
    with pytest.raises(RecipeError, match="no step 'inc'"):
        outset(data, Recipe(steps=5, holdout=0.0, prepare="inc"))
