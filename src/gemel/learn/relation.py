"""What is known of the pairs between two sides of a batch: factored, never an n × n matrix by itself.

A loss asks for row blocks. The two sides are usually the same side twice; they differ across
processes, across modalities and against a memory. Knows tensors of codes, no embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

UNKNOWN = -1


@dataclass(frozen=True)
class Side:
    """The items on one side of a batch.

    Attributes:
        ids: equal exactly where the content is equal, so that duplicates in a data set share one.
        view: which look at the item a row is; the same (id, view) is never a pair.
        identity: what makes two items the same; UNKNOWN (-1) where it is not known.
        impostor_of: the identity a row pretends to be; UNKNOWN for ordinary items.
    """

    ids: Int[Tensor, " n"]
    view: Int[Tensor, " n"]
    identity: Int[Tensor, " n"] | None = None
    impostor_of: Int[Tensor, " n"] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: slice | Int[Tensor, " m"]) -> Self:
        identity, impostor_of = self.identity, self.impostor_of
        return type(self)(
            ids=self.ids[rows],
            view=self.view[rows],
            identity=None if identity is None else identity[rows],
            impostor_of=None if impostor_of is None else impostor_of[rows],
        )


@dataclass(frozen=True)
class SparsePairs:
    """The pairs that were given, each once: row i, column j, and same (1), different (0) or a score in [0, 1].

    A pair between two rows of one side counts in both directions; list it once.
    """

    row: Int[Tensor, " m"]
    col: Int[Tensor, " m"]
    value: Float[Tensor, " m"]
    graded: bool = False
    """Whether `value` is a score; otherwise it is 1 for same and 0 for different."""


@dataclass(frozen=True)
class Block:
    """What is known between some rows and all columns. A pair that is neither same nor different is unknown.

    Attributes:
        same, different: never both true; the same (id, view) is neither.
        score: NaN where there is none; None when no score was given at all.
    """

    same: Bool[Tensor, "b m"]
    different: Bool[Tensor, "b m"]
    score: Float[Tensor, "b m"] | None = None


@dataclass(frozen=True)
class Relation:
    """What is known between two sides.

    Attributes:
        rows, cols: the two sides; the same object twice for an ordinary batch.
        pairs: explicit pairs, by position on the two sides; they win over identities.
        others: what a pair is that nothing else speaks of: "different" for in-batch negatives,
            "unknown" when only what is given counts.
    """

    rows: Side
    cols: Side
    pairs: SparsePairs | None = None
    others: Literal["unknown", "different"] = "unknown"

    @classmethod
    def within(
        cls, side: Side, *, pairs: SparsePairs | None = None, others: Literal["unknown", "different"] = "unknown"
    ) -> Self:
        """The relation of a batch to itself."""
        return cls(side, side, pairs, others)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.rows), len(self.cols)

    def block(self, rows: slice = slice(None)) -> Block:
        """What is known between the given rows and every column."""
        side, cols = self.rows[rows], self.cols
        content = side.ids[:, None] == cols.ids
        itself = content & (side.view[:, None] == cols.view)
        same = content.clone()
        different = torch.zeros_like(same)
        if side.identity is not None and cols.identity is not None:
            known = (side.identity[:, None] != UNKNOWN) & (cols.identity != UNKNOWN)
            equal = side.identity[:, None] == cols.identity
            same |= known & equal
            different |= known & ~equal
        different |= _impostors(side, cols)
        score = self._listed(rows, same, different)
        if self.others == "different":
            different |= ~_claimed(side, cols)
        same &= ~itself
        different &= ~same & ~content
        return Block(same, different, score)

    def _listed(self, rows: slice, same: Tensor, different: Tensor) -> Tensor | None:
        """Write the explicit pairs into the two masks in place; the scores, if any, are returned."""
        if self.pairs is None:
            return None
        start, stop, _ = rows.indices(len(self.rows))
        row, col, value = self.pairs.row, self.pairs.col, self.pairs.value
        if self.rows is self.cols:
            row, col, value = torch.cat([row, col]), torch.cat([col, row]), torch.cat([value, value])
        inside = (row >= start) & (row < stop)
        row, col, value = row[inside] - start, col[inside], value[inside]
        if self.pairs.graded:
            score = torch.full(same.shape, torch.nan, device=same.device)
            score[row, col] = value.to(score.dtype)
            return score
        same[row, col] = value > 0.5
        different[row, col] = value <= 0.5
        return None


def _impostors(rows: Side, cols: Side) -> Tensor:
    """An impostor is different from the identity it pretends to be, in either direction."""
    found = torch.zeros(len(rows), len(cols), dtype=torch.bool, device=rows.ids.device)
    for near, far, turn in ((rows, cols, False), (cols, rows, True)):
        if near.impostor_of is None or far.identity is None:
            continue
        meets = (near.impostor_of[:, None] == far.identity) & (near.impostor_of[:, None] != UNKNOWN)
        found |= meets.T if turn else meets
    return found


def _claimed(rows: Side, cols: Side) -> Tensor:
    """Pairs of which something is said already, or of which nothing may be assumed: an impostor against others."""
    claimed = torch.zeros(len(rows), len(cols), dtype=torch.bool, device=rows.ids.device)
    if rows.impostor_of is not None:
        claimed |= (rows.impostor_of != UNKNOWN)[:, None]
    if cols.impostor_of is not None:
        claimed |= cols.impostor_of != UNKNOWN
    return claimed
