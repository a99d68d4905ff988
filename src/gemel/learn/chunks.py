"""Batches larger than memory: an encoder run chunk by chunk, its activations computed again on the way back.

The loss still sees the whole batch, which gradient accumulation cannot give it (every chunk would lack the
negatives of the others). Knows modules and tensors; nothing of losses, and nothing of processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from gemel.errors import RecipeError

if TYPE_CHECKING:
    from jaxtyping import Float


class InChunks(nn.Module):
    """The encoder on chunks of a batch, in the memory of one chunk and the embeddings.

    The gradient is exact: with e_k = f(x_k) the embeddings of chunk k, dL/dθ = Σ_k (∂L/∂e_k) ∂e_k/∂θ, and each
    summand needs the activations of its own chunk only, which are computed a second time when it is due. The price
    is one more forward pass.

    Random draws are those of `torch.cat([encoder(chunk) for chunk in chunks])`: that is what values and gradients
    equal, dropout and mixed precision included, and the way back draws the same again without moving the generator.
    Without dropout, this equals the encoder on the whole batch; with it, one large draw may have other zeros.

    Args:
        encoder: from named inputs, each with a row for every item, to embeddings.
        rows: items in a chunk; a batch of no more is encoded as ever.

    Raises:
        RecipeError: the encoder normalises over the batch while training (see `refuse_batch_norm`), on
            construction or, where that begins later, on use.

    Source: Chen et al. (2016), Training deep nets with sublinear memory cost; Gao et al. (2021), Scaling deep
    contrastive learning batch size under memory limited setup, for the two-sided loss.
    """

    def __init__(self, encoder: nn.Module, rows: int) -> None:
        super().__init__()
        refuse_batch_norm(encoder, "Encoding a batch in chunks")
        self.encoder = encoder
        self.rows = rows

    def forward(self, **inputs: Tensor) -> Float[Tensor, "n d"]:
        refuse_batch_norm(self.encoder, "Encoding a batch in chunks")
        if all(len(x) <= self.rows for x in inputs.values()):
            return self.encoder(**inputs)

        def encode(*chunk: Tensor) -> Tensor:
            return self.encoder(**dict(zip(inputs, chunk, strict=True)))

        chunks = zip(*(torch.split(x, self.rows) for x in inputs.values()), strict=True)
        # by position: of tensors passed by keyword, `checkpoint` would not keep the state of their device's generator
        return torch.cat([checkpoint(encode, *chunk, use_reentrant=False, preserve_rng_state=True) for chunk in chunks])


def in_chunks(encoder: nn.Module, rows: int | None) -> nn.Module:
    """The encoder, so many items at once; as it is where that is None."""
    return encoder if rows is None else InChunks(encoder, rows)


def refuse_batch_norm(encoder: nn.Module, purpose: str, *, thaws: bool = False) -> None:
    """Refuse an encoder whose embeddings depend on which items of the batch are encoded together.

    BatchNorm takes its statistics from the rows at hand: per chunk or per process they are not those of the batch,
    and a recomputation would count them twice in the running ones. In use (`eval`, a frozen backbone) it is harmless.

    Args:
        encoder: as it will be trained.
        purpose: what makes it necessary, as the beginning of a sentence.
        thaws: whether what is frozen now will learn later.
    """
    parts = [
        name for name, part in encoder.named_modules() if isinstance(part, _BatchNorm) and (part.training or thaws)
    ]
    if parts:
        raise RecipeError(
            f"{purpose} needs embeddings that do not depend on the other items of a batch, and the encoder's "
            f"{parts[0] or 'only layer'} is a BatchNorm that learns ({len(parts)} in all). "
            "Choose norm=group, or for a pretrained encoder tune=frozen."
        )
