"""Losses over two views of each item, against plain loops: SimCLR on distances, VICReg on coordinates."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from gemel.learn.distances import distance
from gemel.learn.losses import InfoNCE, Knows, Loss, SimCLR, VICReg
from gemel.learn.losses.vicreg import two_views
from gemel.learn.relation import Relation, Side, SparsePairs
from tests.learn.loss_oracles import embeddings, every_distance, exact, mean, reordered, value_and_gradient

ITEMS = 7
every_loss = pytest.mark.parametrize("make", [SimCLR, VICReg])


def views(items: int = ITEMS, each: int = 2) -> Relation:
    """Every item in so many views; the views of an item are not neighbours."""
    side = Side(torch.arange(items).repeat(each), torch.arange(each).repeat_interleave(items))
    return Relation.within(side, others="different")


def nt_xent(d: np.ndarray, temperature: float) -> float:
    """Equation 1 of the source, mean over both views of each of n items: row i + n is the other view of row i."""
    found, n = [], len(d) // 2
    for i in range(2 * n):
        e = [math.exp((1 - d[i, k]) / temperature) for k in range(2 * n)]
        found.append(-math.log(e[(i + n) % (2 * n)] / sum(e[k] for k in range(2 * n) if k != i)))
    return mean(found)


@every_distance
def test_simclr_is_its_definition(kernel: str) -> None:
    x, loss = embeddings(2 * ITEMS), SimCLR(distance(kernel), temperature=0.3)
    term = loss(x, x, views())
    assert term.value.item() == pytest.approx(nt_xent(exact(kernel, x, x), 0.3), abs=1e-9)
    assert term.counted == 2 * ITEMS


@pytest.mark.parametrize("twice", [False, True])
def test_simclr_looks_at_views_only(twice: bool) -> None:
    x, loss, relation = embeddings(2 * ITEMS), SimCLR(distance("cosine")), views()
    ids, view = relation.rows.ids, relation.rows.view
    named = Side(ids, view, identity=ids // 2, impostor_of=torch.full_like(ids, 2))
    pairs = SparsePairs(torch.tensor([0]), torch.tensor([1]), torch.tensor([1.0]))
    told = Relation(named, named[:] if twice else named, pairs)
    assert loss(x, x.clone() if twice else x, told).value.item() == pytest.approx(loss(x, x, relation).value.item())
    infonce = InfoNCE(distance("cosine"))
    assert infonce(x, x, relation).value == loss(x, x, relation).value != infonce(x, x, told).value
    assert loss.needs == {Knows.VIEWS}


def vicreg(a: np.ndarray, b: np.ndarray, loss: VICReg) -> float:
    """Equations 1 to 6 of the source, by loops, with coordinates in units of 1/√d and the mean over d in eq. 5."""
    n, d = a.shape
    a, b = a * math.sqrt(d), b * math.sqrt(d)
    value = loss.invariance * sum((a[i, j] - b[i, j]) ** 2 for i in range(n) for j in range(d)) / (n * d)
    for z in (a, b):
        centre = [sum(z[:, j]) / n for j in range(d)]
        spread = [
            [sum((z[i, j] - centre[j]) * (z[i, k] - centre[k]) for i in range(n)) / (n - 1) for k in range(d)]
            for j in range(d)
        ]
        value += loss.variance * sum(max(0.0, 1 - math.sqrt(spread[j][j] + 1e-4)) for j in range(d)) / d
        value += loss.covariance * sum(spread[j][k] ** 2 for j in range(d) for k in range(d) if j != k) / d
    return value


@pytest.mark.parametrize("weights", [(25.0, 25.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)])
@pytest.mark.parametrize("length", [0.5, 3.0])
def test_vicreg_is_its_definition(weights: tuple[float, float, float], length: float) -> None:
    invariance, variance, covariance = weights
    loss = VICReg(distance("cosine"), invariance=invariance, variance=variance, covariance=covariance)
    x = length * embeddings(2 * ITEMS)
    term = loss(x, x, views())
    assert term.value.item() == pytest.approx(vicreg(x[:ITEMS].numpy(), x[ITEMS:].numpy(), loss), abs=1e-9)
    assert term.counted == ITEMS


def test_two_views_are_the_first_two_and_copies_are_averaged() -> None:
    ids = torch.tensor([5, 5, 5, 8, 8, 2, 2, 2, 9])
    view = torch.tensor([3, 1, 7, 0, 0, 1, 0, 1, 4])
    x = embeddings(9)
    first, second = two_views(x, x, Relation.within(Side(ids, view)))
    torch.testing.assert_close(first, torch.stack([x[6], x[1]]))
    torch.testing.assert_close(second, torch.stack([(x[5] + x[7]) / 2, x[0]]))


def test_views_may_stand_on_two_sides() -> None:
    """Pictures and their captions: one view on each side."""
    x, loss, relation = embeddings(2 * ITEMS), VICReg(distance("cosine")), views()
    order = torch.randperm(ITEMS, generator=torch.Generator().manual_seed(1))
    across = Relation(relation.rows[:ITEMS], relation.cols[ITEMS:][order], others="different")
    assert loss(x[:ITEMS], x[ITEMS:][order], across).value.item() == pytest.approx(loss(x, x, relation).value.item())


@every_loss
@every_distance
def test_gradients_are_those_of_the_value(make: type[Loss], kernel: str) -> None:
    loss, relation = make(distance(kernel)), views(4)
    x = embeddings(8, 3, seed=3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(x, x, relation).value, (x,), eps=1e-7, atol=1e-5)


@every_loss
@every_distance
def test_a_batch_may_be_given_as_two_sides(make: type[Loss], kernel: str) -> None:
    loss, x, relation = make(distance(kernel)), embeddings(2 * ITEMS), views()
    twice = loss(x, x.clone(), Relation(relation.rows, relation.rows[:], others="different"))
    assert twice.value.item() == pytest.approx(loss(x, x, relation).value.item(), abs=1e-9)


@every_loss
@pytest.mark.parametrize("each", [2, 3])
def test_the_order_of_a_batch_does_not_matter(make: type[Loss], each: int) -> None:
    """Copies of an item in one view among them."""
    loss, relation = make(distance("cosine")), views(each=each)
    relation = reordered(relation, torch.cat([torch.arange(each * ITEMS), torch.tensor([0, 9])]))
    x = embeddings(each * ITEMS + 2)
    value, gradient = value_and_gradient(loss, x, relation)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(1))
    again, turned = value_and_gradient(loss, x[order], reordered(relation, order))
    assert again == pytest.approx(value, abs=1e-12)
    torch.testing.assert_close(turned, gradient[order], atol=1e-10, rtol=1e-9)


@every_loss
@pytest.mark.parametrize(
    "side",
    [
        Side(torch.arange(6), torch.zeros(6, dtype=torch.long)),
        Side(torch.zeros(6, dtype=torch.long), torch.zeros(6, dtype=torch.long)),
        Side(torch.zeros(2, dtype=torch.long), torch.arange(2)),
        Side(torch.zeros(1, dtype=torch.long), torch.arange(1)),
    ],
    ids=["one view each", "copies of one view", "one item", "one row"],
)
def test_what_does_not_count_is_zero_with_a_zero_gradient(make: type[Loss], side: Side) -> None:
    loss, relation, x = make(distance("cosine")), Relation.within(side, others="different"), embeddings(len(side))
    value, gradient = value_and_gradient(loss, x, relation)
    assert value == 0
    assert not gradient.any()
    assert loss(x, x, relation).counted == 0


def test_collapsed_embeddings_cost_their_lost_spread_and_are_pushed_apart_once_they_differ() -> None:
    loss, x = VICReg(distance("cosine")), embeddings(1).expand(2 * ITEMS, 6)
    value, gradient = value_and_gradient(loss, x, views())
    assert value == pytest.approx(2 * loss.variance * (1 - 0.01))
    assert not gradient.any()
    moved = x + 1e-3 * embeddings(2 * ITEMS)
    assert (value_and_gradient(loss, moved, views())[1] * (moved - moved.mean(0))).sum() < -1e-3


@every_loss
@every_distance
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_degenerate_embeddings_are_finite(make: type[Loss], kernel: str, dtype: torch.dtype) -> None:
    x: Tensor = embeddings(2 * ITEMS, dtype=torch.float32)
    cases = [x[:1].expand(2 * ITEMS, 6), 0 * x, x.index_fill(0, torch.tensor(0), 0), 1e-3 * x]
    if make is SimCLR or dtype != torch.float16:
        cases.append(1e4 * x)  # covariances of these are beyond what float16 can hold
    for case in cases:
        value, gradient = value_and_gradient(make(distance(kernel)), case.to(dtype), views())
        assert math.isfinite(value)
        assert torch.isfinite(gradient).all()


@every_loss
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_single(make: type[Loss], dtype: torch.dtype) -> None:
    loss, x = make(distance("cosine")), embeddings(2 * ITEMS, dtype=dtype)
    single, gradient = value_and_gradient(loss, x.float(), views())
    half, coarse = value_and_gradient(loss, x, views())
    assert half == pytest.approx(single, abs=1e-5)
    torch.testing.assert_close(coarse.float(), gradient, atol=1e-2, rtol=2e-2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert loss(x.float(), x.float(), views()).value.item() == pytest.approx(single, abs=1e-6)
