"""A trained encoder, or those of two branches, in 8-bit integers: a quarter of the size, and faster on a processor.

Weights are rounded once, what flows between them as it comes (ONNX Runtime's dynamic quantisation). Knows ONNX files.
"""

from __future__ import annotations

import logging
import tempfile
from dataclasses import replace
from pathlib import Path

import onnx
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic

from gemel.errors import ModelError
from gemel.siamese import Siamese
from gemel.siamese.branches import BranchEncoders
from gemel.siamese.onnx import OnnxEncoder

KINDS = ["MatMul", "Gemm", "LSTM", "Gather"]
"""Operators whose weights are rounded; ONNX Runtime's convolutions of integers are slower than those of floats."""


def quantized(twin: Siamese) -> Siamese:
    """The same twin with an encoder in int8, and with its pair head; without a decision, for distances are others.

    Weights take seven bits, so that processors without instructions for int8 do not overflow and agree with the rest.
    Of two branches, one that has nothing to round stays as it is.

    Args:
        twin: its encoder, or that of a branch, is mostly matrix products, as transformers and LSTMs are.

    Raises:
        ModelError: no encoder has anything to round, or they are rounded already.
    """
    if twin.method.precision == "int8":
        raise ModelError("This encoder is in int8 already.")
    encoder: OnnxEncoder | BranchEncoders | None
    if isinstance(twin.encoder, BranchEncoders):
        smaller = {name: _smaller(one) for name, one in twin.encoder.encoders.items()}
        whole = {name: found or twin.encoder.encoders[name] for name, found in smaller.items()}
        encoder = BranchEncoders(whole) if any(smaller.values()) else None
    elif isinstance(twin.encoder, OnnxEncoder):
        encoder = _smaller(twin.encoder)
    else:
        raise ModelError("int8 is for encoders, and this twin has no encoder: it compares vectors as they are.")
    if encoder is None:
        raise ModelError(
            "int8 would not make this encoder smaller or faster: convolutions and GRUs stay as they are, and so "
            "does what has few weights. It is meant for transformers and LSTMs."
        )
    method = replace(twin.method, precision="int8")
    return twin.but(encoder=encoder, method=method, decisions=(), gradings=())


def _smaller(encoder: OnnxEncoder) -> OnnxEncoder | None:
    """The encoder in int8; None where that gains nothing."""
    content = _rounded(encoder.content)
    return encoder.but(model=content) if _numbers(content) <= 0.7 * _numbers(encoder.content) else None


def _rounded(content: bytes) -> bytes:
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)  # it advises to prepare the model, which changes nothing here
    try:
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / "int8.onnx"
            quantize_dynamic(
                _folded(content, Path(place) / "folded.onnx"),
                file,
                op_types_to_quantize=KINDS,
                per_channel=True,
                reduce_range=True,
                weight_type=QuantType.QInt8,
            )
            return file.read_bytes()
    finally:
        root.setLevel(before)


def _folded(content: bytes, file: Path) -> Path:
    """With weights that are put together from others, as those of an LSTM, written as what they come to."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(file)
    onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return file


def _numbers(content: bytes) -> int:
    """Bytes of the weights."""
    return sum(weights.ByteSize() for weights in onnx.load_from_string(content).graph.initializer)
