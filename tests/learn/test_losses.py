"""One contract for all losses: their definitions, gradients and invariances, and how a recipe names them."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch import Tensor

from gemel.errors import RecipeError
from gemel.learn.distances import distance
from gemel.learn.losses import NAMED, Circle, Contrastive, CrossEntropy, Knows, Loss, Triplet, build, triplet, whole
from gemel.learn.relation import Relation
from gemel.recipe import Recipe
from tests.learn.loss_oracles import (
    GRADED,
    LOSSES,
    OVER_PAIRS,
    PER_ANCHOR,
    N,
    embeddings,
    every_distance,
    every_loss,
    exact,
    knowing,
    relations,
    reordered,
    sets,
    value_and_gradient,
)


@every_loss
@every_distance
@pytest.mark.parametrize("which", relations())
def test_a_loss_is_its_definition(name: str, kernel: str, which: str) -> None:
    make, oracle = LOSSES[name]
    loss, relation = make(distance(kernel)), relations()[which]
    cols = embeddings()
    rows = cols if relation.rows is relation.cols else cols[: len(relation.rows)]
    term = loss(rows, cols, relation)
    assert term.value.dtype == torch.float64
    assert term.value.item() == pytest.approx(oracle(exact(kernel, rows, cols), relation.block(), loss), abs=1e-9)
    if which != "views" and name in OVER_PAIRS:
        known = relation.block().same | relation.block().different
        assert term.counted == int((known.any(1) if name == "sigmoid" else known).sum())
    if name in PER_ANCHOR:
        assert term.counted == len(sets(relation.block()))


@pytest.mark.parametrize("name", OVER_PAIRS)
@every_distance
def test_scores_are_soft_targets(name: str, kernel: str) -> None:
    make, oracle = LOSSES[name]
    loss, x = make(distance(kernel)), embeddings()
    assert Knows.SCORE in loss.needs
    term = loss(x, x, GRADED)
    assert term.counted == (8 if name == "sigmoid" else 10)
    assert term.value.item() == pytest.approx(oracle(exact(kernel, x, x), GRADED.block(), loss), abs=1e-9)


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "circle"])
@every_distance
def test_gradients_are_those_of_the_value(name: str, kernel: str) -> None:
    loss = LOSSES[name][0](distance(kernel)).double()
    relation = relations()["duplicates"]
    x = embeddings(dim=4, seed=3).requires_grad_()
    parameters = dict(loss.named_parameters())

    def value(x: Tensor, *weights: Tensor) -> Tensor:
        given = dict(zip(parameters, weights, strict=True))
        return torch.func.functional_call(loss, given, (x, x, relation)).value

    assert torch.autograd.gradcheck(value, (x, *parameters.values()), eps=1e-7, atol=1e-5)


@every_distance
def test_the_weights_of_circle_have_no_gradient(kernel: str) -> None:
    loss, x, relation = Circle(distance(kernel), gamma=8.0), embeddings(), relations()["identities"]
    _, gradient = value_and_gradient(loss, x, relation)
    x.requires_grad_()
    s = 1 - loss.distance.matrix(x, x) / loss.distance.typical(x.shape[1])
    near, far = (1 + loss.margin - s.detach()).relu(), (s.detach() + loss.margin).relu()
    costs = []
    for a, ps, ns in sets(relation.block()):
        pull = sum((-8 * near[a, p] * (s[a, p] - 1 + loss.margin)).exp() for p in ps)
        push = sum((8 * far[a, n] * (s[a, n] - loss.margin)).exp() for n in ns)
        costs.append((1 + pull * push).log())
    torch.testing.assert_close(torch.autograd.grad(torch.stack(costs).mean(), x)[0], gradient)


@every_distance
def test_gradients_reach_both_sides(kernel: str) -> None:
    relation = relations()["rectangle"]
    rows, cols = embeddings(5, 3, seed=1).requires_grad_(), embeddings(dim=3, seed=2).requires_grad_()
    for name in ("contrastive", "infonce", "triplet all"):
        loss = LOSSES[name][0](distance(kernel)).double()

        def value(a: Tensor, b: Tensor, loss: Loss = loss) -> Tensor:
            return loss(a, b, relation).value

        assert torch.autograd.gradcheck(value, (rows, cols), eps=1e-7, atol=1e-5)


@every_loss
@every_distance
def test_the_order_of_a_batch_does_not_matter(name: str, kernel: str) -> None:
    loss, x, side = LOSSES[name][0](distance(kernel)), embeddings(), relations()["duplicates"].rows
    order = torch.randperm(N, generator=torch.Generator().manual_seed(1))
    value, gradient = value_and_gradient(loss, x, Relation.within(side, others="different"))
    again, turned = value_and_gradient(loss, x[order], Relation.within(side[order], others="different"))
    assert again == pytest.approx(value, abs=1e-12)
    torch.testing.assert_close(turned, gradient[order], atol=1e-9, rtol=1e-9)


CASES = [(name, k) for name, make in NAMED.items() for k in sorted(getattr(make, "func", make).needs, key=str)]


@pytest.mark.parametrize(("name", "knows"), CASES, ids=lambda x: getattr(x, "name", x))
@every_distance
def test_rows_gathered_in_another_order_have_the_same_value_and_gradients(name: str, knows: Knows, kernel: str) -> None:
    """As when processes encode slices of a batch: nothing is read off where a row stands."""
    torch.manual_seed(0)
    taken = inspect.signature(NAMED[name]).parameters
    known = {"identities": torch.arange(6), "dim": 6}
    loss = NAMED[name](distance(kernel), **{k: x for k, x in known.items() if k in taken}).double()
    x, relation = embeddings(24), knowing(knows)
    order = torch.cat([torch.arange(17, 24), torch.arange(0, 5), torch.arange(11, 17), torch.arange(5, 11)])
    value, gradient = value_and_gradient(loss, x, relation)
    weights = [p.grad.clone() for p in loss.parameters() if p.grad is not None]
    loss.zero_grad()
    again, turned = value_and_gradient(loss, x[order], reordered(relation, order))
    assert again == pytest.approx(value, abs=1e-12)
    torch.testing.assert_close(turned, gradient[order], atol=1e-9, rtol=1e-9)
    torch.testing.assert_close([p.grad for p in loss.parameters() if p.grad is not None], weights, atol=1e-9, rtol=1e-9)


@every_loss
@pytest.mark.parametrize("kernel", ["euclidean", "cosine"])
def test_a_rotation_does_not_matter(name: str, kernel: str) -> None:
    loss, x, relation = LOSSES[name][0](distance(kernel)), embeddings(), relations()["identities"]
    turn = torch.linalg.qr(embeddings(6, 6, seed=4))[0]
    assert loss(x @ turn, x @ turn, relation).value.item() == pytest.approx(loss(x, x, relation).value.item(), abs=1e-9)


@pytest.mark.parametrize("name", PER_ANCHOR)
@every_distance
def test_rectangles_add_up_to_the_square(name: str, kernel: str) -> None:
    loss, x, side = LOSSES[name][0](distance(kernel)), embeddings(), relations()["identities"].rows
    whole = loss(x, x, Relation.within(side))
    parts = [loss(x[rows], x, Relation(side[rows], side)) for rows in (slice(0, 5), slice(5, 9), slice(9, N))]
    assert sum(part.counted for part in parts) == whole.counted
    total = sum(part.value.item() * part.counted for part in parts)
    assert total / whole.counted == pytest.approx(whole.value.item(), abs=1e-12)


@every_loss
@every_distance
def test_a_batch_may_be_given_as_two_sides(name: str, kernel: str) -> None:
    loss, x, side = LOSSES[name][0](distance(kernel)), embeddings(), relations()["identities"].rows
    twice = loss(x, x.clone(), Relation(side, side[:])).value.item()
    assert twice == pytest.approx(loss(x, x, Relation.within(side)).value.item(), abs=1e-9)


@every_loss
@every_distance
@pytest.mark.parametrize("which", ["duplicates", "pairs", "rectangle"])
def test_blocks_add_up_to_the_whole(name: str, kernel: str, which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loss, relation = LOSSES[name][0](distance(kernel)).double(), relations()[which]
    cols = embeddings().requires_grad_()
    rows = cols if relation.rows is relation.cols else embeddings(len(relation.rows), seed=1).requires_grad_()
    found = []
    for rows_at_once in (1000, 3):
        monkeypatch.setattr(whole, "BLOCK", rows_at_once * N)
        monkeypatch.setattr(whole, "FEWEST_ROWS", rows_at_once)
        term = loss(rows, cols, relation)
        leaves = {id(x): x for x in (rows, cols, *loss.parameters())}.values()
        found.append((term.value, *torch.autograd.grad(term.value, list(leaves), allow_unused=True)))
    for at_once, blocks in zip(*found, strict=True):
        torch.testing.assert_close(blocks, at_once, atol=1e-9, rtol=1e-9)


def test_chunks_of_soft_triplets_do_not_change_the_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    loss, relation = Triplet(distance("cosine"), soft=True), relations()["identities"]
    value, gradient = value_and_gradient(loss, embeddings(), relation)
    monkeypatch.setattr(triplet, "CHUNK", 2 * N)
    again, pieces = value_and_gradient(loss, embeddings(), relation)
    assert again == pytest.approx(value, abs=1e-12)
    torch.testing.assert_close(pieces, gradient)


def test_the_head_of_cross_entropy_is_optimised_and_saved() -> None:
    loss, x = CrossEntropy(distance("manhattan")), embeddings(dtype=torch.float32)
    assert {name for name, _ in loss.named_parameters()} == {"bias", "log_scale"}
    loss(x, x, relations()["identities"]).value.backward()
    assert all(p.grad is not None and p.grad != 0 for p in loss.parameters())
    torch.optim.SGD(loss.parameters(), lr=1.0).step()
    fresh = CrossEntropy(distance("manhattan"))
    fresh.load_state_dict(loss.state_dict())
    assert fresh(x, x, relations()["pairs"]).value == loss(x, x, relations()["pairs"]).value


@pytest.mark.parametrize("chosen", NAMED)
def test_a_recipe_builds_its_loss(chosen: str) -> None:
    own = {"miner": "semihard", "soft": True} if chosen == "triplet" else {}
    loss = build(
        Recipe(loss=chosen, distance="learned", dim=8, temperature=0.3, margin=0.4, **own),
        torch.arange(5),
    )
    assert loss.distance is distance("manhattan")
    assert loss.needs
    expected = {"temperature": 0.3, "margin": 0.4, **own}
    assert all(getattr(loss, field, value) == value for field, value in expected.items())


def test_an_open_recipe_keeps_the_defaults_of_a_loss() -> None:
    loss = build(Recipe(loss="contrastive", distance="cosine"))
    assert isinstance(loss, Contrastive)
    assert loss.margin == Contrastive(distance("cosine")).margin


@pytest.mark.parametrize("recipe", [Recipe(), Recipe(loss="bce"), Recipe(distance="cosine")])
def test_a_recipe_that_names_no_loss_is_refused(recipe: Recipe) -> None:
    with pytest.raises(RecipeError, match=r"choose\(\)"):
        build(recipe)


def test_an_unknown_miner_names_the_others() -> None:
    with pytest.raises(RecipeError, match="all, hard, semihard"):
        Triplet(distance("cosine"), miner="softest")


@pytest.mark.parametrize("inner", [0.6, 0.8, -0.1])
def test_margins_that_contradict_each_other_are_refused(inner: float) -> None:
    with pytest.raises(RecipeError, match="below the second"):
        Contrastive(distance("cosine"), margin=0.6, inner=inner)
    with pytest.raises(RecipeError, match=r"within 0\.25 and different pairs beyond 0\.2:"):
        build(Recipe(loss="doublemargin", distance="cosine", margin=0.2))
