"""Embeddings of all processes side by side, with the gradient of one process on the whole batch.

Every process plans the whole batch, encodes its own share, gathers the embeddings and computes the full loss on
the relation of the whole plan: what is known of pairs is never sent. Knows plans and tensors, no losses.

Why the gradient is that of one process. Let e_r = f(x_r) be the share of process r among W, and L(e_1 … e_W; φ)
the loss that each computes in full, with parameters φ of its own (proxies, temperature, scale).

- One process on the whole batch has dL/dθ = Σ_r (∂L/∂e_r) ∂e_r/∂θ, and dL/dφ.
- `DistributedDataParallel` replaces the gradient g_r of each process by (1/W) Σ_r g_r.
- For φ, every g_r is dL/dφ already, and so is their average: nothing is to be scaled.
- For θ, process r must therefore contribute g_r = W (∂L/∂e_r) ∂e_r/∂θ. Each knows ∂L/∂e_r, the gradient at its own
  rows of the gathered embeddings, for it computed all of L: the way back takes these rows times W and sends nothing.

Without a gradient through the gathering, only its own rows would teach each process, 1/W of what is due; summing over
processes on the way back and not averaging after, or the other way round, is off by W.

This holds if all processes compute the same L. A loss that draws at random (sampled proxies, weighted triplets) must
draw the same everywhere: seed with the plan's seed right before the loss, and encoders' dropout with another one for
each process. BatchNorm that learns breaks it (`chunks.refuse_batch_norm`), save as `SyncBatchNorm` on GPUs: its way
back is linear in what comes from above, so that the W passes through it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, distributed

from gemel.learn.plan import BatchPlan

if TYPE_CHECKING:
    from jaxtyping import Float


def gather(own: Float[Tensor, "r d"], plan: BatchPlan) -> Float[Tensor, "n d"]:
    """The embeddings of the whole batch, in the order of its plan; `own` itself where there is one process.

    Args:
        own: the embeddings of this process's share, `plan.shard(rank, world)`; shares may differ in size.
        plan: the whole batch; the same in all processes.
    """
    world = distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1
    if world == 1:
        return own
    shares = [len(plan.shard(rank, world)) for rank in range(world)]
    rank = distributed.get_rank()
    if len(own) != shares[rank]:
        raise ValueError(f"Process {rank} of {world} encodes {shares[rank]} of {len(plan)} rows, and gave {len(own)}.")
    whole: Tensor = _Gather.apply(own, shares, rank)  # type: ignore[no-untyped-call]
    return whole


class _Gather(torch.autograd.Function):
    """Shares → whole batch; back, this process's rows of the gradient times the number of processes."""

    @staticmethod
    def forward(ctx: Any, own: Float[Tensor, "r d"], shares: list[int], rank: int) -> Float[Tensor, "n d"]:
        ctx.world, ctx.begin, ctx.rows = len(shares), sum(shares[:rank]), len(own)
        # collectives want equal shapes: shorter shares are filled up with rows that are cut off again
        filled = own.new_zeros(max(shares), own.shape[1])
        filled[: len(own)] = own
        pieces = [torch.empty_like(filled) for _ in shares]
        distributed.all_gather(pieces, filled)
        return torch.cat([piece[:share] for piece, share in zip(pieces, shares, strict=True)])

    @staticmethod
    def backward(ctx: Any, above: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "r d"], None, None]:
        return ctx.world * above[ctx.begin : ctx.begin + ctx.rows], None, None
