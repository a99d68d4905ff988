"""Encoders in ONNX, made by hand: projections, means and sums, with weights that depend on nothing but a seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

DIM = 16


def projection(shapes: Mapping[str, list[int]], width: int) -> bytes:
    """Inputs side by side as one row, projected."""
    nodes = [helper.make_node("Flatten", [name], [f"flat-{name}"]) for name in shapes]
    nodes += [helper.make_node("Concat", [f"flat-{name}" for name in shapes], ["row"], axis=1)]
    nodes += [helper.make_node("MatMul", ["row", "w"], ["embedding"])]
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", *shape]) for n, shape in shapes.items()]
    weight = np.random.default_rng(0).normal(size=(width, DIM)).astype(np.float32)
    return _model(nodes, inputs, DIM, {"w": weight - weight.mean(0)})


def mean(width: int) -> bytes:
    """The mean over time."""
    nodes = [helper.make_node("ReduceMean", ["series"], ["embedding"], axes=[1], keepdims=0)]
    return _model(nodes, [helper.make_tensor_value_info("series", TensorProto.FLOAT, ["n", "t", width])], width, {})


def words(pieces: int) -> bytes:
    """The sum of the pieces' own vectors."""
    nodes = [
        helper.make_node("Gather", ["w", "input_ids"], ["each"]),
        helper.make_node("Cast", ["attention_mask"], ["there"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["there", "last"], ["column"]),
        helper.make_node("Mul", ["each", "column"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "second"], ["embedding"], keepdims=0),
    ]
    weight = np.random.default_rng(0).normal(size=(pieces, 2 * DIM)).astype(np.float32)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "t"]) for name in ("input_ids", "attention_mask")
    ]
    axes = {"last": np.array([-1], np.int64), "second": np.array([1], np.int64)}
    return _model(nodes, inputs, 2 * DIM, {"w": weight, **axes})


def _model(nodes: list[Any], inputs: list[Any], width: int, constants: Mapping[str, np.ndarray]) -> bytes:
    out = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", width])
    kept = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "made", inputs, [out], kept)
    opset = helper.make_opsetid("", 17)
    return bytes(helper.make_model(graph, opset_imports=[opset], ir_version=9).SerializeToString())
