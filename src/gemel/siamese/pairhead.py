"""A pair head: says of two embeddings how far apart they are, for a second look at the nearest.

A `Distance` like the others, so that every measure, decision and verdict applies to it; it is no metric, and a search
over many items proposes by `first` and lets the head decide. Knows embeddings, no items.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from gemel.distances import BLOCK, Distance
from gemel.siamese.manifest import HEAD, WARPED
from gemel.siamese.onnx import OnnxEncoder
from gemel.siamese.warping import Warping

if TYPE_CHECKING:
    from jaxtyping import Float

A, B = "a", "b"
"""Names of the two inputs of its ONNX file, [n, dim] each; the output is [n, 1], the log-odds of *same*."""


class PairHead(ABC):
    """The distance -ln p, where p is the head's own probability of *same*: above 0, and the same either way round.

    Args:
        content: the file that holds it.
        first: the distance of the embeddings themselves, which proposes whom the head looks at.
    """

    name = "pair head"
    furthest = math.inf
    file: str
    """Its name in the model folder."""
    words: str
    """What it does, for people."""

    def __init__(self, content: bytes, first: Distance) -> None:
        self.content, self.first = content, first

    @property
    def key(self) -> str:
        """Sixteen digits that differ where the head does: part of the method that a decision belongs to."""
        return hashlib.sha256(self.content).hexdigest()[:16]

    @abstractmethod
    def log_odds(self, a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """Of *same*: row i of `a` with row i of `b`, one row or more."""

    def paired(self, a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """Row i of `a` against row i of `b`."""
        return np.logaddexp(np.float32(0), -self.log_odds(a, b)) if len(a) else np.zeros(0, np.float32)

    def matrix(self, a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "n m"]:
        """Every row of `a` against every row of `b`: the head looks at n × m pairs, in blocks."""
        out = np.empty((len(a), len(b)), np.float32)
        cols = max(1, BLOCK // 8 // max(1, a.shape[1]))  # the head holds a few arrays of that size
        for row in range(len(a)):
            for start in range(0, len(b), cols):
                part = b[start : start + cols]
                out[row, start : start + cols] = self.paired(np.broadcast_to(a[row], part.shape), part)
        return out

    def typical(self, dim: int) -> float:
        """Where the head cannot tell: p = ½."""
        return math.log(2)


class NetworkHead(PairHead):
    """A small network over two embeddings.

    Args:
        content: the network, ONNX.
        first: as in `PairHead`.
        threads: threads of one call; None: as many as ONNX Runtime likes.
    """

    file = HEAD
    words = "A pair head, a small network, looks at two embeddings once more and says how far apart they are."

    def __init__(self, content: bytes, first: Distance, *, threads: int | None = None) -> None:
        super().__init__(content, first)
        self._network = OnnxEncoder(content, threads=threads)

    def log_odds(self, a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        return self._network({A: a, B: b})[:, 0]


class WarpedHead(PairHead):
    """Two series are laid along each other (dynamic time warping), and their channels compared along the path.

    Args:
        content: a `Warping`, as it is kept.
        first: as in `PairHead`.
    """

    file = WARPED
    words = "A pair head lays two series along each other (dynamic time warping) and says how far apart they are."

    def __init__(self, content: bytes, first: Distance) -> None:
        super().__init__(content, first)
        self.warping = Warping.of(content)

    def log_odds(self, a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        return self.warping.log_odds(a, b)


def head_of(content: bytes, first: Distance, *, threads: int | None = None) -> PairHead:
    """The head that a file holds: JSON is a warped one, anything else a network."""
    return WarpedHead(content, first) if content.startswith(b"{") else NetworkHead(content, first, threads=threads)


def proposing(metric: Distance) -> Distance:
    """The distance that a search over many items proposes by: of a pair head, that of the embeddings."""
    return metric.first if isinstance(metric, PairHead) else metric
