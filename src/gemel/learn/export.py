"""From a network to one ONNX file, and the proof that the two agree.

Knows encoders and ONNX; nothing of model folders, and nothing of how the encoder was trained.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from gemel.errors import ModelError
from gemel.learn.encoders.encoder import Encoder

if TYPE_CHECKING:
    from jaxtyping import Float

OPSET = 20
"""Version of the ONNX operators that are written; ONNX Runtime reads it since 1.17."""

OUTPUT = "embeddings"
"""Name of the one output, float32 [n, dim]; no operator is called so. The inputs are named as the encoder's."""

SIZES = (1, 2, 7)
"""Batch sizes at which the two are compared."""

TOLERANCE = 1e-4
"""Largest difference of one number of an embedding."""

LARGEST_FILE = 2**31 - 1
"""Bytes of one ONNX file: what its format, protocol buffers, can hold."""


@dataclass(frozen=True)
class Agreement:
    """How well ONNX Runtime and PyTorch agree.

    Attributes:
        difference: the largest absolute difference of one number of an embedding.
        sizes: the batch sizes compared.
    """

    difference: float
    sizes: tuple[int, ...]


def export(encoder: Encoder, path: str | Path, *, check: bool = True) -> Agreement | None:
    """Write the encoder, as used after training, to one ONNX file with a dynamic batch.

    A copy on the CPU in evaluation mode is exported: the encoder itself is not touched. The same
    weights give the same bytes. Nothing is written when the check fails.

    Args:
        encoder: the network.
        path: file to write.
        check: compare ONNX Runtime with PyTorch at batches of 1, 2 and 7 items.

    Returns:
        How well the two agree; None without the check.

    Raises:
        ModelError: the network cannot be exported, is too large, or the two disagree.
    """
    _refuse_huge(encoder)
    still = copy.deepcopy(encoder).cpu().float().eval()
    model = _onnx(still)
    agreement = _agreement(still, model) if check else None
    Path(path).write_bytes(model)
    return agreement


class _Positional(nn.Module):
    """The encoder with its inputs by position, as the exporter wants them."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.encoder(**dict(zip(self.encoder.inputs, inputs, strict=True)))


def _onnx(encoder: Encoder) -> bytes:
    """The serialised model; `encoder` is in evaluation mode on the CPU."""
    items = tuple(encoder.example(3).values())
    batch = torch.export.Dim("n", min=1)
    axes = [{0: batch} | _open_axes(shape, _length(name)) for name, shape in encoder.backbone.shapes.items()]
    return as_onnx(_Positional(encoder).eval(), items, list(encoder.inputs), OUTPUT, (tuple(axes),))


def as_onnx(network: nn.Module, example: tuple[Tensor, ...], inputs: list[str], output: str, axes: Any) -> bytes:
    """A network in evaluation mode on the CPU as ONNX; the same weights give the same bytes.

    Args:
        network: takes its inputs by position.
        example: inputs that it can be traced with.
        inputs, output: their names.
        axes: which axes of the inputs are of any length, as `torch.export` has it.
    """
    for operator in (torch.ops.aten.lstm.input, torch.ops.aten.gru.input):
        operator._dispatch_cache.clear()  # or the second export of a process unrolls them for one length
    with _silence(), torch.no_grad(), _said("torch.onnx.export"):
        program = torch.onnx.export(
            network,
            example,
            dynamo=True,
            opset_version=OPSET,
            input_names=inputs,
            output_names=[output],
            dynamic_shapes=axes,
            verbose=False,
        )
    assert program is not None  # always with dynamo=True
    return _serialised(program.model_proto)


def _length(name: str) -> Any:
    """How long items are: the same for all inputs, or, of records, for those of a field."""
    field = name.rpartition(".")[0]
    return torch.export.Dim("l" + "".join(letter if letter.isalnum() else "_" for letter in field), min=2)


def _open_axes(shape: tuple[int | None, ...], length: Any) -> dict[int, Any]:
    """The axes of any length, counted with the batch."""
    return {axis + 1: length for axis, size in enumerate(shape) if size is None}


def _refuse_huge(encoder: Encoder) -> None:
    size = 4 * sum(tensor.numel() for tensor in encoder.state_dict().values())
    if size > LARGEST_FILE:
        raise ModelError(
            f"One ONNX file holds at most 2 GB, and this encoder needs {size / 1e9:.1f} GB; choose a smaller one."
        )


def _serialised(model: Any) -> bytes:
    """The bytes of a model without the exporter's notes, which name source files of this machine."""
    graph = model.graph
    for part in [model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer]:
        part.doc_string = ""
        del part.metadata_props[:]
    return model.SerializeToString(deterministic=True)


def _agreement(encoder: Encoder, model: bytes) -> Agreement:
    """Compare; the last n of 7 items alone, without the padding that they do not need, must give what they give among
    the 7, so that neighbours do not matter."""
    inputs = encoder.example(max(SIZES), seed=1)
    with torch.no_grad():
        expected = encoder(**inputs).numpy()
    with _said("ONNX Runtime"):
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    difference = max(_difference(session, inputs, expected, n) for n in SIZES)
    if not difference <= TOLERANCE:
        raise ModelError(
            f"ONNX Runtime and PyTorch should agree to {TOLERANCE:g}, and differ by {difference:.2g} "
            f"at batches of {', '.join(map(str, SIZES))} items; this network cannot be exported as it is."
        )
    return Agreement(difference, SIZES)


def _difference(session: Any, inputs: dict[str, Tensor], expected: Float[np.ndarray, "m d"], n: int) -> float:
    some = {name: array[-n:].numpy() for name, array in inputs.items()}
    for mask in [name for name in some if name.endswith("attention_mask")]:
        longest, field = some[mask].sum(1).max(), mask.rpartition(".")[0]
        some |= {name: array[:, :longest] for name, array in some.items() if name.rpartition(".")[0] == field}
    try:
        (found,) = session.run([OUTPUT], some)
    except Exception as error:
        raise ModelError(f"This network was not exported for items of any length: {error}") from error
    return float(np.abs(found - expected[-n:]).max())


@contextlib.contextmanager
def _said(who: str) -> Iterator[None]:
    """Either may raise anything about a network with an operator it does not know."""
    try:
        yield
    except Exception as error:
        raise ModelError(
            f"A network that can be written as ONNX is expected, and {who} refuses this one: {error}"
        ) from error


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """The exporter warns of its own deprecations and of torchvision's absence; neither says anything of the model."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
