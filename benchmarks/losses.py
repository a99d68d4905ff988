"""Losses side by side with pytorch-metric-learning and sentence-transformers: time and memory, forward and backward.

    pip install pytorch-metric-learning==2.9.0 sentence-transformers==6.2.0        the peers
    python benchmarks/losses.py                        batches of 512, 1024 and 2048, about 4 minutes
    python benchmarks/losses.py --batch 8192 --only infonce triplet
    python benchmarks/losses.py --memory 65536         peak memory of one very large batch, in a process of its own

Embeddings are random, unit-length, 128-d, eight of each identity. Every cell is the median of repeated runs after a
warm-up, in one process; the peers run right after gemel on the same tensors: "pml" is pytorch-metric-learning, "st" is
sentence-transformers, a ratio is the peer's time over gemel's. The floor is one product of the batch
with itself, forward and backward. Sizes at which the peer would need more than `--peer-gb` are not tried.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gemel.learn.distances import distance
from gemel.learn.losses import NAMED, Loss
from gemel.learn.relation import Relation, Side, SparsePairs

try:
    from sentence_transformers.sentence_transformer import losses as st
except ImportError:
    st = None
try:
    from pytorch_metric_learning import distances as peer_distances
    from pytorch_metric_learning import losses as peer
    from pytorch_metric_learning import miners
except ImportError:
    peer = None

DIM = 128
EACH = 8
SECONDS = 1.0
"""Each cell is repeated for about so long."""


@dataclass(frozen=True)
class Row:
    """One loss of both libraries.

    Attributes:
        loss: gemel's name, with the distance and what else it takes.
        peer, second: make what pytorch-metric-learning and sentence-transformers call the same, as functions of
            embeddings and labels; None: it has no such loss.
        triples: whether the peer lists every triplet; `cubes`, whether it holds every positive × every negative pair.
        each: items of an identity.
        scored: whether rows 2 i and 2 i + 1 are a pair with a score, and labels are these scores.
    """

    loss: str
    kernel: str
    choices: dict[str, object]
    peer: Callable[[], Callable[[Tensor, Tensor], Tensor]] | None = None
    second: Callable[[], Callable[[Tensor, Tensor], Tensor]] | None = None
    triples: bool = False
    cubes: bool = False
    each: int = EACH
    scored: bool = False


def cosine() -> object:
    return peer_distances.CosineSimilarity()


def euclidean() -> object:
    return peer_distances.LpDistance(normalize_embeddings=False)


def mined(loss: Callable[..., Tensor], miner: Callable[[Tensor, Tensor], object]) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda x, y: loss(x, y, miner(x, y))


ROWS = [
    Row("contrastive", "euclidean", {}, lambda: peer.ContrastiveLoss(0, 1.4, distance=euclidean())),
    Row("multisimilarity", "cosine", {}, lambda: mined(peer.MultiSimilarityLoss(), miners.MultiSimilarityMiner(0.1))),
    Row("circle", "cosine", {}, lambda: peer.CircleLoss()),
    Row("lifted", "euclidean", {}, lambda: peer.GeneralizedLiftedStructureLoss(distance=euclidean())),
    Row("supcon", "cosine", {}, lambda: peer.SupConLoss(temperature=0.1)),
    Row("infonce", "cosine", {}, lambda: peer.NTXentLoss(temperature=0.1), cubes=True),
    Row(
        "triplet",
        "euclidean",
        {"miner": "all"},
        lambda: peer.TripletMarginLoss(0.28, distance=euclidean()),
        lambda: of_labels(st.BatchAllTripletLoss),
        triples=True,
    ),
    Row(
        "triplet",
        "euclidean",
        {"miner": "hard"},
        lambda: mined(peer.TripletMarginLoss(0.28, distance=euclidean()), miners.BatchHardMiner(distance=euclidean())),
        lambda: of_labels(st.BatchHardTripletLoss),
    ),
    Row(
        "triplet",
        "euclidean",
        {"miner": "semihard"},
        lambda: mined(
            peer.TripletMarginLoss(0.28, distance=euclidean()),
            miners.TripletMarginMiner(0.28, type_of_triplets="semihard", distance=euclidean()),
        ),
        lambda: of_labels(st.BatchSemiHardTripletLoss),
        triples=True,
    ),
    Row(
        "triplet",
        "euclidean",
        {"miner": "weighted"},
        lambda: mined(peer.TripletMarginLoss(0.28, distance=euclidean()), miners.DistanceWeightedMiner()),
    ),
    Row("bce", "cosine", {}),
    Row("sigmoid", "cosine", {}),
    Row("decoupled", "cosine", {}),
    Row("npair", "cosine", {}, lambda: peer.NPairsLoss(), each=2),  # the peer takes two of each, and no more
    Row("multiplenegatives", "cosine", {}, None, lambda: of_pairs(st.MultipleNegativesRankingLoss), each=2),
    Row("cosent", "cosine", {}, None, lambda: of_pairs(st.CoSENTLoss), each=2, scored=True),
    Row("softmax", "cosine", {}, lambda: peer.NormalizedSoftmaxLoss(10_000, DIM)),
    Row("cosface", "cosine", {}, lambda: peer.CosFaceLoss(10_000, DIM)),
    Row("arcface", "cosine", {}, lambda: peer.ArcFaceLoss(10_000, DIM)),
    Row("proxyanchor", "cosine", {}, lambda: peer.ProxyAnchorLoss(10_000, DIM)),
]


def of_labels(make: Callable[..., torch.nn.Module]) -> Callable[[Tensor, Tensor], Tensor]:
    loss = make(model=None, distance_metric=st.BatchHardTripletLossDistanceFunction.eucledian_distance, margin=0.28)
    return lambda x, labels: loss.compute_loss_from_embeddings([x], labels)


def of_pairs(make: Callable[..., torch.nn.Module]) -> Callable[[Tensor, Tensor], Tensor]:
    loss = make(model=None)
    return lambda x, labels: loss.compute_loss_from_embeddings([x[0::2], x[1::2]], labels)


def scored(size: int, device: str) -> tuple[Tensor, Tensor, Relation]:
    """Embeddings, scores of the pairs of neighbouring rows, and the relation that says so."""
    x = torch.nn.functional.normalize(torch.randn(size, DIM, generator=torch.Generator().manual_seed(0)))
    score = torch.rand(size // 2, generator=torch.Generator().manual_seed(1))
    row = torch.arange(0, size, 2)
    side = Side(torch.arange(size), torch.zeros(size, dtype=torch.long))
    relation = Relation.within(side, pairs=SparsePairs(row, row + 1, score, graded=True))
    return x.to(device).requires_grad_(), score.to(device), relation.to(torch.device(device))


def batch(size: int, device: str, each: int = EACH) -> tuple[Tensor, Tensor, Relation]:
    """Embeddings, labels and what is known of them."""
    x = torch.nn.functional.normalize(torch.randn(size, DIM, generator=torch.Generator().manual_seed(0)))
    labels = torch.arange(size) // each
    side = Side(torch.arange(size), torch.zeros(size, dtype=torch.long), labels)
    return x.to(device).requires_grad_(), labels.to(device), Relation.within(side).to(torch.device(device))


def seconds(step: Callable[[], Tensor], x: Tensor, most: float = SECONDS) -> float:
    """Median of a forward and backward pass."""
    found: list[float] = []
    begun = time.perf_counter()
    while len(found) < 4 or (time.perf_counter() - begun < most and len(found) < 200):
        x.grad = None
        start = time.perf_counter()
        step().backward()
        if x.is_cuda:
            torch.cuda.synchronize()
        found.append(time.perf_counter() - start)
        if found[0] > 10:
            return found[0]
    return statistics.median(found[1:])


def gemel_loss(row: Row, device: str) -> Loss:
    proxies = {"identities": torch.arange(10_000), "dim": DIM} if row.peer and row.loss in PROXIES else {}
    return NAMED[row.loss](distance(row.kernel), **proxies, **row.choices).to(device)


PROXIES = {"softmax", "cosface", "arcface", "proxyanchor"}


def floor(x: Tensor) -> float:
    return seconds(lambda: (x @ x.T).sum(), x)


def peer_bytes(row: Row, size: int) -> float:
    """What the peer would hold, about."""
    if row.triples:
        return size * (EACH - 1) * (size - EACH) * 3 * 8
    if row.cubes:
        return size * (EACH - 1) * size * (size - EACH) * 4 * 4.2
    return size * size * 4 * 20


def second_bytes(row: Row, size: int) -> float:
    """What sentence-transformers would hold, about."""
    return size**3 * 4 * 6 if row.triples else size * size * 4 * 20


def table(size: int, only: list[str], peer_gb: float, device: str) -> None:
    least = floor(batch(size, device)[0])
    print(f"\nbatch {size}, {DIM}-d, floor {1000 * least:.1f} ms", flush=True)
    print(f"{'loss':<30}{'gemel ms':>10}{'× floor':>9}{'pml ms':>11}{'ratio':>9}{'st ms':>11}{'ratio':>9}")
    for row in ROWS:
        if only and row.loss not in only:
            continue
        x, labels, relation = scored(size, device) if row.scored else batch(size, device, row.each)
        loss = gemel_loss(row, device)
        own = seconds(lambda loss=loss, x=x, relation=relation: loss(x, x, relation).value, x)
        name = " ".join([row.loss, *map(str, row.choices.values()), row.kernel])
        line = f"{name:<30}{1000 * own:>10.1f}{own / least:>9.1f}"
        peers = ((row.peer, peer, peer_bytes(row, size)), (row.second, st, second_bytes(row, size)))
        for make, there, held in peers:
            if make is None or there is None:
                line += f"{'':>20}"
            elif held > peer_gb * 1e9:
                line += f"{f'(> {peer_gb:g} GB)':>20}"
            else:
                other = make()
                other = other.to(device) if isinstance(other, torch.nn.Module) else other
                theirs = seconds(lambda other=other, x=x, labels=labels: other(x, labels), x)
                line += f"{1000 * theirs:>11.1f}{theirs / own:>8.1f}×"
        print(line, flush=True)


def memory(size: int, only: list[str]) -> None:
    """Peak memory of one forward and backward pass of each loss, above what stood there before."""
    x, _, relation = batch(size, "cpu")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"batch {size}, {DIM}-d; {before:.2f} GiB before")
    for name in only or ["contrastive", "supcon", "infonce"]:
        start = time.perf_counter()
        NAMED[name](distance("cosine"))(x, x, relation).value.backward()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{name:<20}{time.perf_counter() - start:8.1f} s   peak {peak:.2f} GiB, all told", flush=True)


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--batch", type=int, nargs="+", default=[512, 1024, 2048])
    flags.add_argument("--only", nargs="+", default=[])
    flags.add_argument("--memory", type=int)
    flags.add_argument("--peer-gb", type=float, default=6.0)
    flags.add_argument("--device", default="cpu")
    asked = flags.parse_args()
    if asked.memory:
        memory(asked.memory, asked.only)
        return
    if peer is None:
        print("pytorch-metric-learning is not installed: only gemel is timed.", file=sys.stderr)
    torch.manual_seed(0)
    for size in asked.batch:
        table(size, asked.only, asked.peer_gb, asked.device)


if __name__ == "__main__":
    main()
