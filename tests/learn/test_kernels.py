"""The differentiable distances: precision, gradients, and what happens at zero."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from gemel import distances
from gemel.learn.distances import DISTANCES, distance

every = pytest.mark.parametrize("name", DISTANCES)


def draw(n: int, dim: int = 5, seed: int = 0) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@every
@pytest.mark.parametrize(("given", "computed"), [
    (torch.float64, torch.float64), (torch.float32, torch.float32),
    (torch.bfloat16, torch.float32), (torch.float16, torch.float32),
])  # fmt: skip
def test_at_least_single_precision(name: str, given: torch.dtype, computed: torch.dtype) -> None:
    a = draw(4).to(given)
    for context in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=context):
            assert distance(name).matrix(a, a).dtype == computed
            assert distance(name).paired(a, a).dtype == computed


@every
def test_mixed_precision_changes_no_digit(name: str) -> None:
    a, b = draw(6).float(), draw(4, seed=1).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = distance(name).matrix(a, b), distance(name).paired(a[:4], b)
    assert torch.equal(mixed[0], distance(name).matrix(a, b))
    assert torch.equal(mixed[1], distance(name).paired(a[:4], b))


@every
def test_gradients(name: str) -> None:
    a, b = draw(4).requires_grad_(), draw(3, seed=1).requires_grad_()
    d = distance(name)
    assert torch.autograd.gradcheck(d.matrix, (a, b))
    assert torch.autograd.gradcheck(d.paired, (a[:3].detach().requires_grad_(), b))
    weight = draw(4, 4, seed=2).fill_diagonal_(0)  # the diagonal has no derivative
    assert torch.autograd.gradcheck(lambda a: (d.matrix(a, a) * weight).sum(), (a,))


@every
@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_one_side_equals_two_equal_sides(name: str, n: int) -> None:
    a = draw(n).requires_grad_()
    one, two = distance(name).matrix(a, a), distance(name).matrix(a, a.clone())
    torch.testing.assert_close(one, two, atol=1e-7, rtol=0)
    weight = draw(n, n, seed=1).fill_diagonal_(0) if n else draw(0, 0)
    gradients = [torch.autograd.grad((matrix * weight).sum(), a)[0] for matrix in (one, two)]
    torch.testing.assert_close(*gradients)


@every
def test_a_tight_crowd_keeps_its_digits(name: str) -> None:
    """Embeddings of an untrained or collapsed network: all but equal, and what differs must steer the gradient."""
    crowd = draw(1, 64) + 1e-3 * draw(20, 64, seed=1)
    matrix = distance(name).matrix(crowd.float(), crowd.float()).double()
    expected = distance(name).matrix(crowd, crowd)
    apart = ~torch.eye(20, dtype=torch.bool)
    floor = 1e-6 if name == "cosine" else 0.0
    torch.testing.assert_close(matrix[apart], expected[apart], rtol=1e-3, atol=floor)


@every
def test_a_zero_vector_is_where_numpy_says_and_has_no_pull(name: str) -> None:
    a, b = draw(3).float(), draw(3, seed=1).float()
    a[0], a[1], b[1] = 0, 0, 0
    exact = distances.distance(name)
    np.testing.assert_allclose(distance(name).paired(a, b).numpy(), exact.paired(a.numpy(), b.numpy()), atol=1e-6)
    np.testing.assert_allclose(distance(name).matrix(a, b).numpy(), exact.matrix(a.numpy(), b.numpy()), atol=1e-5)
    a.requires_grad_()
    (distance(name).matrix(a, b).sum() + distance(name).paired(a, b).sum()).backward()
    assert a.grad is not None
    assert a.grad.abs().max() < 100
    if name == "cosine":
        assert not a.grad[0].any()
