"""Questions and answers against a loop: who asks, who answers, and what each answer is judged against."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from gemel.learn.distances import distance
from gemel.learn.losses import MultipleNegatives, NPair
from gemel.learn.losses.clip import SHARPEST, Clip
from gemel.learn.losses.multiplenegatives import questions
from gemel.learn.relation import UNKNOWN, Relation, Side
from tests.learn.loss_oracles import codes, embeddings, every_distance, exact, explicit, mean, value_and_gradient

PAIRS = [(0, 1, 1.0), (2, 3, 1.0), (4, 5, 1.0), (4, 6, 0.0), (7, 8, 0.0)]


def judged(d: Tensor, ask: list[int], answer: list[int], right: set[tuple[int, int]], temperature: float) -> float:
    """Each right answer against all wrong ones of its question."""
    found = []
    for q in ask:
        wrong = [a for a in answer if (q, a) not in right and a != q]
        each = []
        for a in (a for a in answer if (q, a) in right):
            e = [math.exp(-d[q, j] / temperature) for j in (a, *wrong)]
            each.append(-math.log(e[0] / sum(e)))
        if each and wrong:
            found.append(mean(each))
    return mean(found)


@every_distance
def test_pairs_are_questions_and_answers(kernel: str) -> None:
    x, relation = embeddings(9), explicit(9, *PAIRS, others="different")
    d, right = exact(kernel, x, x), {(0, 1), (2, 3), (4, 5)}
    loss = MultipleNegatives(distance(kernel), temperature=0.3)
    expected = judged(d, [0, 2, 4], [1, 3, 5, 6, 8], right, 0.3)
    assert loss(x, x, relation).value.item() == pytest.approx(expected, abs=1e-9)
    both = MultipleNegatives(distance(kernel), temperature=0.3, symmetric=True)
    back = judged(d, [1, 3, 5, 6, 8], [0, 2, 4], {(a, q) for q, a in right}, 0.3)
    assert both(x, x, relation).value.item() == pytest.approx((expected + back) / 2, abs=1e-9)
    assert both(x, x, relation).counted == 6


@every_distance
def test_the_first_item_of_an_identity_asks(kernel: str) -> None:
    labels = [3, 1, 3, 1, UNKNOWN, 3, 2]
    x, relation = embeddings(7), Relation.within(codes(labels))
    loss = MultipleNegatives(distance(kernel), temperature=0.3)
    right = {(0, 2), (0, 5), (1, 3)}
    expected = judged(exact(kernel, x, x), [0, 1, 6], [2, 3, 5], right, 0.3)
    assert loss(x, x, relation).value.item() == pytest.approx(expected, abs=1e-9)


@every_distance
def test_npair_takes_one_answer_and_minds_the_length(kernel: str) -> None:
    x, relation = 2 * embeddings(7), Relation.within(codes([3, 1, 3, 1, UNKNOWN, 3, 2]))
    loss = NPair(distance(kernel), temperature=0.3, weight=0.01)
    expected = judged(exact(kernel, x, x), [0, 1, 6], [2, 3], {(0, 2), (1, 3)}, 0.3)
    assert loss(x, x, relation).value.item() == pytest.approx(expected + 0.04, abs=1e-9)


def test_views_are_questions_and_answers() -> None:
    side = Side(torch.tensor([5, 7, 5, 7, 8]), torch.tensor([0, 0, 1, 1, 0]))
    ask, answer = questions(Relation.within(side, others="different"))
    assert ask.tolist() == [0, 1, 4]
    assert answer.tolist() == [2, 3]


def test_items_without_an_identity_are_asked_by_their_views() -> None:
    """Beside an identity of two items: an unlabelled item in two views, and an impostor of that identity alone."""
    ids, view = torch.tensor([7, 3, 9, 9, 4]), torch.tensor([0, 0, 1, 0, 0])
    identity, claims = torch.tensor([2, 2, UNKNOWN, UNKNOWN, 2]), torch.tensor([UNKNOWN] * 4 + [2])
    ask, answer = questions(Relation.within(Side(ids, view, identity, claims)))
    assert ask.tolist() == [1, 3, 4]
    assert answer.tolist() == [0, 2]


def test_copies_of_an_item_take_their_turn_together() -> None:
    side = codes([1, 1, 1, 2], ids=torch.tensor([5, 8, 5, 6]))
    ask, answer = questions(Relation.within(side), answers=1)
    assert ask.tolist() == [0, 2, 3]
    assert answer.tolist() == [1]


@every_distance
@pytest.mark.parametrize("make", [MultipleNegatives, NPair])
def test_gradients_are_those_of_the_value(kernel: str, make: type[MultipleNegatives]) -> None:
    loss, x = make(distance(kernel)).double(), embeddings(9, 4).requires_grad_()
    relation = explicit(9, *PAIRS, others="different")
    assert torch.autograd.gradcheck(lambda x: loss(x, x, relation).value, (x,), eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("make", [MultipleNegatives, NPair])
@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2], [UNKNOWN] * 3, [4]])
def test_nothing_to_ask_is_zero_with_a_zero_gradient(make: type[MultipleNegatives], labels: list[int]) -> None:
    value, gradient = value_and_gradient(
        make(distance("cosine")), embeddings(len(labels)), Relation.within(codes(labels))
    )
    assert value == 0
    assert not gradient.any()


@every_distance
def test_clip_is_multiple_negatives_both_ways_at_a_temperature_that_learns(kernel: str) -> None:
    x, relation = embeddings(9), explicit(9, *PAIRS, others="different")
    loss = Clip(distance(kernel), temperature=0.3).double()
    both = MultipleNegatives(distance(kernel), temperature=0.3, symmetric=True)
    own, given = (value_and_gradient(one, x, relation) for one in (loss, both))
    torch.testing.assert_close(own, given)

    def value(scale: Tensor) -> Tensor:
        return torch.func.functional_call(loss, {"log_scale": scale}, (x, x, relation)).value

    scale = loss.log_scale.detach().clone().requires_grad_()
    (slope,) = torch.autograd.grad(value(scale), scale)
    step = 1e-5
    with torch.no_grad():
        expected = (value(scale + step) - value(scale - step)) / (2 * step)
    assert slope.item() == pytest.approx(expected.item(), rel=1e-4)


def test_the_temperature_of_clip_has_an_end() -> None:
    x, relation = embeddings(9), explicit(9, *PAIRS, others="different")
    sharp = [Clip(distance("cosine"), temperature=1 / (factor * SHARPEST)).double() for factor in (1, 50)]
    values = [loss(x, x, relation).value.item() for loss in sharp]
    assert values[0] == pytest.approx(values[1], rel=1e-6)
