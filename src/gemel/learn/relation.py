"""What is known of the pairs between two sides of a batch: factored, never an n × n matrix by itself.

A loss asks for row blocks. The two sides are usually the same side twice; they differ across
processes, across modalities and against a memory. Knows tensors of codes, no embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

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

    def __getitem__(self, rows: slice | Int[Tensor, " m"]) -> Side:
        identity, impostor_of = self.identity, self.impostor_of
        return Side(
            ids=self.ids[rows],
            view=self.view[rows],
            identity=None if identity is None else identity[rows],
            impostor_of=None if impostor_of is None else impostor_of[rows],
        )

    def to(self, device: torch.device) -> Side:
        """The same side on another device."""
        identity, impostor_of = self.identity, self.impostor_of
        return Side(
            ids=self.ids.to(device),
            view=self.view.to(device),
            identity=None if identity is None else identity.to(device),
            impostor_of=None if impostor_of is None else impostor_of.to(device),
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

    def to(self, device: torch.device) -> SparsePairs:
        """The same pairs on another device."""
        return SparsePairs(self.row.to(device), self.col.to(device), self.value.to(device), self.graded)


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

    @cached_property
    def positives(self) -> tuple[Int[Tensor, " p"], Int[Tensor, " p"]]:
        """Rows and columns of the same pairs, row by row."""
        row, col = self.same.nonzero(as_tuple=True)
        return row, col


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
    ) -> Relation:
        """The relation of a batch to itself."""
        return cls(side, side, pairs, others)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.rows), len(self.cols)

    def to(self, device: torch.device) -> Relation:
        """The same relation on another device; two equal sides stay one object."""
        rows = self.rows.to(device)
        cols = rows if self.cols is self.rows else self.cols.to(device)
        pairs = None if self.pairs is None else self.pairs.to(device)
        return Relation(rows, cols, pairs, self.others)

    def part(self, rows: Int[Tensor, " a"], cols: Int[Tensor, " b"]) -> Relation:
        """What is known between some rows and some columns, each named once, in that order."""
        if self.pairs is None:
            return Relation(self.rows[rows], self.cols[cols], None, self.others)
        row, col, value = self._both_ways(self.pairs)
        row, col = _placed(rows, len(self.rows))[row], _placed(cols, len(self.cols))[col]
        kept = (row >= 0) & (col >= 0)
        pairs = SparsePairs(row[kept], col[kept], value[kept], self.pairs.graded)
        return Relation(self.rows[rows], self.cols[cols], pairs, self.others)

    def turned(self) -> Relation:
        """The same with rows and columns in each other's place."""
        pairs = self.pairs
        if pairs is not None:
            pairs = SparsePairs(pairs.col, pairs.row, pairs.value, pairs.graded)
        return Relation(self.cols, self.rows, pairs, self.others)

    def block(self, rows: slice = slice(None)) -> Block:
        """What is known between the given rows and every column.

        What is stronger comes first: equal content, then explicit pairs, then impostors, then identities,
        and last `others`.
        """
        side, cols = self.rows[rows], self.cols
        same, different = _identities(side, cols, complete=self._complete)
        different = _impostors(side, cols, different)
        score = self._listed(rows, same, different)
        if self.others == "different":
            different |= ~(same | _reserved(side, cols) | _scored(score, same)) if self._special else ~same
        if self._distinct:
            itself = torch.arange(len(self.rows), device=same.device)[rows]
            place = torch.arange(len(itself), device=same.device)
            same[place, itself] = different[place, itself] = False
            if score is not None:
                score[place, itself] = torch.nan
            return Block(same, different, score)
        if self._disjoint:
            return Block(same, different, score)
        content = side.ids[:, None] == cols.ids
        same |= content
        same &= ~(content & (side.view[:, None] == cols.view))
        different &= ~content
        return Block(same, different, None if score is None else score.masked_fill(content, torch.nan))

    @cached_property
    def _distinct(self) -> bool:
        """Whether content is equal only between a row and itself: the common batch, and the quick one."""
        return self.rows is self.cols and len(torch.unique(self.rows.ids)) == len(self.rows)

    @cached_property
    def _disjoint(self) -> bool:
        """Whether no content is on both sides: the questions and answers of a batch."""
        return self.rows is not self.cols and not bool(torch.isin(self.rows.ids, self.cols.ids).any())

    @cached_property
    def _complete(self) -> bool:
        """Whether every row and every column has a known identity."""
        sides = (self.rows,) if self.rows is self.cols else (self.rows, self.cols)
        return all(
            s.impostor_of is None and s.identity is not None and bool((s.identity != UNKNOWN).all()) for s in sides
        )

    @property
    def _special(self) -> bool:
        """Whether there are pairs of which nothing may be assumed although nothing is said of them."""
        impostors = self.rows.impostor_of is not None or self.cols.impostor_of is not None
        return impostors or (self.pairs is not None and self.pairs.graded)

    def _listed(self, rows: slice, same: Tensor, different: Tensor) -> Tensor | None:
        """Write the explicit pairs into the two masks in place; the scores, if any, are returned."""
        if self.pairs is None:
            return None
        row, col, value = self._within(rows, self.pairs)
        same[row, col] = (value > 0.5) & (not self.pairs.graded)
        different[row, col] = (value <= 0.5) & (not self.pairs.graded)
        if not self.pairs.graded:
            return None
        score = torch.full(same.shape, torch.nan, dtype=value.dtype, device=same.device)
        score[row, col] = value
        return score

    def _within(self, rows: slice, pairs: SparsePairs) -> tuple[Tensor, Tensor, Tensor]:
        """The explicit pairs whose row is asked for, by position in the block."""
        row, col, value = self._both_ways(pairs)
        row = _placed(torch.arange(len(self.rows), device=row.device)[rows], len(self.rows))[row]
        inside = row >= 0
        return row[inside], col[inside], value[inside]

    def _both_ways(self, pairs: SparsePairs) -> tuple[Tensor, Tensor, Tensor]:
        """The explicit pairs; on one side they count in both directions."""
        if self.rows is not self.cols:
            return pairs.row, pairs.col, pairs.value
        row, col = torch.cat([pairs.row, pairs.col]), torch.cat([pairs.col, pairs.row])
        return row, col, torch.cat([pairs.value, pairs.value])


def _placed(chosen: Int[Tensor, " a"], size: int) -> Int[Tensor, " n"]:
    """Where each of `size` positions stands among the chosen ones; -1 where it does not."""
    place = torch.full((size,), -1, device=chosen.device)
    place[chosen] = torch.arange(len(chosen), device=chosen.device)
    return place


def _identities(rows: Side, cols: Side, *, complete: bool) -> tuple[Tensor, Tensor]:
    """Same and different by identity; an impostor has none of its own."""
    left, right = own_identity(rows)[:, None], own_identity(cols)
    equal = left == right
    if complete:
        return equal, ~equal
    known = (left != UNKNOWN) & (right != UNKNOWN)
    return known & equal, known & ~equal


def own_identity(side: Side) -> Tensor:
    """Codes of identities; UNKNOWN for an impostor."""
    if side.identity is None:
        return torch.full_like(side.ids, UNKNOWN)
    if side.impostor_of is None:
        return side.identity
    return side.identity.masked_fill(side.impostor_of != UNKNOWN, UNKNOWN)


def _impostors(rows: Side, cols: Side, different: Tensor) -> Tensor:
    """An impostor is different from the identity it pretends to be, in either direction."""
    if rows.impostor_of is not None:
        different |= (rows.impostor_of[:, None] == own_identity(cols)) & (rows.impostor_of != UNKNOWN)[:, None]
    if cols.impostor_of is not None:
        different |= (own_identity(rows)[:, None] == cols.impostor_of) & (cols.impostor_of != UNKNOWN)
    return different


def _reserved(rows: Side, cols: Side) -> Tensor:
    """Pairs of which nothing may be assumed: an impostor against anything but what it claims."""
    reserved = torch.zeros(len(rows), len(cols), dtype=torch.bool, device=rows.ids.device)
    if rows.impostor_of is not None:
        reserved |= (rows.impostor_of != UNKNOWN)[:, None]
    if cols.impostor_of is not None:
        reserved |= cols.impostor_of != UNKNOWN
    return reserved


def _scored(score: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if score is None else ~score.isnan()
