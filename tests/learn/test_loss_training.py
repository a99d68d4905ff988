"""Each loss, with each distance, teaches a linear encoder to tell new identities apart."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from gemel.learn.distances import distance
from gemel.learn.relation import Relation
from tests.learn.loss_oracles import BALANCED, LOSSES, codes, every_distance


def clusters(identities: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Eight items per identity: eight dimensions that tell identities apart, among sixteen louder ones that do not."""
    label = torch.arange(identities).repeat_interleave(8)
    centre = torch.randn(identities, 8, generator=generator)
    signal = centre[label] + 0.3 * torch.randn(len(label), 8, generator=generator)
    return torch.cat([signal, 2 * torch.randn(len(label), 16, generator=generator)], 1), label


def auc(apart: Tensor, same: Tensor) -> float:
    """The chance that a same pair is nearer than a different one."""
    upper = torch.ones_like(same).triu(1)
    near, far = apart[upper & same], apart[upper & ~same].sort().values
    return 1 - (torch.searchsorted(far, near).double().mean() / len(far)).item()


@pytest.mark.parametrize("name", BALANCED)
@every_distance
def test_a_linear_encoder_learns_new_identities(name: str, kernel: str) -> None:
    generator = torch.Generator().manual_seed(0)
    (x, y), (fresh, label) = clusters(48, generator), clusters(24, generator)
    encoder = nn.utils.skip_init(nn.Linear, 24, 16, bias=False)
    nn.init.orthogonal_(encoder.weight, generator=generator)
    loss = LOSSES[name][0](distance(kernel))
    optimiser = torch.optim.Adam([*encoder.parameters(), *loss.parameters()], lr=0.02)

    def held_out() -> float:
        with torch.no_grad():
            embedded = normalize(encoder(fresh))
        return auc(distance(kernel).matrix(embedded, embedded), label[:, None] == label)

    before = held_out()
    for _ in range(80):
        rows = (torch.randperm(48, generator=generator)[:12, None] * 8 + torch.arange(4)).flatten()
        embedded = normalize(encoder(x[rows]))
        term = loss(embedded, embedded, Relation.within(codes(y[rows], ids=rows)))
        optimiser.zero_grad()
        term.value.backward()
        optimiser.step()
    assert before < 0.7
    assert held_out() > 0.9
