"""The public face: which names there are, and what using them does not import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gemel
from gemel.errors import MissingExtra
from gemel.siamese.fitting import fit_decision

NAMES = """
__version__ Collection Cosine DataError Decision Duplicates Embedded Embeddings Enrolled EnrolledAll Euclidean
Evaluation Gallery
GalleryError GemelError Grading Hit ImageModality Labels Manhattan Match Method MissingExtra ModelError NotCalibrated
NotEnoughData NotEnrolled OperatingPoint Overlap Pairs Recipe RecipeError SeriesModality Siamese TextModality TooManyBad
TrainingFailed Triplets Twice UnreadableItem VectorModality Verdict duplicates evaluate grade read split train
""".split()

HEAVY = (
    "torch lightning scipy sklearn pyarrow pydantic pandas onnx matplotlib transformers safetensors rich typer".split()
)


def test_the_list() -> None:
    assert sorted(gemel.__all__) == sorted(NAMES)
    assert set(NAMES) <= set(dir(gemel))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "train"])
def test_every_name_is_there(name: str) -> None:
    assert getattr(gemel, name) is not None


def test_train_needs_the_learning_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(vars(gemel), "train", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"pip install 'gemel\[train\]'"):
        _ = gemel.train


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = gemel.trian  # type: ignore[attr-defined]


def run(code: str, *arguments: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.split()


def test_importing_gemel_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import gemel; print(*sorted(set(sys.modules) - before))"
    assert {name.partition(".")[0] for name in run(code)} <= {"gemel"} | set(sys.stdlib_module_names)
    assert "numpy" not in run(code)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    from tests.siamese.conftest import linear

    weight = np.random.default_rng(0).normal(size=(144, 5)).astype(np.float32)
    modality = gemel.ImageModality(height=12, width=12, channels=1)
    twin = gemel.Siamese.from_onnx(linear(weight), modality=modality)
    identity = np.repeat(np.arange(10), 3)
    a, b = np.triu_indices(30, 1)
    same = identity[a] == identity[b]
    far = np.where(same, 0.2, 0.8) + np.random.default_rng(1).normal(size=len(a)) / 20
    decision = fit_decision(far, same, identity[a], identity[b], method=twin.method)
    return twin.but(decisions=(decision,)).save(tmp_path / "m.gemel")


def test_a_verdict_and_a_gallery_import_nothing_heavy(model: Path, tmp_path: Path) -> None:
    for name in "ab":
        pixels = np.random.default_rng(ord(name)).integers(0, 255, size=(105, 105))
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{name}.png")
    code = """
import sys
import gemel
twin = gemel.Siamese.load(sys.argv[1])
verdict = twin.verify(sys.argv[2], sys.argv[3])
gallery = gemel.Gallery(twin=twin)
gallery.enroll("a", sys.argv[2])
assert gallery.search(sys.argv[2])[0].identity == "a"
gemel.read([sys.argv[2]] * 2, labels=["x", "x"])
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
    loaded = run(code, str(model), str(tmp_path / "a.png"), str(tmp_path / "b.png"))
    assert "onnxruntime" in loaded
    assert not set(HEAVY) & set(loaded)


def test_no_name_is_that_of_a_module() -> None:
    """Or whoever imports the module would turn the name into it."""
    import gemel.measure
    import gemel.siamese

    for package in (gemel, gemel.siamese, gemel.measure):
        modules = {path.stem for path in Path(str(package.__file__)).parent.iterdir()}
        assert not modules & set(package.__all__)
