"""Each fault, planted, gives its sentence; clean runs give none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gemel.errors import TrainingFailed
from gemel.learn.diagnose import Diagnose, worse_than_raw
from gemel.learn.fit import fit
from gemel.learn.losses import Term
from gemel.learn.outset import Outset, outset
from tests.learn.patterns import QUICK, collection


def findings(begun: Outset, folder: Path) -> dict[str, str]:
    said: list[str] = []
    watch = Diagnose(said.append)
    fit(begun, folder, [watch], progress=False)
    assert list(watch.findings.values()) == said
    return watch.findings


@pytest.mark.parametrize("seed", range(10))
def test_clean_runs_say_nothing(seed: int, tmp_path: Path) -> None:
    loss = ("supcon", "contrastive", "triplet", "infonce", "bce")[seed % 5]
    begun = outset(collection(seed=seed), QUICK.but(seed=seed, loss=loss))
    assert findings(begun, tmp_path) == {}
    assert worse_than_raw(begun.learner) is None


def test_collapse(tmp_path: Path) -> None:
    begun = outset(collection(), QUICK)
    with torch.no_grad():
        last = begun.learner.encoder.head.linear
        last.weight.zero_()
        last.weight.requires_grad_(False)
        last.bias.fill_(1.0)
        last.bias.requires_grad_(False)
    assert "collapse" in findings(begun, tmp_path)


def test_dead_miner(tmp_path: Path) -> None:
    still = {"degrees": 0.0, "translate": 0.0, "scale": 0.0, "shear": 0.0}
    begun = outset(collection(noise=0.02, shift=0), QUICK.but(loss="triplet", margin=1e-6, **still))
    assert "dead miner" in findings(begun, tmp_path)


def test_all_easy(tmp_path: Path) -> None:
    begun = outset(collection(), QUICK)

    def easy(rows: torch.Tensor, cols: torch.Tensor, relation: object) -> Term:
        return Term((rows * 0).sum() + 1e-5, 8)

    begun.learner.loss.forward = easy
    assert "all easy" in findings(begun, tmp_path)


def test_one_class(tmp_path: Path) -> None:
    begun = outset(collection(), QUICK)
    begun.learner.steps.data.identity[:] = 0
    assert "one class" in findings(begun, tmp_path)


def test_worse_than_raw(tmp_path: Path) -> None:
    begun = outset(collection(noise=0.4, shift=0), QUICK.but(lr=1e-2))
    np.random.default_rng(0).shuffle(begun.learner.steps.data.identity)
    findings(begun, tmp_path)
    assert "training has not helped" in (worse_than_raw(begun.learner) or "")


class TestNaN:
    def test_in_the_weights(self, tmp_path: Path) -> None:
        begun = outset(collection(), QUICK)
        with torch.no_grad():
            next(begun.learner.encoder.parameters()).fill_(torch.nan)
        with pytest.raises(TrainingFailed, match=r"weights 'encoder\..*' are NaN"):
            findings(begun, tmp_path)

    def test_in_the_loss(self, tmp_path: Path) -> None:
        begun = outset(collection(), QUICK)
        begun.learner.loss.forward = lambda rows, cols, relation: Term(rows.sum() * torch.nan, 8)
        with pytest.raises(TrainingFailed, match="loss is NaN or infinite for finite embeddings"):
            findings(begun, tmp_path)

    def test_in_an_input_is_traced_to_its_item(self, tmp_path: Path) -> None:
        begun = outset(collection(), QUICK)
        prepared = begun.learner.steps.data.prepared

        def broken(rows: np.ndarray, rng: np.random.Generator, *, speed: float = 0.0) -> dict[str, torch.Tensor]:
            inputs = prepared(rows, rng, speed=speed)
            inputs["image"][2] = torch.nan
            return inputs

        object.__setattr__(begun.learner.steps.data, "prepared", broken)
        with pytest.raises(TrainingFailed, match="'image' holds NaN or infinity, in: "):
            findings(begun, tmp_path)
