"""Which item of an identity comes first, and which view of an item: by what they are, not by where they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gemel.learn.relation import UNKNOWN, Side

if TYPE_CHECKING:
    from jaxtyping import Int


def turns(codes: Int[Tensor, " n"], side: Side) -> Int[Tensor, " n"]:
    """How many items or views of a row's code come before it: by id, then by view; -1 where the code is unknown.

    Rows with the same code, id and view have the same turn, so that the order of rows does not matter.

    Args:
        codes: what is counted through: identities, or ids to count the views of each item.
        side: whose rows these are.
    """
    keys = torch.stack([codes, side.ids, side.view])
    place = torch.unique(keys, dim=1, return_inverse=True)[1]
    family = torch.unique(codes, return_inverse=True)[1]
    first = torch.full_like(place, len(place)).scatter_reduce(0, family, place, "amin")
    return (place - first[family]).masked_fill(codes == UNKNOWN, -1)
