"""Which triplets teach, against plain triple loops; distances are rounded so that there are ties."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gemel.learn import mining
from gemel.learn.distances import distance
from gemel.learn.losses import Triplet, triplet
from gemel.learn.relation import Block, Relation, Side

SHAPES = [(9, 9), (6, 17), (17, 6), (1, 5), (0, 4), (5, 60)]


def known(shape: tuple[int, int], seed: int, *, digits: int = 1) -> tuple[Tensor, Block]:
    """Any block at all, with anchors that lack positives or negatives, and ties in the distances."""
    generator = torch.Generator().manual_seed(seed)
    apart = (torch.rand(shape, generator=generator, dtype=torch.float64) * 10**digits).round() / 10**digits
    state = torch.randint(0, 3, shape, generator=generator)
    state[:1] = state[:1].clamp(max=1)
    state[1:2] = state[1:2].clamp(min=1)
    return apart, Block(state == 1, state == 2)


def anchors(block: Block) -> list[tuple[int, list[int], list[int]]]:
    rows = enumerate(zip(block.same.tolist(), block.different.tolist(), strict=True))
    found = [(a, [j for j, s in enumerate(s) if s], [j for j, s in enumerate(d) if s]) for a, (s, d) in rows]
    return [(a, positives, negatives) for a, positives, negatives in found if positives and negatives]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(5))
def test_hard_is_farthest_positive_and_nearest_negative(shape: tuple[int, int], seed: int) -> None:
    apart, block = known(shape, seed)
    chosen = mining.hard(apart, block)
    expected = [
        (a, max(apart[a, p].item() for p in ps), min(apart[a, n].item() for n in ns)) for a, ps, ns in anchors(block)
    ]
    assert distances_of(chosen, apart) == expected
    assert_known(chosen, block)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(5))
def test_semihard_is_the_nearest_negative_beyond_each_positive(shape: tuple[int, int], seed: int) -> None:
    apart, block = known(shape, seed)
    chosen = mining.semihard(apart, block)
    expected = []
    for a, positives, negatives in anchors(block):
        for p in positives:
            beyond = [apart[a, n].item() for n in negatives if apart[a, n] > apart[a, p]]
            nearest = min(beyond) if beyond else max(apart[a, n].item() for n in negatives)
            expected.append((a, apart[a, p].item(), nearest))
    assert distances_of(chosen, apart) == expected
    assert_known(chosen, block)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("margin", [0.25, 1.0, 0.001])
@pytest.mark.parametrize("seed", range(3))
def test_violations_are_counted_for_every_pair(shape: tuple[int, int], margin: float, seed: int) -> None:
    apart, block = known(shape, seed, digits=0 if margin == 1 else 1)  # whole numbers: ties at the margin itself
    weight, count = torch.zeros_like(apart), 0
    for a, positives, negatives in anchors(block):
        for p in positives:
            for n in negatives:
                if apart[a, n] < apart[a, p] + margin:
                    weight[a, p] += 1
                    weight[a, n] -= 1
                    count += 1
    found = mining.violations(apart, block, margin)
    assert found.count == count
    assert torch.equal(found.weight, weight)


def test_many_positives_are_ranked_each_in_its_place() -> None:
    generator = torch.Generator().manual_seed(0)
    apart = torch.rand(40, 40, generator=generator, dtype=torch.float64)
    label = torch.arange(40) % 2
    same = (label[:, None] == label) & ~torch.eye(40, dtype=torch.bool)
    block = Block(same, label[:, None] != label)
    cost = (apart[:, :, None] - apart[:, None, :] + 0.1).relu() * (same[:, :, None] & block.different[:, None, :])
    found = mining.violations(apart, block, 0.1)
    assert found.count == int((cost > 0).sum())
    assert ((found.weight * apart).sum() + 0.1 * found.count).item() == pytest.approx(cost.sum().item(), rel=1e-12)


class Largest(TorchDispatchMode):
    """Remembers the size of the largest tensor that any operation returned."""

    size = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else (out,):
            if isinstance(tensor, Tensor):
                self.size = max(self.size, tensor.numel())
        return out


@pytest.mark.parametrize(("miner", "soft"), [("all", False), ("all", True), ("hard", False), ("semihard", False)])
def test_no_cube_of_triplets_is_held(miner: str, soft: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triplet, "CHUNK", 20_000)
    n = 120
    side = Side(torch.arange(n), torch.zeros(n, dtype=torch.long), torch.arange(n) % 2)
    x = torch.randn(n, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    with Largest() as largest:
        Triplet(distance("euclidean"), miner=miner, soft=soft)(x, x, Relation.within(side)).value.backward()
    assert largest.size <= 2 * n * n


def distances_of(chosen: mining.Triplets, apart: Tensor) -> list[tuple[int, float, float]]:
    """Anchor and the two distances, which do not depend on how a tie was broken."""
    positive, negative = apart[chosen.anchor, chosen.positive], apart[chosen.anchor, chosen.negative]
    return list(zip(chosen.anchor.tolist(), positive.tolist(), negative.tolist(), strict=True))


def assert_known(chosen: mining.Triplets, block: Block) -> None:
    assert block.same[chosen.anchor, chosen.positive].all()
    assert block.different[chosen.anchor, chosen.negative].all()
