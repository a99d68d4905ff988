"""Laws of every distance, and that its kernels agree with its definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gemel import distances
from gemel.errors import RecipeError
from gemel.learn import distances as differentiable

NAMES = list(distances.DISTANCES)


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(7, 5)), rng.normal(size=(4, 5))


def brute_force(name: str, a: np.ndarray, b: np.ndarray) -> float:
    if name == "euclidean":
        return sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) ** 0.5
    if name == "manhattan":
        return sum(abs(x - y) for x, y in zip(a, b, strict=True))
    return 1 - (a @ b) / (a @ a) ** 0.5 / (b @ b) ** 0.5


@pytest.mark.parametrize("name", NAMES)
def test_paired_and_matrix_are_the_definition(name: str, rows: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = rows
    d = distances.distance(name)
    expected = np.array([[brute_force(name, x, y) for y in b] for x in a])
    np.testing.assert_allclose(d.matrix(a, b), expected, rtol=1e-9)
    np.testing.assert_allclose(d.paired(a[:4], b), np.diag(expected[:4]), rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
def test_an_item_is_at_distance_zero_from_itself(name: str, dtype: type) -> None:
    a = (np.random.default_rng(1).normal(size=(50, 64)) * 30).astype(dtype)
    assert np.abs(distances.distance(name).paired(a, a)).max() <= 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_typical_is_the_distance_of_random_unit_vectors(name: str) -> None:
    a = np.random.default_rng(2).normal(size=(400, 128))
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    d = distances.distance(name)
    assert d.matrix(a[:200], a[200:]).mean() == pytest.approx(d.typical(128), rel=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_blocks_do_not_change_the_matrix(name: str, rows: tuple[np.ndarray, np.ndarray], monkeypatch) -> None:
    whole = distances.distance(name).matrix(*rows)
    monkeypatch.setattr(distances, "BLOCK", 1)
    np.testing.assert_array_equal(distances.distance(name).matrix(*rows), whole)


@pytest.mark.parametrize("name", NAMES)
def test_pytorch_agrees_with_numpy(name: str, rows: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = (torch.tensor(x, dtype=torch.float32) for x in rows)
    exact, kernel = distances.distance(name), differentiable.distance(name)
    np.testing.assert_allclose(kernel.matrix(a, b).numpy(), exact.matrix(*rows), atol=1e-5)
    np.testing.assert_allclose(kernel.paired(a[:4], b).numpy(), exact.paired(rows[0][:4], rows[1]), atol=1e-5)
    assert kernel.typical(9) == exact.typical(9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_gradients_are_finite_for_identical_rows(name: str, dtype: torch.dtype) -> None:
    a = torch.randn(6, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
    a[3] = a[2]
    a.requires_grad_()
    d = differentiable.distance(name)
    (d.matrix(a, a).sum() + d.paired(a, a.detach()).sum()).backward()
    assert a.grad is not None
    assert torch.isfinite(a.grad).all()


def test_an_unknown_distance_names_the_others() -> None:
    with pytest.raises(RecipeError, match="euclidean, manhattan, cosine"):
        distances.distance("hamming")
