"""What a matrix product says of a distance: a score, larger is nearer, and how far rounding can have moved it.

Works on arrays of embeddings; knows no items, identities or files.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True)
class Asked:
    """Queries as a score wants them.

    Attributes:
        vectors: embeddings, or what is multiplied instead.
        size: what rounding errors grow with.
    """

    vectors: Float[np.ndarray, "q d"]
    size: Float[np.ndarray, " q"]

    @functools.cached_property
    def and_one(self) -> Float[np.ndarray, "q e"]:
        """The vectors and a column of ones, so that a product adds a number of the row."""
        return np.hstack([self.vectors, np.ones((len(self.vectors), 1), self.vectors.dtype)])

    @property
    def error(self) -> float:
        """As in `exact.loosened`: relative to squared lengths, or to lengths."""
        return 4 * (self.vectors.shape[1] + 8) * float(np.finfo(self.vectors.dtype).eps)


class Score(ABC):
    """One number of each row is kept, with which a product of rows becomes scores."""

    blank = 0.0
    """What stands where a row was removed."""

    @abstractmethod
    def kept(self, rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """The number that is kept of each row."""

    @abstractmethod
    def asked(self, query: Float[np.ndarray, "q d"]) -> Asked:
        """Queries as the other methods want them."""

    @abstractmethod
    def into(
        self,
        out: Float[np.ndarray, "q n"],
        asked: Asked,
        rows: Float[np.ndarray, "n d"],
        kept: Float[np.ndarray, " n"],
    ) -> None:
        """Write the scores of rows."""

    @abstractmethod
    def off(self, asked: Asked, kept: Float[np.ndarray, " n"]) -> Float[np.ndarray, " q"]:
        """How far a computed score can be from that of the distance that `paired` computes."""

    @abstractmethod
    def of(self, asked: Asked, far: Float[np.ndarray, " q"]) -> Float[np.ndarray, " q"]:
        """The score of a row at a distance."""


class EuclideanScore(Score):
    """a · b - |b|² / 2, which is (|a|² - distance²) / 2."""

    def kept(self, rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        return np.einsum("nd,nd->n", rows, rows) / 2

    def asked(self, query: Float[np.ndarray, "q d"]) -> Asked:
        return Asked(query, np.square(query, dtype=np.float64).sum(axis=1))

    def into(
        self,
        out: Float[np.ndarray, "q n"],
        asked: Asked,
        rows: Float[np.ndarray, "n d"],
        kept: Float[np.ndarray, " n"],
    ) -> None:
        if _few(asked):
            np.matmul(asked.vectors, rows.T, out=out)
            out -= kept
        else:
            np.matmul(asked.and_one, np.hstack([rows, -kept[:, None]]).T, out=out)

    def off(self, asked: Asked, kept: Float[np.ndarray, " n"]) -> Float[np.ndarray, " q"]:
        return asked.error / 2 * (asked.size + 2 * float(kept.max()))

    def of(self, asked: Asked, far: Float[np.ndarray, " q"]) -> Float[np.ndarray, " q"]:
        return (asked.size - far.astype(np.float64) ** 2) / 2


class CosineScore(Score):
    """The cosine, 1 - distance; of a zero query nothing is sure, for only other zeros are near it."""

    def kept(self, rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        length = np.sqrt(np.einsum("nd,nd->n", rows, rows))
        return np.divide(1, length, out=np.zeros_like(length), where=length > 0)

    def asked(self, query: Float[np.ndarray, "q d"]) -> Asked:
        unit = query * self.kept(query)[:, None]
        return Asked(unit, np.where(unit.any(axis=1), 1, np.inf))

    def into(
        self,
        out: Float[np.ndarray, "q n"],
        asked: Asked,
        rows: Float[np.ndarray, "n d"],
        kept: Float[np.ndarray, " n"],
    ) -> None:
        if _few(asked):
            np.matmul(asked.vectors, rows.T, out=out)
            out *= kept
        else:
            np.matmul(asked.vectors, (rows * kept[:, None]).T, out=out)

    def off(self, asked: Asked, kept: Float[np.ndarray, " n"]) -> Float[np.ndarray, " q"]:
        return asked.error * asked.size

    def of(self, asked: Asked, far: Float[np.ndarray, " q"]) -> Float[np.ndarray, " q"]:
        return 1 - far.astype(np.float64)


class ManhattanScore(Score):
    """Minus the distance, row by row: there is no product that says it."""

    blank = 1e30  # far from everything, and its sums are finite

    def kept(self, rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        return np.abs(rows).sum(axis=1)

    def asked(self, query: Float[np.ndarray, "q d"]) -> Asked:
        return Asked(query, np.abs(query).sum(axis=1, dtype=np.float64))

    def into(
        self,
        out: Float[np.ndarray, "q n"],
        asked: Asked,
        rows: Float[np.ndarray, "n d"],
        kept: Float[np.ndarray, " n"],
    ) -> None:
        step = max(1, (1 << 17) // max(1, rows.shape[1]))  # gaps that stay in the cache
        gap, minus = np.empty((min(step, len(rows)), rows.shape[1]), out.dtype), np.full(rows.shape[1], -1, out.dtype)
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            room = gap[: len(part)]
            for i, one in enumerate(asked.vectors):
                np.abs(np.subtract(part, one, out=room), out=room)
                np.matmul(room, minus, out=out[i, start : start + step])

    def off(self, asked: Asked, kept: Float[np.ndarray, " n"]) -> Float[np.ndarray, " q"]:
        return asked.error / 4 * (asked.size + float(kept.max()))

    def of(self, asked: Asked, far: Float[np.ndarray, " q"]) -> Float[np.ndarray, " q"]:
        return -far.astype(np.float64)


def _few(asked: Asked) -> bool:
    """Whether it is less work to go over the scores once more than to change the rows."""
    return len(asked.vectors) <= asked.vectors.shape[1]


SCORES: dict[str, Score] = {
    "euclidean": EuclideanScore(),
    "cosine": CosineScore(),
    "manhattan": ManhattanScore(),
}
