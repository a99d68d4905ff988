"""A run that is killed and goes on, beside one that is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from gemel.items import Collection
from gemel.learn.fit import fit
from gemel.learn.outset import Outset, outset
from gemel.learn.train import resumed
from gemel.recipe import Recipe


class StopAt(pl.Callback):
    """Kills the run after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            raise RuntimeError("killed")


def weights_of(begun: Outset) -> dict[str, torch.Tensor]:
    return {name: x.clone() for name, x in begun.learner.state_dict().items()}


def assert_equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


def assert_resumes(data: Callable[[], Collection], recipe: Recipe, step: int, folder: Path) -> Outset:
    """A run killed after a step comes to the weights of one that was not, which is returned."""
    whole = outset(data(), recipe)
    fit(whole, folder / "whole", progress=False)
    killed = outset(data(), recipe)
    with pytest.raises(RuntimeError, match="killed"):
        fit(killed, folder / "parts", [StopAt(step)], progress=False)
    (folder / "parts" / "recipe.toml").write_text(killed.recipe.toml(), encoding="utf-8")
    again = outset(data(), resumed(folder / "parts", recipe))
    fit(again, folder / "parts", resume=True, progress=False)
    assert_equal(weights_of(whole), weights_of(again))
    return whole


def assert_was_told(begun: Outset) -> None:
    """Its batches got tables on the way."""
    assert begun.learner.steps.told is not None
    assert begun.learner.steps.told.tables.state_dict()["starts"]
