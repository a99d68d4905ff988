"""Each loss, with each distance, teaches a linear encoder to tell new identities apart."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from gemel.learn.distances import Distance, distance
from gemel.learn.losses import NAMED, Contrastive, Knows, Loss, Matryoshka, Memory, SupCon, WeightedSum
from gemel.learn.outset import outset
from gemel.learn.relation import Relation, Side, SparsePairs
from tests.learn.loss_oracles import BALANCED, LOSSES, codes, every_distance
from tests.learn.patterns import QUICK, collection

IDENTITIES, ITEMS, DIM = 48, 8, 16


SOFTER = {"softmax": {"temperature": 0.2}, "proxyanchor": {"alpha": 4.0}}
"""So many identities in so few dimensions are too crowded for the defaults."""
SLOWER = ("npair", "softmax", "cosface", "arcface", "proxyanchor")
"""What learns from fewer pairs, or has proxies to move first, takes three times as many steps."""


def named(name: str) -> Callable[[Distance], Loss]:
    """A loss by its name."""
    taken = inspect.signature(NAMED[name]).parameters
    known = {"identities": torch.arange(IDENTITIES), "dim": DIM}
    given = {k: x for k, x in known.items() if k in taken} | SOFTER.get(name, {})
    return lambda d: NAMED[name](d, **given)


WRAPPED: dict[str, Callable[[Distance], Loss]] = {
    "memory": lambda d: Memory(SupCon(d), size=128, dim=DIM, wait=10),
    "matryoshka": lambda d: Matryoshka(SupCon(d), prefixes=[4, DIM]),
    "weighted sum": lambda d: WeightedSum([SupCon(d), Contrastive(d)], [1.0, 0.5]),
}
EVERY = {name: named(name) for name in NAMED} | {name: LOSSES[name][0] for name in BALANCED} | WRAPPED


def clusters(identities: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Eight items per identity: eight dimensions that tell identities apart, among sixteen louder ones that do not."""
    label = torch.arange(identities).repeat_interleave(ITEMS)
    centre = torch.randn(identities, 8, generator=generator)
    signal = centre[label] + 0.3 * torch.randn(len(label), 8, generator=generator)
    return torch.cat([signal, 2 * torch.randn(len(label), 16, generator=generator)], 1), label


def told(loss: Loss, rows: Tensor, label: Tensor) -> Relation:
    """What the loss learns from: identities; or items, of which a row is one view; or scores of pairs."""
    if Knows.IDENTITY in loss.needs:
        return Relation.within(codes(label, ids=rows))
    if Knows.VIEWS in loss.needs:
        return Relation.within(Side(label, rows % ITEMS), others="different")
    row, col = torch.triu_indices(len(rows), len(rows), 1)
    score = (label[row] == label[col]).float()
    return Relation.within(Side(rows, 0 * rows), pairs=SparsePairs(row, col, score, graded=True))


def auc(apart: Tensor, same: Tensor) -> float:
    """The chance that a same pair is nearer than a different one."""
    upper = torch.ones_like(same).triu(1)
    near, far = apart[upper & same], apart[upper & ~same].sort().values
    return 1 - (torch.searchsorted(far, near).double().mean() / len(far)).item()


@pytest.mark.parametrize("name", EVERY)
@every_distance
def test_a_linear_encoder_learns_new_identities(name: str, kernel: str) -> None:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    (x, y), (fresh, label) = clusters(IDENTITIES, generator), clusters(24, generator)
    encoder = nn.utils.skip_init(nn.Linear, 24, DIM, bias=False)
    nn.init.orthogonal_(encoder.weight, generator=generator)
    loss = EVERY[name](distance(kernel))
    optimiser = torch.optim.Adam([*encoder.parameters(), *loss.parameters()], lr=0.02)

    def held_out() -> float:
        with torch.no_grad():
            embedded = normalize(encoder(fresh))
        return auc(distance(kernel).matrix(embedded, embedded), label[:, None] == label)

    before = held_out()
    for _ in range(240 if name in SLOWER else 80):
        rows = (torch.randperm(IDENTITIES, generator=generator)[:12, None] * ITEMS + torch.arange(4)).flatten()
        embedded = normalize(encoder(x[rows]))
        term = loss(embedded, embedded, told(loss, rows, y[rows]))
        optimiser.zero_grad()
        term.value.backward()
        optimiser.step()
    assert before < 0.7
    assert held_out() > 0.9


@pytest.mark.parametrize("name", ["bce", "sigmoid"])
def test_scale_and_bias_keep_pace_with_the_encoder(name: str) -> None:
    """At the encoder's rate they would hardly move within a few hundred steps, and the loss not tell pairs apart."""
    learner = outset(collection(), QUICK.but(loss=name, lr=1e-3)).learner
    groups = learner.configure_optimizers()["optimizer"].param_groups
    assert [group["initial_lr"] for group in groups] == pytest.approx([1e-3, 1e-3, 0.1])
    assert len(groups[-1]["params"]) == 2
