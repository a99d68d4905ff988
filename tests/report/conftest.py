"""Small twins with reports on them: pictures and vectors, calibrated elsewhere, here, and not at all."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from gemel.items import Collection, ImageModality, Labels, VectorModality
from gemel.report import write_report
from gemel.siamese import Siamese

SIDE = 12
NASTY = "<script>alert('x')</script> & \"co\""
"""The name of the first identity."""


@dataclass(frozen=True)
class Case:
    """A twin, what it was judged on, and the page about it."""

    twin: Siamese
    data: Collection
    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def page(self) -> ET.Element:
        return ET.fromstring(self.text.removeprefix("<!DOCTYPE html>\n"))

    @property
    def words(self) -> str:
        return " ".join("".join(self.page.itertext()).split())


def named(codes: np.ndarray, start: int = 0) -> Labels:
    names = [NASTY if start + k == 0 else f"who {start + k}" for k in range(int(codes.max()) + 1)]
    return Labels(codes, names)


def pictures(identities: int, items: int, *, start: int = 0) -> Collection:
    """A pattern per identity, under noise, laid out one item after the other."""
    rng = np.random.default_rng(start)
    codes = np.repeat(np.arange(identities), items)
    patterns = rng.uniform(60, 200, (identities, SIDE, SIDE))
    images = np.clip(patterns[codes] + rng.normal(0, 45, (len(codes), SIDE, SIDE)), 0, 255).astype(np.uint8)
    modality = ImageModality(height=SIDE, width=SIDE, channels=1)
    names = [f"{start + code}/<b>{i}.png" for i, code in enumerate(codes)]
    return Collection(modality, list(images), np.arange(len(codes)), identity=named(codes, start), names=names)


def vectors(identities: int, items: int, *, start: int = 0, noise: float = 0.8) -> Collection:
    rng = np.random.default_rng(start)
    codes = np.repeat(np.arange(identities), items)
    rows = rng.normal(size=(identities, 8))[codes] + noise * rng.normal(size=(len(codes), 8))
    return Collection(
        VectorModality(8), list(rows.astype(np.float32)), np.arange(len(codes)), identity=named(codes, start)
    )


def flat_pixels() -> Siamese:
    """The pixels themselves as an embedding, through ONNX."""
    shape = ["n", 1, SIDE, SIDE]
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["image"], ["embedding"], axis=1)],
        "flat",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", SIDE * SIDE])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    modality = ImageModality(height=SIDE, width=SIDE, channels=1)
    return Siamese.from_onnx(model.SerializeToString(), modality=modality, distance="euclidean", threads=1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="session")
def images(folder: Path) -> Case:
    """A picture twin, calibrated on other identities."""
    twin, data = flat_pixels().calibrate(pictures(30, 4, start=100)), pictures(25, 5)
    return Case(twin, data, write_report(folder / "images.report.html", twin, data))


@pytest.fixture(scope="session")
def nameless(images: Case, folder: Path) -> Case:
    """The same without pictures."""
    path = write_report(folder / "names.report.html", images.twin, images.data, pictures=False)
    return Case(images.twin, images.data, path)


@pytest.fixture(scope="session")
def plain(folder: Path) -> Case:
    """A vector twin, calibrated on other identities."""
    twin, data = Siamese.from_vectors(8).calibrate(vectors(30, 4, start=100)), vectors(25, 5)
    return Case(twin, data, write_report(folder / "plain.report.html", twin, data))


@pytest.fixture(scope="session")
def own(folder: Path) -> Case:
    """A vector twin, reported on the identities that it was calibrated on, as after training."""
    data = vectors(30, 4)
    twin = Siamese.from_vectors(8).calibrate(data)
    return Case(twin, data, write_report(folder / "own.report.html", twin, data))


@pytest.fixture(params=["images", "nameless", "plain", "own"])
def case(request: pytest.FixtureRequest) -> Case:
    return request.getfixturevalue(request.param)
