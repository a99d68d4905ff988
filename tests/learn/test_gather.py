"""Several processes learn what one process would: gradients of encoder and loss, for every loss by its name."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from gemel.learn.chunks import InChunks
from gemel.learn.distances import distance
from gemel.learn.encoders.dense import dense
from gemel.learn.encoders.encoder import Encoder, Head
from gemel.learn.gather import gather
from gemel.learn.losses import NAMED, Knows, Loss
from gemel.learn.plan import BatchPlan
from gemel.learn.relation import Relation, Side, SparsePairs

N, DIM, IDENTITIES = 64, 6, 16
SECONDS = 300
WORLDS = (3, 2)
"""How many processes there are, one time after the other."""
TOLERANCE = 1e-4
"""Of a gradient, relative to its length."""
SHORT = (5, 2)
"""Batches of so few rows that shares differ, and are empty."""


@dataclass(frozen=True)
class Case:
    """A loss on data that it can learn from."""

    loss: str
    knows: Knows
    choices: dict[str, Any] = field(default_factory=dict)
    chunk: int = N

    @property
    def name(self) -> str:
        return " ".join([self.loss, self.knows.name, *map(str, self.choices.values()), f"chunks of {self.chunk}"])


CASES = [
    *[Case(name, k) for name, make in NAMED.items() for k in sorted(getattr(make, "func", make).needs, key=str)],
    *[Case("triplet", Knows.IDENTITY, {"miner": miner}) for miner in ("hard", "semihard", "weighted")],
    *[Case(name, Knows.IDENTITY, {"sampled": 12}) for name in ("softmax", "proxyanchor")],
    *[Case(name, Knows.IDENTITY, chunk=5) for name in ("supcon", "bce", "proxyanchor")],
]


def relation(knows: Knows) -> Relation:
    """A batch of which that is known."""
    place, nothing = torch.arange(N), torch.zeros(N, dtype=torch.long)
    if knows is Knows.IDENTITY:
        return Relation.within(Side(place, nothing, place * 5 % IDENTITIES))
    if knows is Knows.VIEWS:
        return Relation.within(Side(place // 2, place % 2), others="different")
    a, p, n = place[: N - N % 3].reshape(-1, 3).T
    if knows is Knows.POSITIVES:
        return Relation.within(Side(place, nothing), pairs=SparsePairs(a, p, torch.ones(len(a))), others="different")
    value = torch.cat([torch.ones(len(a)), torch.zeros(len(a))])
    if knows is Knows.SCORE:
        value = torch.linspace(0, 1, len(value))
    pairs = SparsePairs(a.repeat(2), torch.cat([p, n]), value, graded=knows is Knows.SCORE)
    return Relation.within(Side(place, nothing), pairs=pairs)


def loss(case: Case) -> Loss:
    make = NAMED[case.loss]
    known = {"identities": torch.arange(IDENTITIES), "dim": DIM}
    return make(
        distance("euclidean"),
        **{k: x for k, x in known.items() if k in inspect.signature(make).parameters},
        **case.choices,
    )


def plan(n: int = N) -> BatchPlan:
    nothing = np.zeros(n, int)
    return BatchPlan(np.random.default_rng(0).permutation(n), nothing, nothing, seed=7)


class Step(nn.Module):
    """One training step as a process sees it; what DDP wraps."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.loss = loss(case).double()
        self.encoder = Encoder(dense(9, width=8, norm="group"), Head(8, DIM, weighted=True)).double()
        self.relation = relation(case.knows)
        self.chunk = case.chunk

    def forward(self, plan: BatchPlan, own: BatchPlan) -> Tensor:
        items = torch.randn(N, 9, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        embeddings = gather(InChunks(self.encoder, self.chunk)(vector=items[own.item]), plan)
        torch.manual_seed(plan.seed)
        return self.loss(embeddings, embeddings, self.relation).value

    def gradients(self) -> dict[str, np.ndarray]:
        """Of the encoder and of the loss, each in one row."""
        parts = {"encoder": self.encoder, "loss": self.loss}
        return {name: _flat([p.grad for p in part.parameters() if p.grad is not None]) for name, part in parts.items()}


def _flat(gradients: list[Tensor]) -> np.ndarray:
    return np.concatenate([np.zeros(0), *[g.double().flatten().numpy() for g in gradients]])


def alone(case: Case) -> dict[str, np.ndarray]:
    """The gradients of one process on the whole batch."""
    step = Step(case)
    step(plan(), plan()).backward()
    return step.gradients()


def process(rank: int, folder: str) -> None:
    """What each process does as one of so many: all cases, its gradients to a file of its own."""
    torch.set_num_threads(1)
    for world in WORLDS:
        if rank < world:
            np.savez(Path(folder) / f"{rank} of {world}.npz", **found_by(rank, world, folder))


def found_by(rank: int, world: int, folder: str) -> dict[str, np.ndarray]:
    distributed.init_process_group(
        "gloo", f"file://{folder}/meet {world}", rank=rank, world_size=world, timeout=timedelta(seconds=SECONDS)
    )
    found = {}
    for case in CASES:
        step = Step(case)
        shared = DistributedDataParallel(step)
        shared(plan(), plan().shard(rank, world)).backward()
        found |= {f"{case.name}/{part}": gradient for part, gradient in step.gradients().items()}
    for n in SHORT:
        own = torch.from_numpy(plan(n).shard(rank, world).item)[:, None].double().requires_grad_()
        whole = gather(own, plan(n))
        (whole * torch.arange(1, n + 1)[:, None]).sum().backward()
        assert own.grad is not None
        found |= {f"order of {n}": whole.detach().numpy(), f"back of {n}": own.grad.numpy()}
    distributed.barrier()
    distributed.destroy_process_group()
    return found


def together(folder: Path) -> dict[int, list[dict[str, np.ndarray]]]:
    """What every process found, by how many there were; the same ones each time, for starting one takes longest."""
    context = torch.multiprocessing.spawn(process, (str(folder),), nprocs=max(WORLDS), join=False)
    end = time.monotonic() + SECONDS
    try:
        while not context.join(timeout=1):
            assert time.monotonic() < end, "the processes did not come to an end"
    finally:
        for child in context.processes:
            child.kill()
    return {world: [dict(np.load(folder / f"{rank} of {world}.npz")) for rank in range(world)] for world in WORLDS}


def test_several_processes_have_the_gradient_of_one(tmp_path: Path) -> None:
    every = together(tmp_path)
    wrong, learning = [], set()
    for case in CASES:
        for part, expected in alone(case).items():
            if expected.any():
                learning.add((case.loss, part))
            for world, found in every.items():
                off = differ(found, f"{case.name}/{part}", expected)
                wrong += [f"{case.name}, {part}, {rank} of {world}: {w}" for rank, w in off]
    assert not wrong, "\n".join(wrong)
    assert learning >= {(name, "encoder") for name in NAMED} | {(name, "loss") for name in ("bce", "softmax")}
    for n, (world, found) in product(SHORT, every.items()):
        assert all((f[f"order of {n}"][:, 0] == plan(n).item).all() for f in found)
        back = np.concatenate([f[f"back of {n}"][:, 0] for f in found])
        assert (back == world * np.arange(1, n + 1)).all()


def differ(found: list[dict[str, np.ndarray]], name: str, expected: np.ndarray) -> Iterator[tuple[int, str]]:
    """Processes whose gradient is not the expected one, with what it is instead."""
    size = np.linalg.norm(expected)
    for rank, gradients in enumerate(found):
        off = np.linalg.norm(gradients[name] - expected)
        if not off <= TOLERANCE * size:
            yield rank, f"ratio {gradients[name] @ expected / size**2 if size else np.inf:.5f}, off by {off:.2g}"


def test_every_loss_is_among_the_cases() -> None:
    assert {case.loss for case in CASES} == set(NAMED)


def test_one_process_has_nothing_to_gather() -> None:
    x = torch.randn(N, DIM, requires_grad=True)
    assert gather(x, plan()) is x


def test_a_share_of_the_wrong_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 3)
    monkeypatch.setattr(distributed, "get_rank", lambda: 2)
    with pytest.raises(ValueError, match=r"Process 2 of 3 encodes 22 of 64 rows, and gave 21\."):
        gather(torch.zeros(21, DIM), plan())
