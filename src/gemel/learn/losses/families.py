"""Which rows belong to one identity, and which of them comes first: read off what they are, not where they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gemel.learn.relation import UNKNOWN, Side

if TYPE_CHECKING:
    from jaxtyping import Int


def families(side: Side) -> Int[Tensor, " n"]:
    """Codes of identities; an item that has none is one of its own, in all its views."""
    alone = -2 - side.ids
    if side.identity is None:
        return alone
    nameless = side.identity == UNKNOWN
    if side.impostor_of is not None:
        nameless = nameless | (side.impostor_of != UNKNOWN)
    return torch.where(nameless, alone, side.identity)


def turns(family: Int[Tensor, " n"], side: Side) -> Int[Tensor, " n"]:
    """How many items and views of a row's family come before it: by id, then by view.

    Rows with the same family, id and view have the same turn, so that the order of rows does not matter.
    """
    member = place = _codes(family)
    for key in (side.ids, side.view):
        place = _codes(place * len(family) + _codes(key))
    first = torch.full_like(place, len(place)).scatter_reduce(0, member, place, "amin")
    return place - first[member]


def _codes(key: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Consecutive numbers in the order of the keys; the same for equal ones."""
    return torch.unique(key, return_inverse=True)[1]
