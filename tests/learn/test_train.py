"""Training: repeatable, resumable at any step, interruptible, and better than raw features."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch

import gemel
from gemel.errors import GemelError, NotEnoughData, RecipeError
from gemel.items import Labels, read
from gemel.learn.diagnose import raw_error
from gemel.learn.fit import exported, fit
from gemel.learn.outset import outset
from gemel.learn.train import resumed, train
from gemel.recipe import Recipe
from tests.learn.killing import StopAt, assert_equal, assert_resumes, weights_of
from tests.learn.patterns import QUICK, collection, patterns
from tests.learn.test_pretrained import folder_of


@pytest.mark.parametrize("loss", ["supcon", "bce"])
@pytest.mark.parametrize("step", [11, 23])
def test_a_killed_run_resumes_to_the_same_model(loss: str, step: int, tmp_path: Path) -> None:
    assert_resumes(collection, QUICK.but(loss=loss, dropout=0.2, elastic=0.02, seed=4), step, tmp_path)


def test_a_seed_gives_the_same_model_and_another_seed_another(tmp_path: Path) -> None:
    runs = []
    for number, seed in enumerate((1, 1, 2)):
        begun = outset(collection(), QUICK.but(seed=seed, steps=10))
        fit(begun, tmp_path / str(number), progress=False)
        runs.append(weights_of(begun))
    assert_equal(runs[0], runs[1])
    assert not torch.equal(runs[0]["encoder.head.linear.weight"], runs[2]["encoder.head.linear.weight"])


def test_the_loss_and_its_optimiser_state_are_in_the_checkpoint(tmp_path: Path) -> None:
    begun = outset(collection(), QUICK.but(loss="bce"))
    before = {name: x.clone() for name, x in begun.learner.loss.state_dict().items()}
    fit(begun, tmp_path, progress=False)
    saved = torch.load(tmp_path / "best.ckpt", weights_only=True)
    assert before
    for name, start in before.items():
        assert not torch.equal(saved["state_dict"][f"loss.{name}"], start)


def test_ctrl_c_ends_cleanly_with_the_best_so_far(tmp_path: Path) -> None:
    class Interrupt(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            if trainer.global_step == 15:
                os.kill(os.getpid(), signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    begun = outset(collection(), QUICK)
    fit(begun, tmp_path, [Interrupt()], progress=False)
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert saved["global_step"] < 20
    assert signal.getsignal(signal.SIGINT) is handler


def test_early_stopping_keeps_the_best(tmp_path: Path) -> None:
    begun = outset(collection(), QUICK.but(steps=400, checks=40, patience=1, lr=1e-9))
    fit(begun, tmp_path, progress=False)
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["global_step"] < 100


def test_a_trained_twin_beats_raw_pixels_on_new_identities() -> None:
    twin = train(collection(60), QUICK.but(steps=150), progress=False)
    begun = outset(collection(60), QUICK)
    assert begun.learner.held_out is not None
    images, labels = patterns(40, 6, seed=77)
    found = gemel.siamese.evaluate(twin, read(images, labels=labels))
    assert found.verification.eer < raw_error(begun.learner.held_out)
    assert twin.decision is not None


def test_callbacks_and_keywords_pass_through() -> None:
    class Count(pl.Callback):
        steps = 0

        def on_train_batch_end(self, *_: Any) -> None:
            self.steps += 1

    counter = Count()
    twin = train(collection(), QUICK, steps=7, dim=8, callbacks=[counter], progress=False)
    assert counter.steps == 7
    assert twin.embed(list(patterns(2, 2)[0])).vectors.shape == (4, 8)


def test_training_starts_from_a_twin() -> None:
    recipe = QUICK.but(norm="group")
    first = train(collection(), recipe, progress=False)
    images = list(patterns(5, 4, seed=5)[0])
    again = train(collection(), recipe.but(lr=1e-12, steps=2, average=0.0), start=first, progress=False)
    np.testing.assert_allclose(again.embed(images).vectors, first.embed(images).vectors, atol=1e-4)
    with pytest.raises(RecipeError, match="another shape"):
        train(collection(), QUICK.but(width=4), start=first, progress=False)


def test_minutes_become_steps_and_epochs_too() -> None:
    timed = outset(collection(), Recipe(minutes=0.1, size=16, width=8, depth=2, dim=16))
    assert timed.recipe.minutes is None
    assert timed.recipe.steps == int(6 / timed.seconds_per_step)
    counted = outset(collection(), QUICK.but(steps=None, epochs=2.0))
    assert counted.recipe.steps == round(2 * len(counted.training) / counted.learner.steps.batches.rows)


def test_given_splits_are_taken_as_they_are() -> None:
    data = collection(30)
    codes = np.repeat([0] * 16 + [1] * 7 + [2] * 7, 6)
    begun = outset(data.with_(split=Labels(codes, ["train", "stop", "calibrate"])), QUICK)
    assert len(begun.training) == 16 * 6
    assert len(begun.learner.held_out.data) == 7 * 6
    assert len(begun.calibrating) == 7 * 6


@pytest.mark.parametrize(("same", "different"), [(200, 400), (200, 0)])
def test_pairs_alone_are_enough_to_learn_from(same: int, different: int) -> None:
    images, _ = patterns(120, 4)
    rng = np.random.default_rng(0)
    rows = [(4 * i, 4 * i + 1, 1) for i in rng.integers(0, 120, same)]
    rows += [(4 * i, 4 * ((i + 7) % 120), 0) for i in rng.integers(0, 120, different)]
    pairs = {name: [row[k] for row in rows] for k, name in enumerate(("a", "b", "same"))}
    data = read({"id": list(range(len(images))), "image": list(images)}, pairs=pairs)
    twin = train(data, QUICK.but(loss=None if different else "infonce"), progress=False)
    assert twin.embed(list(images[:3])).vectors.shape == (3, 16)


def test_few_identities_train_without_a_decision() -> None:
    said: list[str] = []
    twin = train(collection(8), QUICK, progress=False, say=said.append)
    assert twin.decision is None
    assert any("too few to hold" in sentence for sentence in said)


def test_nothing_to_learn_from_is_refused_before_training() -> None:
    images, _ = patterns(30, 1)
    with pytest.raises(NotEnoughData):
        train(read(images, labels=list(range(30))), QUICK, progress=False)


def test_another_recipe_cannot_resume(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(QUICK.toml(), encoding="utf-8")
    (tmp_path / "last.ckpt").touch()
    with pytest.raises(RecipeError, match="dim cannot change"):
        resumed(tmp_path, QUICK.but(dim=99))


def test_a_pretrained_encoder_is_tuned_saved_and_gone_on_from_without_its_folder(tmp_path: Path) -> None:
    folder = folder_of("vit", tmp_path / "vit")
    recipe = Recipe(encoder=f"pretrained:{folder}", tune="warmup", warmup=0.5, steps=8, dim=8, identities=6, lr=1e-3)
    begun = outset(collection(), recipe)
    backbone = begun.learner.encoder.backbone
    before = {name: x.clone() for name, x in backbone.state_dict().items()}
    assert backbone.frozen
    lowest = fit(begun, tmp_path / "run", progress=False)
    assert not backbone.frozen
    assert any(not torch.equal(x, before[name]) for name, x in backbone.state_dict().items())

    twin = exported(begun, lowest)
    saved = gemel.Siamese.load(twin.save(tmp_path / "vit.gemel"))
    shutil.rmtree(folder)
    again = train(collection(), Recipe(steps=1, lr=1e-12, average=0.0), start=saved, progress=False)
    images = list(patterns(3, 3, seed=5)[0])
    np.testing.assert_allclose(again.embed(images).vectors, twin.embed(images).vectors, atol=1e-4)


def test_what_training_sees_calibrates_nothing(tmp_path: Path) -> None:
    data = collection(30)
    codes = np.repeat([0] * 16 + [1] * 7 + [2] * 7, 6)
    rows = np.append(np.arange(len(data)), 0)  # the first training item once more, to calibrate
    copied = data.take(rows[:-1]).with_(split=Labels(codes, ["train", "stop", "calibrate"]))
    images = [data.source(int(i)) for i in rows]
    labels = [data.identity.value(int(i)) for i in rows]
    twice = read(np.stack(images), labels=labels).with_(split=Labels(np.append(codes, 2), copied.split.names))
    begun = outset(twice, QUICK)
    assert len(begun.calibrating) == 7 * 6
    assert any("left out" in note for note in begun.notes)


def test_a_twin_goes_on_from_what_it_saw_and_is_calibrated_on_the_rest() -> None:
    recipe = QUICK.but(norm="group", steps=4)
    data = collection(60)
    first = train(data, recipe, progress=False)
    begun = outset(data, recipe.but(seed=9), start=first)
    assert begun.calibrating is not None
    held = first.embed(begun.calibrating).content
    assert not first.seen.in_training(held).any()
    again = train(data, recipe.but(seed=9), start=first, progress=False)
    assert again.decision is not None
    assert np.isin(first.seen.trained, again.seen.trained).all()


def test_other_data_cannot_resume(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="killed"):
        train(collection(), QUICK, checkpoints=tmp_path, callbacks=[StopAt(25)], progress=False)
    with pytest.raises(GemelError, match="other data"):
        train(collection(41), QUICK, checkpoints=tmp_path, resume=True, progress=False)


def test_a_new_run_forgets_the_checkpoints_of_another(tmp_path: Path) -> None:
    train(collection(), QUICK, checkpoints=tmp_path, progress=False)
    with pytest.raises(RuntimeError, match="killed"):
        train(collection(), QUICK.but(dim=12), checkpoints=tmp_path, callbacks=[StopAt(3)], progress=False)
    assert not list(tmp_path.glob("*.ckpt"))


def test_a_failed_run_names_the_folder_that_keeps_it() -> None:
    with pytest.raises(RuntimeError, match="killed") as caught:
        train(collection(), QUICK, callbacks=[StopAt(25)], progress=False)
    folder = Path(caught.value.__notes__[0].split("'")[1])
    assert train(collection(), QUICK, checkpoints=folder, resume=True, progress=False).decision is not None
    shutil.rmtree(folder)


def test_few_classes_share_their_items_under_the_closed_protocol() -> None:
    begun = outset(collection(6, 40), QUICK.but(protocol="closed", holdout=0.2))
    assert len(begun.training) == 6 * 32
    assert len(begun.calibrating) == 6 * 4


def test_triplets_are_held_out_like_identities() -> None:
    images, _ = patterns(60, 3)
    rng = np.random.default_rng(0)
    rows = [(3 * i, 3 * i + 1, 3 * ((i + int(rng.integers(1, 59))) % 60)) for i in range(60)]
    triplets = {name: [row[k] for row in rows] for k, name in enumerate(("anchor", "positive", "negative"))}
    data = read({"id": list(range(len(images))), "image": list(images)}, pairs=triplets)
    begun = outset(data, QUICK.but(loss="triplet"))
    assert begun.calibrating is not None
    assert 2 * 3 <= len(begun.calibrating) <= 10 * 3
