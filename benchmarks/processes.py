"""Several processes against one: the gradient of every loss, at a realistic size, on the CPU.

    python benchmarks/processes.py                 2 and 3 processes, 64 identities × 4 images of 32 × 32
    python benchmarks/processes.py --worlds 2 --chunk 16

Each process encodes its share of the batch with the usual convolutional encoder (GroupNorm, float32), gathers all
embeddings, and computes the full loss; `DistributedDataParallel` averages. Printed for each loss: how the gradient
differs from that of one process on the whole batch, relative to its length, the largest over processes and over the
parameters of encoder and loss; and the ratio of the two along the latter's direction. Beside it, what two runs of one
process differ by when one of them encodes the batch in thirds: the rounding that no arithmetic avoids.
Losses that cannot learn from identities are left to the tests.
"""

from __future__ import annotations

import argparse
import inspect
import tempfile
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from gemel.learn.batches import IdentityBatches
from gemel.learn.chunks import InChunks
from gemel.learn.distances import distance
from gemel.learn.encoders.conv import conv
from gemel.learn.encoders.encoder import Encoder, Head
from gemel.learn.gather import gather
from gemel.learn.losses import NAMED, Knows, Loss
from gemel.learn.plan import BatchPlan
from gemel.learn.relation import Relation, Side

IDENTITIES, ITEMS, SIDE, DIM = 200, 20, 32, 128
BATCH = IdentityBatches(np.repeat(np.arange(IDENTITIES), ITEMS), identities=64, items=4).plan(0)
SECONDS = 600

LOSSES = [name for name, make in NAMED.items() if Knows.IDENTITY in getattr(make, "func", make).needs]

Gradients = dict[str, np.ndarray]


class Step(nn.Module):
    """One training step as a process sees it."""

    def __init__(self, name: str, chunk: int) -> None:
        super().__init__()
        torch.manual_seed(1)
        backbone = conv(1, size=(SIDE, SIDE), norm="group")
        self.encoder = Encoder(backbone, Head(backbone.features, DIM))
        self.loss = made(name)
        self.chunk = chunk
        identity = torch.from_numpy(BATCH.item // ITEMS)
        self.relation = Relation.within(Side(torch.from_numpy(BATCH.item), torch.from_numpy(BATCH.view), identity))

    def forward(self, own: BatchPlan) -> Tensor:
        embeddings = gather(InChunks(self.encoder, self.chunk)(image=images(own)), BATCH)
        torch.manual_seed(BATCH.seed % 2**63)
        return self.loss(embeddings, embeddings, self.relation).value

    def gradients(self) -> Gradients:
        parts = {"encoder": self.encoder, "loss": self.loss}
        return {
            name: torch.cat([torch.zeros(0), *[p.grad.flatten() for p in part.parameters() if p.grad is not None]])
            .double()
            .numpy()
            for name, part in parts.items()
        }


def made(name: str) -> Loss:
    known = {"identities": torch.arange(IDENTITIES), "dim": DIM}
    taken = inspect.signature(NAMED[name]).parameters
    return NAMED[name](distance("cosine"), **{key: value for key, value in known.items() if key in taken})


def images(plan: BatchPlan) -> Tensor:
    """Strokes in the place of letters: a few thick lines for each identity, shifted for each item."""
    rows = []
    for item in plan.item:
        line = np.random.default_rng(item // ITEMS).random((4, 2, 2)) * SIDE
        shift = np.random.default_rng((1, item)).normal(0, 1.5, 2)
        along = np.linspace(0, 1, 64)[:, None]
        points = np.concatenate([a + along * (b - a) for a, b in line]) + shift
        row, col = points.round().astype(int).clip(1, SIDE - 2).T
        picture = np.zeros((SIDE, SIDE), np.float32)
        picture[row, col] = picture[row + 1, col] = picture[row, col + 1] = 1
        rows.append(picture[None])
    return torch.from_numpy(np.stack(rows))


def alone(name: str, chunk: int) -> Gradients:
    """The gradient of one process on the whole batch."""
    step = Step(name, chunk)
    step(BATCH).backward()
    return step.gradients()


def process(rank: int, world: int, folder: str, names: list[str], chunk: int) -> None:
    torch.set_num_threads(1)
    how = {"rank": rank, "world_size": world, "timeout": timedelta(seconds=SECONDS)}
    distributed.init_process_group("gloo", f"file://{folder}/meet", **how)
    found = {}
    for name in names:
        step = Step(name, chunk)
        shared = DistributedDataParallel(step)
        shared(BATCH.shard(rank, world)).backward()
        found |= {f"{name}/{part}": gradient for part, gradient in step.gradients().items()}
    np.savez(Path(folder) / f"{rank}.npz", **found)
    distributed.barrier()
    distributed.destroy_process_group()


def together(world: int, names: list[str], chunk: int) -> list[dict[str, np.ndarray]]:
    """What every process found."""
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(process, (world, folder, names, chunk), nprocs=world)
        return [dict(np.load(Path(folder) / f"{rank}.npz")) for rank in range(world)]


def deviation(found: np.ndarray, expected: np.ndarray) -> float:
    size = np.linalg.norm(expected)
    return float(np.linalg.norm(found - expected) / size) if size else 0.0


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--worlds", type=int, nargs="+", default=[2, 3])
    flags.add_argument("--only", nargs="+", choices=LOSSES, default=[])
    flags.add_argument("--chunk", type=int, default=len(BATCH), help="rows that a process encodes at once")
    options = flags.parse_args()
    names = options.only or LOSSES
    one = {name: alone(name, len(BATCH)) for name in names}
    thirds = {name: alone(name, -(-len(BATCH) // 3)) for name in names}
    several = {world: together(world, names, options.chunk) for world in options.worlds}
    print(f"{len(BATCH)} images, float32; largest deviation of a gradient, relative to its length; ratio to it")
    print(f"{'loss':<20}{'1 in thirds':>12}" + "".join(f"{f'{world} processes':>24}" for world in several))
    for name in names:
        line = f"{name:<20}{max(deviation(thirds[name][part], one[name][part]) for part in one[name]):>12.1e}"
        for found in several.values():
            off = max(deviation(f[f"{name}/{part}"], g) for f in found for part, g in one[name].items())
            along = one[name]["encoder"]
            ratio = found[0][f"{name}/encoder"] @ along / (along @ along)
            line += f"{off:>14.1e}{ratio:>10.6f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
