"""Every loss as a plain loop over pairs or triplets, and the batches it is checked on."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from gemel import distances
from gemel.learn.distances import DISTANCES, Distance
from gemel.learn.losses import (
    Circle,
    Contrastive,
    CrossEntropy,
    InfoNCE,
    Knows,
    Lifted,
    Loss,
    MultiSimilarity,
    Sigmoid,
    SupCon,
    Triplet,
)
from gemel.learn.relation import UNKNOWN, Block, Relation, Side, SparsePairs


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def shares(block: Block, i: int, j: int) -> tuple[float, float]:
    """How much the pair counts as same and as different."""
    if block.score is not None and not block.score[i, j].isnan():
        return block.score[i, j].item(), 1 - block.score[i, j].item()
    return float(block.same[i, j]), float(block.different[i, j])


def over_pairs(d: np.ndarray, block: Block, same: Callable, different: Callable, *, balanced: bool) -> float:
    """The mean of two costs over pairs; one half for each side, or every pair alike."""
    near = far = mass_same = mass_different = pairs = 0.0
    for i in range(d.shape[0]):
        for j in range(d.shape[1]):
            s, t = shares(block, i, j)
            near, far = near + s * same(d[i, j]), far + t * different(d[i, j])
            mass_same, mass_different, pairs = mass_same + s, mass_different + t, pairs + (s + t > 0)
    if not balanced:
        return (near + far) / pairs
    return (near / mass_same if mass_same else 0) / 2 + (far / mass_different if mass_different else 0) / 2


def contrastive(d: np.ndarray, block: Block, loss: Contrastive) -> float:
    def pull(x: float) -> float:
        return max(0.0, x - loss.inner) ** 2

    def push(x: float) -> float:
        return max(0.0, loss.margin - x) ** 2

    return over_pairs(d, block, pull, push, balanced=loss.balanced)


def bce(d: np.ndarray, block: Block, loss: CrossEntropy) -> float:
    bias, scale = loss.bias.item(), loss.log_scale.exp().item()
    return over_pairs(
        d,
        block,
        lambda x: math.log(1 + math.exp(scale * x - bias)),
        lambda x: math.log(1 + math.exp(bias - scale * x)),
        balanced=loss.balanced,
    )


def sets(block: Block) -> list[tuple[int, list[int], list[int]]]:
    """Anchors that have both, with their positives and negatives."""
    rows = enumerate(zip(block.same.tolist(), block.different.tolist(), strict=True))
    found = [(a, [j for j, s in enumerate(s) if s], [j for j, t in enumerate(d) if t]) for a, (s, d) in rows]
    return [(a, ps, ns) for a, ps, ns in found if ps and ns]


def infonce(d: np.ndarray, block: Block, loss: InfoNCE) -> float:
    def one(a: int, p: int, negatives: list[int]) -> float:
        e = [math.exp(-d[a, j] / loss.temperature) for j in [p, *negatives]]
        return -math.log(e[0] / sum(e))

    return mean([mean([one(a, p, ns) for p in ps]) for a, ps, ns in sets(block)])


def supcon(d: np.ndarray, block: Block, loss: SupCon) -> float:
    def one(a: int, p: int, others: list[int]) -> float:
        return -math.log(
            math.exp(-d[a, p] / loss.temperature) / sum(math.exp(-d[a, j] / loss.temperature) for j in others)
        )

    return mean([mean([one(a, p, ps + ns) for p in ps]) for a, ps, ns in sets(block)])


def triplets(d: np.ndarray, block: Block, loss: Triplet) -> float:
    gaps = []
    for a, ps, ns in sets(block):
        if loss.miner == "hard":
            gaps.append(max(d[a, p] for p in ps) - min(d[a, n] for n in ns))
        for p in ps:
            if loss.miner == "all":
                gaps += [d[a, p] - d[a, n] for n in ns]
            elif loss.miner == "semihard":
                beyond = [d[a, n] for n in ns if d[a, n] > d[a, p]]
                gaps.append(d[a, p] - (min(beyond) if beyond else max(d[a, n] for n in ns)))
    if loss.soft:
        return mean([loss.margin * math.log(1 + math.exp(gap / loss.margin)) for gap in gaps])
    hinges = [max(0.0, gap + loss.margin) for gap in gaps]
    return mean([h for h in hinges if h > 0] if loss.miner == "all" else hinges)


def decoupled(d: np.ndarray, block: Block, loss: InfoNCE) -> float:
    def one(a: int, p: int, negatives: list[int]) -> float:
        return d[a, p] / loss.temperature + math.log(sum(math.exp(-d[a, j] / loss.temperature) for j in negatives))

    return mean([mean([one(a, p, ns) for p in ps]) for a, ps, ns in sets(block)])


def sigmoid(d: np.ndarray, block: Block, loss: Sigmoid) -> float:
    bias, scale = loss.bias.item(), loss.log_scale.exp().item()
    found = []
    for i in range(d.shape[0]):
        known = [(shares(block, i, j), scale * (1 - d[i, j]) + bias) for j in range(d.shape[1])]
        each = [s * math.log(1 + math.exp(-x)) + t * math.log(1 + math.exp(x)) for (s, t), x in known if s + t]
        if each:
            found.append(sum(each))
    return mean(found)


def multisimilarity(d: np.ndarray, block: Block, loss: MultiSimilarity) -> float:
    found = []
    for a, ps, ns in sets(block):
        s = 1 - d[a]
        hard = [p for p in ps if s[p] - loss.epsilon < max(s[n] for n in ns)]
        near = [n for n in ns if s[n] + loss.epsilon > min(s[p] for p in ps)]
        if hard:
            pull = math.log(1 + sum(math.exp(-loss.alpha * (s[p] - loss.base)) for p in hard)) / loss.alpha
            push = math.log(1 + sum(math.exp(loss.beta * (s[n] - loss.base)) for n in near)) / loss.beta
            found.append(pull + push)
    return mean(found)


def circle(d: np.ndarray, block: Block, loss: Circle) -> float:
    def one(s: np.ndarray, ps: list[int], ns: list[int]) -> float:
        m, g = loss.margin, loss.gamma
        near = sum(math.exp(-g * max(0, 1 + m - s[p]) * (s[p] - 1 + m)) for p in ps)
        far = sum(math.exp(g * max(0, s[n] + m) * (s[n] - m)) for n in ns)
        return math.log(1 + near * far)

    return mean([one(1 - d[a], ps, ns) for a, ps, ns in sets(block)])


def lifted(d: np.ndarray, block: Block, loss: Lifted) -> float:
    def one(a: int, ps: list[int], ns: list[int]) -> float:
        t = loss.temperature
        far = math.log(sum(math.exp(d[a, p] / t) for p in ps))
        near = math.log(sum(math.exp((loss.margin - d[a, n]) / t) for n in ns))
        return t * max(0.0, far + near)

    return mean([one(a, ps, ns) for a, ps, ns in sets(block)])


LOSSES: dict[str, tuple[Callable[[Distance], Loss], Callable]] = {
    "contrastive": (Contrastive, contrastive),
    "contrastive double": (lambda d: Contrastive(d, inner=0.3), contrastive),
    "sigmoid": (lambda d: Sigmoid(d, scale=4.0, bias=-2.0), sigmoid),
    "multisimilarity": (lambda d: MultiSimilarity(d, beta=10.0), multisimilarity),
    "multisimilarity unmined": (lambda d: MultiSimilarity(d, beta=10.0, epsilon=math.inf), multisimilarity),
    "circle": (lambda d: Circle(d, margin=0.25, gamma=8.0), circle),
    "lifted": (lambda d: Lifted(d, temperature=0.3), lifted),
    "decoupled": (lambda d: InfoNCE(d, temperature=0.3, decoupled=True), decoupled),
    "contrastive unbalanced": (lambda d: Contrastive(d, margin=0.8, balanced=False), contrastive),
    "bce": (CrossEntropy, bce),
    "bce unbalanced": (lambda d: CrossEntropy(d, scale=2.0, middle=1.0, balanced=False), bce),
    "infonce": (lambda d: InfoNCE(d, temperature=0.3), infonce),
    "supcon": (lambda d: SupCon(d, temperature=0.3), supcon),
} | {
    f"triplet {miner}{' soft' if soft else ''}": (
        lambda d, miner=miner, soft=soft: Triplet(d, miner=miner, soft=soft),
        triplets,
    )
    for miner in ("all", "hard", "semihard")
    for soft in (False, True)
}
BALANCED = [name for name in LOSSES if "unbalanced" not in name]
OVER_PAIRS = [name for name in LOSSES if name.startswith(("contrastive", "bce", "sigmoid"))]
PER_ANCHOR = "infonce supcon decoupled circle lifted".split() + [n for n in LOSSES if n.startswith("triplet hard")]

every_loss = pytest.mark.parametrize("name", LOSSES)
every_distance = pytest.mark.parametrize("kernel", DISTANCES)


N = 14


def codes(identity: list[int] | Tensor, *, ids: Tensor | None = None, view: Tensor | None = None) -> Side:
    identity = torch.as_tensor(identity)
    n = len(identity)
    return Side(
        torch.arange(n) if ids is None else ids, torch.zeros(n, dtype=torch.long) if view is None else view, identity
    )


def explicit(n: int, *listed: tuple[int, int, float], graded: bool = False, others: str = "unknown") -> Relation:
    row, col, value = zip(*listed, strict=True)
    pairs = SparsePairs(torch.tensor(row), torch.tensor(col), torch.tensor(value, dtype=torch.float64), graded)
    return Relation.within(Side(torch.arange(n), torch.zeros(n, dtype=torch.long)), pairs=pairs, others=others)


@cache
def relations() -> dict[str, Relation]:
    labels = codes([0, 0, 0, 1, 1, 2, 2, 2, 2, 3, UNKNOWN, 4, 0, 5])
    ids = torch.tensor([0, 0, 2, 3, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13])
    view = torch.tensor([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0])
    looks = Side(torch.arange(N) // 2, torch.arange(N) % 2)
    triples = [(3 * t, 3 * t + 1, 1.0) for t in range(4)] + [(3 * t, 3 * t + 2, 0.0) for t in range(4)]
    mixed = [(0, 1, 1.0), (0, 2, 0.0), (1, 3, 0.0), (4, 5, 1.0), (6, 7, 0.0), (0, 8, 1.0)]
    return {
        "identities": Relation.within(labels),
        "duplicates": Relation.within(codes(labels.identity, ids=ids, view=view), others="different"),
        "views": Relation.within(looks, others="different"),
        "pairs": explicit(N, *mixed),
        "same pairs": explicit(N, (0, 1, 1.0), (2, 3, 1.0), (2, 4, 1.0), others="different"),
        "triplets": explicit(N, *triples),
        "rectangle": Relation(labels[:5], labels),
    }


GRADED = explicit(N, (0, 1, 0.9), (0, 2, 0.1), (1, 3, 0.5), (4, 5, 1.0), (6, 7, 0.0), graded=True)


def knowing(knows: Knows, n: int = 24) -> Relation:
    """A batch of which that is known, and nothing else."""
    place, nothing = torch.arange(n), torch.zeros(n, dtype=torch.long)
    if knows is Knows.IDENTITY:
        return Relation.within(Side(place, nothing, place * 5 % (n // 4)))
    if knows is Knows.VIEWS:
        return Relation.within(Side(place // 2, place % 2), others="different")
    a, p, m = place[: n - n % 3].reshape(-1, 3).T
    if knows is Knows.POSITIVES:
        return Relation.within(Side(place, nothing), pairs=SparsePairs(a, p, torch.ones(len(a))), others="different")
    value = torch.cat([torch.ones(len(a)), torch.zeros(len(a))])
    if knows is Knows.SCORE:
        value = torch.linspace(0, 1, len(value)).round(decimals=1)
    pairs = SparsePairs(a.repeat(2), torch.cat([p, m]), value, graded=knows is Knows.SCORE)
    return Relation.within(Side(place, nothing), pairs=pairs)


def reordered(relation: Relation, order: Tensor) -> Relation:
    """The relation of a batch to itself when its rows stand in another order."""
    place, pairs = order.argsort(), relation.pairs
    if pairs is not None:
        pairs = SparsePairs(place[pairs.row], place[pairs.col], pairs.value, pairs.graded)
    return Relation.within(relation.rows[order], pairs=pairs, others=relation.others)


def embeddings(n: int = N, dim: int = 6, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    x = torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return normalize(x).to(dtype)


def exact(kernel: str, rows: Tensor, cols: Tensor) -> np.ndarray:
    d = distances.distance(kernel)
    matrix = [d.paired(np.repeat(row[None], len(cols), 0), cols.numpy()) for row in rows.numpy()]
    return np.array(matrix) / d.typical(rows.shape[1])


def value_and_gradient(loss: Loss, x: Tensor, relation: Relation) -> tuple[float, Tensor]:
    x = x.detach().clone().requires_grad_()
    value = loss(x, x, relation).value
    value.backward()
    assert x.grad is not None
    return value.item(), x.grad
