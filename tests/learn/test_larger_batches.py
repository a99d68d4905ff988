"""Choices that reach beyond one batch in one process: chunks, memory, further losses, confused identities, torchrun."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

import gemel
from gemel.errors import RecipeError
from gemel.learn.confuse import few_of_each
from gemel.learn.fit import fit
from gemel.learn.losses import Matryoshka, Memory, WeightedSum
from gemel.learn.outset import outset
from gemel.recipe import Recipe
from tests.cli.conftest import run
from tests.learn.killing import assert_resumes, assert_was_told, weights_of
from tests.learn.patterns import QUICK, collection, patterns

GROUP = QUICK.but(norm="group")


def trained(recipe: Recipe, folder: Path) -> dict[str, torch.Tensor]:
    begun = outset(collection(), recipe)
    fit(begun, folder, progress=False)
    return weights_of(begun)


def test_chunks_train_the_same_model(tmp_path: Path) -> None:
    whole = trained(GROUP.but(steps=5), tmp_path / "whole")
    chunks = trained(GROUP.but(steps=5, chunk=7), tmp_path / "chunks")
    for name, x in whole.items():
        torch.testing.assert_close(chunks[name], x, atol=2e-4, rtol=2e-3)


def test_chunks_bring_a_norm_that_allows_them() -> None:
    assert outset(collection(), QUICK.but(chunk=8)).recipe.norm == "group"
    with pytest.raises(RecipeError, match="norm=group"):
        outset(collection(), QUICK.but(chunk=8, norm="batch"))


def test_what_a_recipe_puts_around_its_loss() -> None:
    begun = outset(collection(), QUICK.but(loss="contrastive", memory=64, prefixes="4,8", plus="triplet:0.5"))
    both = begun.learner.loss
    assert isinstance(both, WeightedSum)
    first = both.losses[0]
    assert isinstance(first, Memory)
    assert isinstance(first.loss, Matryoshka)
    assert first.loss.prefixes == (4, 8, 16)
    assert begun.recipe.margin == 1.0


@pytest.mark.parametrize(
    ("choices", "what"),
    [
        ({"plus": "vicreg:0.1"}, "vicreg loss learns from several views"),
        ({"plus": "magic:1"}, "no loss 'magic'"),
        ({"plus": "vicreg"}, "losses with weights"),
        ({"prefixes": "some"}, "must be dimensions"),
        ({"confused": 0.5, "groups": 2}, "choose one of them"),
        ({"loss": "softmax", "memory": 8}, "takes no memory"),
        ({"confused": 1.5}, "must lie in"),
    ],
)
def test_choices_that_cannot_be_are_refused(choices: dict[str, object], what: str) -> None:
    with pytest.raises(RecipeError, match=what):
        outset(collection(), QUICK.but(**choices))


def test_confused_identities_meet_and_a_killed_run_resumes(tmp_path: Path) -> None:
    assert_was_told(assert_resumes(collection, QUICK.but(confused=0.5, steps=24, checks=4), 15, tmp_path))


def test_a_few_items_of_every_identity_are_looked_at() -> None:
    identity = np.array([0, 0, 0, 1, -1, 1, 2])
    some = few_of_each(identity, 2, seed=0)
    assert (np.diff(some) > 0).all()
    assert np.bincount(identity[some]).tolist() == [2, 2, 1]


def test_two_processes_train_the_model_of_one(tmp_path: Path) -> None:
    images, labels = patterns(30, 6)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        file = tmp_path / "data" / f"p{label}" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(file)
    (tmp_path / "recipe.toml").write_text(GROUP.but(steps=12, dropout=0.0).toml(), encoding="utf-8")
    arguments = ["train", str(tmp_path / "data"), "--recipe", str(tmp_path / "recipe.toml"), "--json", "--out"]
    one, two = tmp_path / "1.gemel", tmp_path / "2.gemel"
    alone = run(None, *arguments, one)
    assert alone.code == 0
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "gemel"]
    quiet = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([*launch, *arguments, str(two)], env=quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model"] == str(two)  # one answer, not one of each process
    assert not two.with_name(two.name + ".training").exists()
    shared = safetensors.torch.load(gemel.Siamese.load(two).weights())
    for name, x in safetensors.torch.load(gemel.Siamese.load(one).weights()).items():
        torch.testing.assert_close(shared[name], x, atol=5e-4, rtol=5e-3)
