"""A tiny encoder in ONNX, images of a few identities, and twins made from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from gemel.items import Collection, ImageModality, read
from gemel.siamese import Siamese

SIDE, DIM = 12, 5


def linear(weight: np.ndarray, *, rows: int | str = "n", kind: int = TensorProto.FLOAT) -> bytes:
    """An encoder that multiplies the flattened image with a matrix."""
    shape = [rows, 1, SIDE, SIDE]
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["image"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["embedding"])],
        "linear",
        [helper.make_tensor_value_info("image", kind, shape)],
        [helper.make_tensor_value_info("embedding", kind, [rows, weight.shape[1]])],
        [numpy_helper.from_array(weight.astype(dtype), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return model.SerializeToString()


@pytest.fixture(scope="session")
def weight() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(SIDE * SIDE, DIM)).astype(np.float32) / SIDE


@pytest.fixture(scope="session")
def make_onnx() -> Callable[..., bytes]:
    return linear


@pytest.fixture(scope="session")
def twin(weight: np.ndarray) -> Siamese:
    modality = ImageModality(height=SIDE, width=SIDE, channels=1)
    return Siamese.from_onnx(linear(weight), modality=modality, distance="euclidean")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 identities of 4 images each: a pattern, and noise on it."""
    root, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(1)
    for identity in range(24):
        place = root / f"p{identity:02}"
        place.mkdir()
        pattern = rng.integers(40, 215, size=(SIDE, SIDE))
        for item in range(4):
            noisy = np.clip(pattern + rng.integers(-40, 40, size=pattern.shape), 0, 255)
            Image.fromarray(noisy.astype(np.uint8)).save(place / f"{item}.png")
    return root


@pytest.fixture(scope="session")
def images(folder: Path) -> Collection:
    return read(folder)


@pytest.fixture(scope="session")
def calibrated(twin: Siamese, images: Collection) -> Siamese:
    """The twin, calibrated on the first half of the identities."""
    return twin.calibrate(half(images, first=True))


def half(data: Collection, *, first: bool) -> Collection:
    assert data.identity is not None
    return data.take((data.identity.codes < 12) == first)


@pytest.fixture(scope="session")
def other_half(images: Collection) -> Collection:
    return half(images, first=False)
