"""The encoder in ONNX: equal to what it was made from, and clear when it cannot be used."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest
from onnx import TensorProto

from gemel.errors import ModelError
from gemel.siamese.onnx import OnnxEncoder, Verbatim

Make = Callable[..., bytes]


def some(n: int) -> np.ndarray:
    return np.random.default_rng(n).normal(size=(n, 1, 12, 12)).astype(np.float32)


def test_it_computes_what_the_network_computes(make_onnx: Make, weight: np.ndarray) -> None:
    x = some(7)
    np.testing.assert_allclose(OnnxEncoder(make_onnx(weight))({"image": x}), x.reshape(7, -1) @ weight, atol=1e-5)


@pytest.mark.parametrize("n", [1, 4, 6, 9])
def test_a_file_of_a_fixed_batch_takes_any_number(make_onnx: Make, weight: np.ndarray, n: int) -> None:
    fixed, free = OnnxEncoder(make_onnx(weight, rows=4)), OnnxEncoder(make_onnx(weight))
    np.testing.assert_allclose(fixed({"image": some(n)}), free({"image": some(n)}), atol=1e-6)


def test_half_precision_comes_back_as_float32(make_onnx: Make, weight: np.ndarray) -> None:
    out = OnnxEncoder(make_onnx(weight, kind=TensorProto.FLOAT16))({"image": some(3)})
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, some(3).reshape(3, -1) @ weight, atol=2e-2)


def test_one_array_finds_the_one_input_whatever_it_is_called(make_onnx: Make, weight: np.ndarray) -> None:
    encoder = OnnxEncoder(make_onnx(weight))
    np.testing.assert_array_equal(encoder({"pixels": some(2)}), encoder({"image": some(2)}))


def test_two_arrays_need_names_that_fit(make_onnx: Make, weight: np.ndarray) -> None:
    arrays = {"picture": some(2), "mask": some(2)}
    with pytest.raises(ModelError, match=r"needs the input 'image'.*mask, picture.*inputs="):
        OnnxEncoder(make_onnx(weight))(arrays)
    mapped = OnnxEncoder(make_onnx(weight), inputs={"picture": "image"})
    assert mapped(arrays).shape == (2, 5)
    assert mapped.sha256 != OnnxEncoder(make_onnx(weight)).sha256


def test_a_copy_sent_elsewhere_gives_the_same(make_onnx: Make, weight: np.ndarray) -> None:
    encoder = OnnxEncoder(make_onnx(weight))
    before = encoder({"image": some(3)})
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(encoder))({"image": some(3)}), before)


@pytest.mark.parametrize("damage", [b"", b"not onnx at all", "cut"])
def test_a_damaged_file_is_named_and_nothing_is_logged(
    make_onnx: Make, weight: np.ndarray, damage: bytes | str, capfd: pytest.CaptureFixture[str]
) -> None:
    content = make_onnx(weight)[:-700] if isinstance(damage, str) else damage
    with pytest.raises(ModelError, match="not an ONNX file that ONNX Runtime can open"):
        OnnxEncoder(content)({"image": some(1)})
    assert capfd.readouterr() == ("", "")


def test_a_wrong_shape_says_which(make_onnx: Make, weight: np.ndarray, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelError, match=r"image float32\[2, 1, 9, 9\]"):
        OnnxEncoder(make_onnx(weight))({"image": np.zeros((2, 1, 9, 9), np.float32)})
    assert capfd.readouterr() == ("", "")


def test_what_does_not_exist_is_refused_with_what_does(make_onnx: Make, weight: np.ndarray) -> None:
    with pytest.raises(ModelError, match="no output 'logits'; it has embedding"):
        OnnxEncoder(make_onnx(weight), output="logits")({"image": some(1)})
    with pytest.raises(ModelError, match=r"no NoSuchProvider here; choose from .*CPU"):
        OnnxEncoder(make_onnx(weight), providers=["NoSuchProvider"])({"image": some(1)})
    with pytest.raises(ModelError, match="cannot be read"):
        OnnxEncoder("nowhere.onnx")


def test_plain_vectors_pass_through() -> None:
    x = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_array_equal(Verbatim()({"vector": x}), x.astype(np.float32))
