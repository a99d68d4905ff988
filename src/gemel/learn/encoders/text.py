"""What all text encoders have in common: their inputs, and how the vectors of a text's pieces become one.

Knows tensors; no tokenizer and no network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from gemel.errors import RecipeError
from gemel.learn.encoders.encoder import Backbone

if TYPE_CHECKING:
    from jaxtyping import Float, Int

POOLINGS = ("mean", "cls", "max", "last", "attention", "statistics")


class TextBackbone(Backbone):
    """A backbone over `input_ids` and `attention_mask`, both [n, l].

    Args:
        features: how many numbers come out for one text.
        pieces: how many pieces the vocabulary has.
        example: pieces of the longest text of an example.
    """

    def __init__(self, features: int, pieces: int, *, example: int = 9) -> None:
        super().__init__(features, {"input_ids": (None,), "attention_mask": (None,)})
        self.pieces = pieces
        self.longest = example

    def example(self, n: int, chance: torch.Generator) -> dict[str, Tensor]:
        """Texts of 2 and more random pieces."""
        ids = torch.randint(self.pieces, (n, self.longest), generator=chance)
        length = torch.randint(2, self.longest + 1, (n, 1), generator=chance)
        length[0] = self.longest
        return {"input_ids": ids, "attention_mask": (torch.arange(self.longest) < length).long()}


def pooled(how: str, features: int) -> int:
    """How many numbers a pooling makes of vectors of so many."""
    return 2 * features if how == "statistics" else features


class Pooling(nn.Module):
    """The vectors of a text's pieces, or of a series' points → one vector.

    Their mean, the first, the greatest, the last, or as they weigh (attention: Lin et al. 2017, A structured
    self-attentive sentence embedding); or mean and standard deviation (statistics: Snyder et al. 2018, X-vectors).

    Args:
        how: mean, cls, max, last, attention or statistics.
        features: numbers of a vector; what comes out has `pooled(how, features)`.
    """

    def __init__(self, how: str, features: int) -> None:
        super().__init__()
        if how not in POOLINGS:
            raise RecipeError(f"pooling = {how!r} does not exist; choose one of {', '.join(POOLINGS)}.")
        self.how = how
        self.weigh = nn.Sequential(nn.Linear(features, features), nn.Tanh(), nn.Linear(features, 1))
        self.weigh[-1].register_parameter("bias", None)  # softmax does not see it, so nothing could teach it
        if how != "attention":
            self.weigh = nn.Sequential()

    def forward(self, pieces: Float[Tensor, "n l f"], mask: Int[Tensor, "n l"]) -> Float[Tensor, "n p"]:
        there = mask[..., None].to(pieces.dtype)
        if self.how == "cls":
            return pieces[:, 0]
        if self.how == "last":
            last = (mask * torch.arange(mask.shape[1], device=mask.device)).argmax(1)
            return pieces.gather(1, last[:, None, None].expand(-1, 1, pieces.shape[2])).squeeze(1)
        if self.how == "max":
            return pieces.masked_fill(there == 0, -1e4).amax(1)
        if self.how == "attention":
            there = self.weigh(pieces).masked_fill(there == 0, -1e4).softmax(1)
        mean = (pieces * there).sum(1) / there.sum(1).clamp(min=1e-9)
        return torch.cat([mean, _deviation(pieces, mean, there)], 1) if self.how == "statistics" else mean


def _deviation(
    pieces: Float[Tensor, "n l f"], mean: Float[Tensor, "n f"], there: Float[Tensor, "n l 1"]
) -> Float[Tensor, "n f"]:
    """The standard deviation of each number; never quite 0, where its gradient would be infinite."""
    variance = ((pieces - mean[:, None]).square() * there).sum(1) / there.sum(1).clamp(min=1e-9)
    return (variance + 1e-5).sqrt()
