"""What losses of this field get wrong: margins that teach nothing, lone items, duplicates, half precision."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from gemel.learn.distances import Distance, distance
from gemel.learn.losses import NAMED, Knows, Loss, Term, build
from gemel.learn.losses.graded import Graded
from gemel.learn.losses.rowwise import Rowwise
from gemel.learn.losses.whole import Whole
from gemel.learn.relation import UNKNOWN, Relation, Side
from gemel.recipe import Facts, Recipe, choose
from tests.learn.loss_oracles import (
    BALANCED,
    LOSSES,
    OVER_PAIRS,
    PER_ANCHOR,
    N,
    codes,
    embeddings,
    every_distance,
    every_loss,
    knowing,
    relations,
    value_and_gradient,
)


class Spy(Distance):
    """Stands in for a loss's distance, and keeps what the loss asks of each pair: the gradient on their distances."""

    def __init__(self, loss: Rowwise, monkeypatch: pytest.MonkeyPatch) -> None:
        self.name, self.gradient = loss.distance.name, torch.zeros(0)
        self.same = self.different = torch.zeros(0, dtype=torch.bool)
        self._between, self._distance = loss.between, loss.distance
        monkeypatch.setattr(loss, "between", self.between)
        monkeypatch.setattr(loss, "distance", self)

    @property
    def pull(self) -> float:
        return self.gradient[self.same].sum().item()

    @property
    def push(self) -> float:
        return self.gradient[self.different].sum().item()

    def between(self, own: Tensor, cols: Tensor, rows: slice, whole: Whole) -> Term:
        block = whole.relation.block(rows)
        self.same, self.different, self._own, self._cols = block.same, block.different, own.detach(), cols.detach()
        self.gradient = torch.zeros(len(own), len(cols), dtype=own.dtype)
        return self._between(own, cols, rows, whole)

    def ready(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return self._distance.ready(a, b)

    def chord(self, apart: Tensor) -> Tensor:
        return self._distance.chord(apart)

    def apart(self, a: Tensor, b: Tensor) -> Tensor:
        rows, cols = torch.meshgrid(torch.arange(len(a)), torch.arange(len(b)), indexing="ij")
        return self._watched(self._distance.apart(a, b), rows, cols)

    def beside(self, a: Tensor, b: Tensor) -> Tensor:
        return self._watched(self._distance.beside(a, b), place(a, self._own), place(b, self._cols))

    def _watched(self, apart: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
        def keep(gradient: Tensor) -> None:
            self.gradient.index_put_((rows, cols), gradient, accumulate=True)

        apart.register_hook(keep)
        return apart


def place(some: Tensor, among: Tensor) -> Tensor:
    """Which row each of some rows is."""
    return (some.detach()[:, None] == among).all(2).int().argmax(1)


def untrained(n: int, dim: int) -> Tensor:
    """Embeddings as an untrained network gives them: more alike than random ones."""
    return torch.nn.functional.normalize(embeddings(n, dim) + embeddings(1, dim, seed=9)).float()


def pull_and_push(loss: Loss, relation: Relation, dim: int, monkeypatch: pytest.MonkeyPatch) -> tuple[float, float]:
    """The summed gradient on the distances of same and of different pairs."""
    assert isinstance(loss, Rowwise)
    spy, x = Spy(loss, monkeypatch), untrained(64, dim).requires_grad_()
    value = loss(x, x, relation).value
    value.backward()
    return spy.pull, spy.push


@pytest.mark.parametrize("name", BALANCED)
@every_distance
@pytest.mark.parametrize("dim", [16, 64, 512])
def test_same_pairs_are_pulled_and_different_pushed_from_the_start(
    name: str, kernel: str, dim: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = LOSSES[name][0](distance(kernel))
    relation = Relation.within(codes(torch.arange(64) // 4))
    pull, push = pull_and_push(loss, relation, dim, monkeypatch)
    assert pull > 1e-3
    assert push < -1e-4


def by_default(chosen: str, kernel: str, dim: int) -> Loss:
    """A loss as a recipe that leaves everything open builds it."""
    facts = Facts(modality="vector", items=1000, identities=100, median_items=4)
    return build(choose(Recipe(loss=chosen, distance=kernel, dim=dim), facts), torch.arange(16))


every_kernel = pytest.mark.parametrize("kernel", ["cosine", "euclidean", "manhattan", "learned"])
every_dim = pytest.mark.parametrize("dim", [16, 64, 512])
GRADED = ("regression", "cosent", "pearson")


@pytest.mark.parametrize("chosen", [name for name in NAMED if name not in (*GRADED, "vicreg")])
@every_kernel
@every_dim
def test_the_defaults_of_a_recipe_teach_from_the_start(
    chosen: str, kernel: str, dim: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = by_default(chosen, kernel, dim)
    identities = Relation.within(codes(torch.arange(64) // 4))
    relation = identities if Knows.IDENTITY in loss.needs else knowing(Knows.VIEWS, 64)
    pull, push = pull_and_push(loss, relation, dim, monkeypatch)
    assert pull > 1e-3
    assert push < -1e-4


@pytest.mark.parametrize("chosen", GRADED)
@every_kernel
@every_dim
def test_high_scores_pull_and_low_scores_push_from_the_start(chosen: str, kernel: str, dim: int) -> None:
    loss, relation = by_default(chosen, kernel, dim), knowing(Knows.SCORE, 64)
    assert isinstance(loss, Graded)
    assert relation.pairs is not None
    row, col, score = relation.pairs.row, relation.pairs.col, relation.pairs.value
    x = untrained(64, dim)
    apart = (loss.distance.paired(x[row], x[col]) / loss.distance.typical(dim)).requires_grad_()
    slope = torch.autograd.grad(loss.cost(1 - apart, score).value, apart)[0]
    assert slope @ (score - score.mean()) > 1e-3


@every_dim
def test_views_agree_and_coordinates_spread_from_the_start(dim: int) -> None:
    loss, x = by_default("vicreg", "cosine", dim), untrained(64, dim)
    _, gradient = value_and_gradient(loss, x, knowing(Knows.VIEWS, 64))
    assert (gradient[0::2] - gradient[1::2]).mul(x[0::2] - x[1::2]).sum() > 1e-3
    middles = (x[0::2] + x[1::2]) / 2
    assert (gradient[0::2] + gradient[1::2]).mul(middles - middles.mean(0)).sum() < -1e-3


def test_singletons_do_not_enter_the_mean() -> None:
    x, relation = embeddings(6), Relation.within(codes([0, 0, 1, 1, 2, 3]))
    for name in PER_ANCHOR:
        assert LOSSES[name][0](distance("cosine"))(x, x, relation).counted == 4


def nothing() -> dict[str, Relation]:
    far = Side(torch.arange(6), torch.zeros(6, dtype=torch.long))
    return {
        "nothing known": Relation.within(far),
        "all singletons": Relation.within(codes(torch.arange(6))),
        "one class": Relation.within(codes(torch.zeros(6, dtype=torch.long))),
        "one item": Relation.within(codes(torch.zeros(6, dtype=torch.long), ids=torch.zeros(6, dtype=torch.long))),
        "unknown identities": Relation.within(codes(torch.full((6,), UNKNOWN))),
    }


@every_loss
@every_distance
@pytest.mark.parametrize("which", nothing())
def test_what_does_not_count_is_zero_with_a_zero_gradient(name: str, kernel: str, which: str) -> None:
    loss, relation = LOSSES[name][0](distance(kernel)), nothing()[which]
    value, gradient = value_and_gradient(loss, embeddings(6), relation)
    assert math.isfinite(value)
    assert torch.isfinite(gradient).all()
    block = relation.block()
    if name in OVER_PAIRS and (block.same | block.different).any():
        return
    assert value == 0
    assert not gradient.any()
    assert loss(embeddings(6), embeddings(6), relation).counted == 0


@every_loss
@every_distance
@pytest.mark.parametrize("n", [1, 2])
def test_tiny_batches_are_no_error(name: str, kernel: str, n: int) -> None:
    value, gradient = value_and_gradient(
        LOSSES[name][0](distance(kernel)), embeddings(n), Relation.within(codes(torch.arange(n)))
    )
    assert math.isfinite(value)
    assert torch.isfinite(gradient).all()


def degenerate() -> dict[str, Tensor]:
    x = embeddings(dtype=torch.float32)
    return {
        "identical": x[:1].expand(N, 6),
        "zero": 0 * x,
        "one zero": x.index_fill(0, torch.tensor(0), 0),
        "huge": 1e4 * x,
        "tiny": 1e-4 * x,
    }


@every_loss
@every_distance
@pytest.mark.parametrize("case", degenerate())
def test_degenerate_embeddings_are_finite(name: str, kernel: str, case: str) -> None:
    loss = LOSSES[name][0](distance(kernel))
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        value, gradient = value_and_gradient(loss, degenerate()[case].to(dtype), relations()["identities"])
        assert math.isfinite(value)
        assert torch.isfinite(gradient).all()


@every_loss
@every_distance
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_single(name: str, kernel: str, dtype: torch.dtype) -> None:
    loss, x, relation = LOSSES[name][0](distance(kernel)), embeddings(dtype=dtype), relations()["identities"]
    single, gradient = value_and_gradient(loss, x.float(), relation)
    half, coarse = value_and_gradient(loss, x, relation)
    assert loss(x, x, relation).value.dtype == torch.float32
    assert half == pytest.approx(single, abs=1e-6)
    torch.testing.assert_close(coarse.float(), gradient, atol=1e-2, rtol=2e-2)
    x = x.float().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = loss(x, x, relation).value
    assert mixed.item() == pytest.approx(single, abs=1e-6)
    torch.testing.assert_close(torch.autograd.grad(mixed, x)[0], gradient, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_an_item_twice_in_a_batch_is_not_its_own_negative(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows 0 and 1 hold one item, embedded differently by dropout; others in the batch are assumed different."""
    side = Side(torch.tensor([0, 0, 1, 2, 1, 3]), torch.tensor([0, 0, 0, 0, 1, 0]))
    relation = Relation.within(side, others="different")
    loss, x = LOSSES[name][0](distance("euclidean")), embeddings(6, seed=4).requires_grad_()
    assert isinstance(loss, Rowwise)
    spy = Spy(loss, monkeypatch)
    loss(x, x, relation).value.backward()
    assert spy.gradient.any()
    assert not spy.gradient[0, 1]
    assert not spy.gradient[1, 0]
    assert not spy.gradient.diagonal().any()
    assert relation.block().same[2, 4]
