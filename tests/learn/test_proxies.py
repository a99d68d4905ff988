"""Losses with a proxy for each identity, against plain loops; which proxies take part; what is optimised and saved."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from gemel.errors import RecipeError
from gemel.learn.distances import distance
from gemel.learn.losses import ArcFace, CosFace, ProxyAnchor, Softmax
from gemel.learn.losses.proxies import Proxies
from gemel.learn.relation import UNKNOWN, Relation, Side
from tests.learn.loss_oracles import codes, embeddings, every_distance, exact, mean, value_and_gradient

CODES = torch.tensor([40, 8, 12, 4, 0])
LABELS = [4, 4, 12, 40, UNKNOWN, 8]
every_loss = pytest.mark.parametrize("make", [Softmax, CosFace, ArcFace, ProxyAnchor])


def made(make: type[Proxies], kernel: str, **choices: Any) -> Proxies:
    torch.manual_seed(0)
    return make(distance(kernel), identities=CODES, dim=6, **choices).double()


def oracle(loss: Any, d: np.ndarray, own: list[int]) -> float:
    """Cross-entropy over proxies with a handicap, or Proxy-Anchor's two means."""
    if isinstance(loss, ProxyAnchor):
        s, a, m = 1 - d, loss.alpha, loss.margin
        present = [p for p in range(5) if p in own]
        near = [math.log(1 + sum(math.exp(-a * (s[i, p] - m)) for i, o in enumerate(own) if o == p)) for p in present]
        far = [math.log(1 + sum(math.exp(a * (s[i, p] + m)) for i, o in enumerate(own) if o not in (p, UNKNOWN)))
               for p in range(5)]  # fmt: skip
        return mean(near) + mean(far)
    found = []
    for i, o in enumerate(own):
        if o != UNKNOWN:
            near = d[i, o]
            if isinstance(loss, CosFace):
                near += loss.margin
            if isinstance(loss, ArcFace):
                line = math.sqrt(max(2 * d[i, o], 0)) if loss.distance.name == "cosine" else d[i, o] * math.sqrt(2)
                angle = 2 * math.asin(min(line / 2, 1))
                passed = angle + loss.margin > math.pi
                near += (
                    loss.margin * math.sin(loss.margin) if passed else math.cos(angle) - math.cos(angle + loss.margin)
                )
            logits = [-(near if p == o else d[i, p]) / loss.temperature for p in range(5)]
            found.append(math.log(sum(math.exp(x) for x in logits)) - logits[o])
    return mean(found)


@every_loss
@every_distance
def test_a_loss_is_its_definition(make: type[Proxies], kernel: str) -> None:
    loss, x = made(make, kernel), embeddings(6)
    place = {code: p for p, code in enumerate(sorted(CODES.tolist()))}
    own = [place.get(label, UNKNOWN) for label in LABELS]
    d = exact(kernel, x, torch.nn.functional.normalize(loss.proxies.detach()))
    found = loss(x, x, Relation.within(codes(LABELS)))
    assert found.value.item() == pytest.approx(oracle(loss, d, own), abs=1e-9)
    assert found.counted == (4 if make is ProxyAnchor else 5)


@every_loss
@every_distance
def test_gradients_reach_items_and_proxies(make: type[Proxies], kernel: str) -> None:
    loss, x, relation = made(make, kernel), embeddings(6).requires_grad_(), Relation.within(codes(LABELS))

    def value(x: torch.Tensor, proxies: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(loss, {"proxies": proxies}, (x, x, relation)).value

    assert torch.autograd.gradcheck(value, (x, loss.proxies), eps=1e-7, atol=1e-5)


@every_loss
def test_sampled_proxies_are_those_of_the_batch_and_others(make: type[Proxies]) -> None:
    loss, relation = made(make, "cosine", sampled=4), Relation.within(codes([4, 4, 12]))
    drawn = [frozenset(loss.against(relation, 6)[1].identity.tolist()) for _ in range(40)]
    assert all({4, 12} < chosen and len(chosen) == 4 for chosen in drawn)
    assert len(set(drawn)) > 1
    few = made(make, "cosine", sampled=1).against(relation, 6)[1]
    assert few.identity.tolist() == [4, 12]


@every_loss
def test_all_sampled_is_all(make: type[Proxies]) -> None:
    x, relation = embeddings(6), Relation.within(codes(LABELS))
    whole, sampled = made(make, "euclidean"), made(make, "euclidean", sampled=5)
    assert whole(x, x, relation).value == sampled(x, x, relation).value


@every_loss
@pytest.mark.parametrize("identity", [None, torch.full((3,), UNKNOWN), torch.tensor([77, 78, 79])])
def test_unknown_identities_are_zero_with_a_zero_gradient(make: type[Proxies], identity: torch.Tensor | None) -> None:
    side = Side(torch.arange(3), torch.zeros(3, dtype=torch.long), identity)
    value, gradient = value_and_gradient(made(make, "cosine"), embeddings(3), Relation.within(side))
    if identity is None or identity[0] == UNKNOWN:
        assert value == 0
        assert not gradient.any()
    assert math.isfinite(value)


@every_loss
@every_distance
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_and_identical_embeddings_are_finite(
    make: type[Proxies], kernel: str, dtype: torch.dtype
) -> None:
    loss, relation = made(make, kernel).float(), Relation.within(codes(LABELS))
    for x in (embeddings(6), embeddings(1).expand(6, 6), torch.nn.functional.normalize(loss.proxies.detach())[[1] * 6]):
        value, gradient = value_and_gradient(loss, x.to(dtype), relation)
        assert math.isfinite(value)
        assert torch.isfinite(gradient).all()


@every_loss
def test_proxies_are_saved(make: type[Proxies]) -> None:
    loss, x, relation = made(make, "cosine"), embeddings(6), Relation.within(codes(LABELS))
    torch.manual_seed(1)
    fresh = make(distance("cosine"), identities=CODES, dim=6).double()
    assert fresh(x, x, relation).value != loss(x, x, relation).value
    fresh.load_state_dict(loss.state_dict())
    assert fresh(x, x, relation).value == loss(x, x, relation).value


def test_one_identity_is_refused() -> None:
    with pytest.raises(RecipeError, match="at least two identities"):
        Softmax(distance("cosine"), identities=torch.tensor([3]), dim=4)
