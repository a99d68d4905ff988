"""Losses over pairs with scores, against plain loops over pairs, and over pairs of pairs."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from gemel.learn.distances import distance
from gemel.learn.losses import CoSENT, Pearson, Regression
from gemel.learn.losses.graded import Graded
from gemel.learn.losses.pearson import LEAST
from gemel.learn.relation import Relation, Side, SparsePairs
from tests.learn.loss_oracles import (
    N,
    embeddings,
    every_distance,
    exact,
    explicit,
    mean,
    reordered,
    value_and_gradient,
)


def regression(similarity: list[float], score: list[float], loss: Regression) -> float:
    return mean([(s - t) ** 2 for s, t in zip(similarity, score, strict=True)])


def cosent(similarity: list[float], score: list[float], loss: CoSENT) -> float:
    pairs = list(zip(similarity, score, strict=True))
    each = [math.exp((s - u) / loss.temperature) for s, t in pairs for u, v in pairs if t < v]
    return math.log(1 + sum(each))


def pearson(similarity: list[float], score: list[float], loss: Pearson) -> float:
    return 1 - float(np.corrcoef(similarity, score)[0, 1])


GRADED: dict[type[Graded], Callable[..., float]] = {Regression: regression, CoSENT: cosent, Pearson: pearson}
every_loss = pytest.mark.parametrize("make", GRADED)

SCORES = [(0, 1, 0.9), (0, 2, 0.1), (5, 3, 0.5), (4, 5, 1.0), (6, 7, 0.0), (8, 9, 0.5), (2, 9, 0.1), (3, 8, 0.7)]


def rectangle() -> Relation:
    side = Side(torch.arange(N), torch.zeros(N, dtype=torch.long))
    row, col, value = zip(*((i, j, s) for i, j, s in SCORES if i < 5), strict=True)
    return Relation(side[:5], side, SparsePairs(torch.tensor(row), torch.tensor(col), torch.tensor(value), graded=True))


def relations() -> dict[str, tuple[Relation, list[tuple[int, int, float]]]]:
    """Relations, and the pairs of each that count."""
    copies = Side(torch.tensor([0, 1, 2, 3, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13]), torch.arange(N))
    doubled = [*SCORES, (3, 4, 0.2), (7, 7, 0.3)]
    labels = [(i, j, float(s > 0.5)) for i, j, s in SCORES]
    return {
        "scores": (explicit(N, *SCORES, graded=True), SCORES),
        "copies": (Relation.within(copies, pairs=explicit(N, *doubled, graded=True).pairs), SCORES),
        "labels": (explicit(N, *labels), labels),
        "rectangle": (rectangle(), [(i, j, s) for i, j, s in SCORES if i < 5]),
    }


@every_loss
@every_distance
@pytest.mark.parametrize("which", relations())
def test_a_loss_is_its_definition(make: type[Graded], kernel: str, which: str) -> None:
    relation, counting = relations()[which]
    loss, cols = make(distance(kernel)), embeddings()
    rows = cols if relation.rows is relation.cols else cols[:5]
    d = exact(kernel, rows, cols)
    expected = GRADED[make]([1 - d[i, j] for i, j, _ in counting], [s for _, _, s in counting], loss)
    term = loss(rows, cols, relation)
    assert term.value.dtype == torch.float64
    assert term.value.item() == pytest.approx(expected, abs=1e-6 if which == "rectangle" else 1e-9)
    ordered = sum(s < t for _, _, s in counting for _, _, t in counting)
    assert term.counted == (ordered if make is CoSENT else len(counting))


def test_the_similarity_under_cosine_is_the_cosine() -> None:
    x = embeddings(2)
    value = Regression(distance("cosine"))(3 * x, 3 * x, explicit(2, (0, 1, 1.0), graded=True)).value
    assert value.item() == pytest.approx((float(x[0] @ x[1]) - 1) ** 2)


@every_loss
@every_distance
def test_gradients_are_those_of_the_value(make: type[Graded], kernel: str) -> None:
    loss, x = make(distance(kernel)), embeddings(dim=4, seed=3).requires_grad_()
    relation = relations()["copies"][0]
    assert torch.autograd.gradcheck(lambda x: loss(x, x, relation).value, (x,), eps=1e-7, atol=1e-5)
    across, rows = rectangle(), embeddings(5, 4, seed=5).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: loss(a, b, across).value, (rows, x), eps=1e-7, atol=1e-5)


@every_loss
@every_distance
def test_neither_the_order_of_rows_nor_of_pairs_matters(make: type[Graded], kernel: str) -> None:
    loss, x, relation = make(distance(kernel)), embeddings(), relations()["copies"][0]
    value, gradient = value_and_gradient(loss, x, relation)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(1))
    turned = reordered(relation, order)
    pairs = turned.pairs
    assert pairs is not None
    shuffled = torch.randperm(len(pairs.value), generator=torch.Generator().manual_seed(2))
    backwards = SparsePairs(pairs.col[shuffled], pairs.row[shuffled], pairs.value[shuffled], graded=True)
    again, moved = value_and_gradient(loss, x[order], Relation.within(turned.rows, pairs=backwards))
    assert again == pytest.approx(value, abs=1e-12)
    torch.testing.assert_close(moved, gradient[order], atol=1e-10, rtol=1e-9)


def nothing() -> dict[str, Relation]:
    side = Side(torch.arange(6), torch.zeros(6, dtype=torch.long))
    one = Side(torch.zeros(6, dtype=torch.long), torch.arange(6))
    return {
        "no pairs": Relation.within(side),
        "an empty list": Relation.within(
            side, pairs=SparsePairs(torch.arange(0), torch.arange(0), torch.rand(0), True)
        ),
        "copies of one item": Relation.within(one, pairs=explicit(6, (0, 1, 0.5), (2, 3, 0.1), graded=True).pairs),
        "one pair": explicit(6, (0, 1, 0.5), graded=True),
        "one score": explicit(6, (0, 1, 0.5), (2, 3, 0.5), graded=True),
    }


@every_loss
@every_distance
@pytest.mark.parametrize("which", nothing())
def test_what_does_not_count_is_zero_with_a_zero_gradient(make: type[Graded], kernel: str, which: str) -> None:
    loss, relation, x = make(distance(kernel)), nothing()[which], embeddings(6)
    value, gradient = value_and_gradient(loss, x, relation)
    if make is Regression and which.startswith("one"):
        assert value > 0
        return
    assert value == 0
    assert not gradient.any()
    assert loss(x, x, relation).counted == 0


@every_loss
@every_distance
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_degenerate_embeddings_are_finite(make: type[Graded], kernel: str, dtype: torch.dtype) -> None:
    x, relation = embeddings(dtype=torch.float32), relations()["scores"][0]
    for case in (x[:1].expand(N, 6), 0 * x, x.index_fill(0, torch.tensor(0), 0), 1e4 * x, 1e-3 * x):
        value, gradient = value_and_gradient(make(distance(kernel)), case.to(dtype), relation)
        assert math.isfinite(value)
        assert torch.isfinite(gradient).all()


@every_loss
@every_distance
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_single(make: type[Graded], kernel: str, dtype: torch.dtype) -> None:
    loss, x, relation = make(distance(kernel)), embeddings(dtype=dtype), relations()["scores"][0]
    single, gradient = value_and_gradient(loss, x.float(), relation)
    half, coarse = value_and_gradient(loss, x, relation)
    assert half == pytest.approx(single, abs=1e-6)
    torch.testing.assert_close(coarse.float(), gradient, atol=1e-2, rtol=2e-2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert loss(x.float(), x.float(), relation).value.item() == pytest.approx(single, abs=1e-6)


def test_cosent_of_many_pairs_is_the_sum_over_all_pairs_of_pairs() -> None:
    generator = torch.Generator().manual_seed(0)
    similarity = torch.rand(700, generator=generator, dtype=torch.float64).requires_grad_()
    score = torch.randint(0, 9, (700,), generator=generator) / 8.0
    term = CoSENT(distance("cosine"), temperature=0.01).cost(similarity, score.double())
    wrong = ((similarity[:, None] - similarity) / 0.01).masked_fill(score[:, None] >= score, -math.inf)
    expected = torch.nn.functional.softplus(wrong.flatten().logsumexp(0))
    assert term.value.item() == pytest.approx(expected.item(), abs=1e-9)
    assert term.counted == int((score[:, None] < score).sum())
    got, wanted = (torch.autograd.grad(value, similarity)[0] for value in (term.value, expected))
    torch.testing.assert_close(got, wanted, atol=1e-9, rtol=1e-9)


def test_cosent_neither_overflows_nor_forgets_what_is_in_order() -> None:
    similarity = torch.tensor([-1.0, 1.0, 0.0, 0.5]).requires_grad_()
    loss = CoSENT(distance("cosine"), temperature=1e-3)
    wrong = loss.cost(similarity, torch.tensor([1.0, 0.0, 0.5, 0.5])).value
    assert wrong.item() == pytest.approx(2000)
    assert torch.isfinite(torch.autograd.grad(wrong, similarity)[0]).all()
    right = loss.cost(similarity, torch.tensor([0.0, 1.0, 0.5, 0.5])).value
    assert right.item() == 0
    assert torch.isfinite(torch.autograd.grad(right, similarity)[0]).all()


def test_pearson_of_all_but_equal_similarities_has_a_bounded_gradient() -> None:
    similarity = (1 + 1e-7 * torch.randn(8, generator=torch.Generator().manual_seed(0))).requires_grad_()
    term = Pearson(distance("cosine")).cost(similarity, torch.linspace(0, 1, 8))
    (gradient,) = torch.autograd.grad(term.value, similarity)
    assert gradient.any()
    assert gradient.abs().max() < 1 / LEAST


@pytest.mark.parametrize("slope", [2.0, -0.5])
def test_pearson_is_blind_to_level_and_spread(slope: float) -> None:
    score: Tensor = torch.tensor([0.0, 0.3, 0.4, 1.0], dtype=torch.float64)
    term = Pearson(distance("cosine")).cost(0.1 + slope * score, score)
    assert term.value.item() == pytest.approx(0 if slope > 0 else 2)
