"""Exporting leaves the encoder alone, writes the same bytes for the same weights, and proves agreement."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from gemel.errors import ModelError
from gemel.learn.encoders.conv import conv
from gemel.learn.encoders.dense import dense
from gemel.learn.encoders.encoder import Backbone, Encoder, Head
from gemel.learn.export import OPSET, export


@pytest.fixture
def encoder() -> Encoder:
    torch.manual_seed(0)
    return Encoder(conv(1, size=(12, 9), width=8, depth=2), Head(64, 6, dropout=0.5, weighted=True))


def test_the_encoder_is_not_touched(encoder: Encoder, tmp_path: Path) -> None:
    encoder.train()
    encoder.backbone.blocks[0].eval()
    encoder.head.linear.weight.requires_grad_(False)
    modes = [module.training for module in encoder.modules()]
    grads = [parameter.requires_grad for parameter in encoder.parameters()]
    weights = copy.deepcopy(encoder.state_dict())
    export(encoder, tmp_path / "encoder.onnx")
    assert [module.training for module in encoder.modules()] == modes
    assert [parameter.requires_grad for parameter in encoder.parameters()] == grads
    torch.testing.assert_close(encoder.state_dict(), weights, rtol=0, atol=0)


def test_the_same_weights_give_the_same_bytes_and_name_no_source_file(encoder: Encoder, tmp_path: Path) -> None:
    export(encoder, tmp_path / "a.onnx")
    export(encoder, tmp_path / "b.onnx", check=False)
    model = (tmp_path / "a.onnx").read_bytes()
    assert model == (tmp_path / "b.onnx").read_bytes()
    assert b".py" not in model


def test_one_file_with_named_ends_a_dynamic_batch_and_the_stated_opset(encoder: Encoder, tmp_path: Path) -> None:
    export(encoder, tmp_path / "encoder.onnx")
    model = onnx.load(tmp_path / "encoder.onnx", load_external_data=False)
    onnx.checker.check_model(model)
    assert [opset.version for opset in model.opset_import if opset.domain == ""] == [OPSET]
    session = onnxruntime.InferenceSession(tmp_path / "encoder.onnx")
    (image,), (embedding,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.shape[1:]) == ("image", [1, 12, 9])
    assert (embedding.name, embedding.shape[1:]) == ("embeddings", [6])
    assert list(tmp_path.iterdir()) == [tmp_path / "encoder.onnx"]


def test_nothing_is_printed(encoder: Encoder, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    export(encoder, tmp_path / "encoder.onnx")
    assert capfd.readouterr() == ("", "")


def test_onnx_agrees_with_the_network_in_use(encoder: Encoder, tmp_path: Path) -> None:
    export(encoder, tmp_path / "encoder.onnx", check=False)
    session = onnxruntime.InferenceSession(tmp_path / "encoder.onnx")
    for batch in (1, 2, 3, 64):
        inputs = encoder.example(batch, seed=2)
        (found,) = session.run(None, {name: array.numpy() for name, array in inputs.items()})
        np.testing.assert_allclose(found, encoder.eval()(**inputs).detach().numpy(), atol=1e-5)


def test_mixed_precision_weights_are_exported_in_full(tmp_path: Path) -> None:
    encoder = Encoder(dense(4, width=8), Head(8, 3)).bfloat16()
    agreement = export(encoder, tmp_path / "encoder.onnx")
    assert agreement is not None
    assert agreement.difference <= 1e-5
    assert encoder.head.linear.weight.dtype == torch.bfloat16


class Neighbourly(Backbone):
    """A backbone that looks at the rest of the batch, as one left in training mode does."""

    def __init__(self) -> None:
        super().__init__(4, {"vector": (4,)})
        self.linear = nn.Linear(4, 4)

    def forward(self, vector: Tensor) -> Tensor:
        return self.linear(vector - vector.mean(0))


def test_an_embedding_that_depends_on_its_neighbours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="should agree"):
        export(Encoder(Neighbourly(), Head(4, 3)), tmp_path / "encoder.onnx")
    assert not list(tmp_path.iterdir())


class Unwritable(Neighbourly):
    """A backbone with an operation that ONNX does not have."""

    def forward(self, vector: Tensor) -> Tensor:
        return self.linear(vector).cholesky_inverse()


def test_a_network_that_onnx_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="can be written as ONNX is expected"):
        export(Encoder(Unwritable(), Head(4, 3)), tmp_path / "encoder.onnx")


def test_more_than_one_file_holds_is_refused_before_it_is_tried(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gemel.learn.export.LARGEST_FILE", 1000)
    with pytest.raises(ModelError, match="at most 2 GB"):
        export(encoder, tmp_path / "encoder.onnx")
