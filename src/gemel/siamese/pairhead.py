"""A pair head: a small network over two embeddings that says how far apart they are, for a second look at the nearest.

A `Distance` like the others, so that every measure, decision and verdict applies to it; it is no metric, and a search
over many items proposes by `first` and lets the head decide. Knows embeddings, no items.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gemel.distances import BLOCK, Distance
from gemel.siamese.onnx import OnnxEncoder

if TYPE_CHECKING:
    from jaxtyping import Float

A, B = "a", "b"
"""Names of the two inputs of its ONNX file, [n, dim] each; the output is [n, 1], the log-odds of *same*."""


class PairHead:
    """The distance -ln p, where p is the head's own probability of *same*: above 0, and the same either way round.

    Args:
        content: the network, ONNX.
        first: the distance of the embeddings themselves, which proposes whom the head looks at.
        threads: threads of one call; None: as many as ONNX Runtime likes.
    """

    name = "pair head"
    furthest = math.inf

    def __init__(self, content: bytes, first: Distance, *, threads: int | None = None) -> None:
        self.content, self.first = content, first
        self._network = OnnxEncoder(content, threads=threads)

    @property
    def key(self) -> str:
        """Sixteen digits that differ where the network does: part of the method that a decision belongs to."""
        return self._network.sha256[:16]

    def paired(self, a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """Row i of `a` against row i of `b`."""
        if not len(a):
            return np.zeros(0, np.float32)
        log_odds = self._network({A: a, B: b})[:, 0]
        return np.logaddexp(np.float32(0), -log_odds)

    def matrix(self, a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "n m"]:
        """Every row of `a` against every row of `b`: n × m times through the network, in blocks."""
        out = np.empty((len(a), len(b)), np.float32)
        cols = max(1, BLOCK // 8 // max(1, a.shape[1]))  # the network holds a few arrays of that size
        for row in range(len(a)):
            for start in range(0, len(b), cols):
                part = b[start : start + cols]
                out[row, start : start + cols] = self.paired(np.broadcast_to(a[row], part.shape), part)
        return out

    def typical(self, dim: int) -> float:
        """Where the head cannot tell: p = ½."""
        return math.log(2)


def proposing(metric: Distance) -> Distance:
    """The distance that a search over many items proposes by: of a pair head, that of the embeddings."""
    return metric.first if isinstance(metric, PairHead) else metric
