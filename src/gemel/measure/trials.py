"""Which trials a labelled set of items gives where an item is compared with several references of one identity.

Trials are numbered without being listed, as pairs are. Knows no distances.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gemel.errors import DataError
from gemel.measure.by_identity import by_identity
from gemel.measure.pairing import LIMIT, Partners, checked

if TYPE_CHECKING:
    from jaxtyping import Bool, Int

DRAWS = 10
"""So often references are drawn for each identity; less often where there are more identities than trials to list."""


class Trials(NamedTuple):
    """Items compared with references; never an item with itself.

    Attributes:
        references: positions of the items; a row is one draw of k items of one identity.
        draw: the row of `references` that each trial compares with.
        item: position of the item that is compared.
        same: whether it is of the references' identity.
        skilled: whether it is an impostor that imitates that identity.
    """

    references: Int[np.ndarray, "t k"]
    draw: Int[np.ndarray, " n"]
    item: Int[np.ndarray, " n"]
    same: Bool[np.ndarray, " n"]
    skilled: Bool[np.ndarray, " n"]


def trials_of(
    identity: Int[np.ndarray, " n"],
    k: int,
    *,
    limit: int = LIMIT,
    seed: int = 0,
    impostor_of: Int[np.ndarray, " n"] | None = None,
) -> Trials:
    """Draws of k references of every identity that has more than k items, and what is compared with them.

    The identity's other items are *same*; items of other identities, and the impostors that imitate it, *different*.

    Args:
        identity: of each item; -1 is unknown.
        k: references, 1 or more.
        limit: most trials of each of the three kinds; where there are more, a uniform sample.
        seed: of the draws and the sample.
        impostor_of: the identity an item pretends to be, else -1; such an item has no identity of its own.
    """
    checked(identity, impostor_of=impostor_of, limit=limit)
    if k < 1:
        raise DataError(f"An item is compared with 1 reference or more; {k} were asked for.")
    rng = np.random.default_rng(seed)
    members = by_identity(identity)
    order, begin = members.order.astype(np.int64), members.begin
    able = np.flatnonzero(np.diff(begin) > k)
    of = np.repeat(able, max(1, min(DRAWS, limit // max(1, len(able)))))
    drawn = [rng.permutation(order[begin[i] : begin[i + 1]]) for i in of]
    row, size = np.arange(len(of)), np.diff(begin)[of]
    rest = np.concatenate([items[k:] for items in drawn]) if drawn else order[:0]
    around = np.concatenate([order, order])  # the others of an identity follow it, once around
    kinds = [
        Partners(row, np.cumsum(size - k) - (size - k), size - k, rest),
        Partners(row, begin[of + 1], len(order) - size, around),
    ]
    if impostor_of is not None:
        fakes = np.flatnonzero(impostor_of >= 0)
        fakes = fakes[np.argsort(impostor_of[fakes], kind="stable")]
        code = identity[order[begin[of]]]
        first, end = (np.searchsorted(impostor_of[fakes], code, side=side) for side in ("left", "right"))
        kinds.append(Partners(row, first, end - first, fakes))
    found = [kind.sample(limit, rng) for kind in kinds]
    kind = np.repeat(np.arange(len(found)), [len(mine) for mine, _ in found])
    draw, item = (np.concatenate(sides) for sides in zip(*found, strict=True))
    references = np.array([items[:k] for items in drawn], np.int64).reshape(-1, k)
    return Trials(references, draw, item, kind == 0, kind == 2)
