"""A trained encoder in 8-bit integers: a quarter of the size, and faster on a processor.

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
from gemel.siamese.onnx import OnnxEncoder

KINDS = ["MatMul", "Gemm", "LSTM", "Gather"]
"""Operators whose weights are rounded; ONNX Runtime's convolutions of integers are slower than those of floats."""


def quantized(twin: Siamese) -> Siamese:
    """The same twin with an encoder in int8, and with its pair head; without a decision, for distances are others.

    Weights take seven bits, so that processors without instructions for int8 do not overflow and agree with the rest.

    Args:
        twin: its encoder is mostly matrix products, as transformers and LSTMs are.

    Raises:
        ModelError: the encoder has nothing to round, or is rounded already.
    """
    if not isinstance(twin.encoder, OnnxEncoder):
        reason = "has two branches" if twin.method.branches else "compares vectors as they are"
        raise ModelError(
            f"int8 is for a twin of one encoder, and there is no encoder of both sides: this one {reason}."
        )
    if twin.method.precision == "int8":
        raise ModelError("This encoder is in int8 already.")
    content = _rounded(twin.encoder.content)
    if _numbers(content) > 0.7 * _numbers(twin.encoder.content):
        raise ModelError(
            "int8 would not make this encoder smaller or faster: convolutions and GRUs stay as they are. It is meant "
            "for transformers and LSTMs."
        )
    encoder = twin.encoder.but(model=content)
    method = replace(twin.method, precision="int8")
    return twin.but(encoder=encoder, method=method, decisions=(), gradings=())


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
