"""Items of a collection against several references of one identity, with known answers.

Knows collections and embeddings; decides nothing.
"""

from __future__ import annotations

import numpy as np

from gemel.errors import NotEnoughData
from gemel.items.collection import UNKNOWN, Collection
from gemel.items.units import claims
from gemel.items.words import many
from gemel.measure.pairing import owners
from gemel.measure.trials import trials_of
from gemel.siamese.embedding import Embeddings
from gemel.siamese.known import Known
from gemel.siamese.operating import Method


def known_trials(
    data: Collection, found: Embeddings, method: Method, *, limit: int = 100_000, seed: int = 0, fewest: int = 1
) -> Known:
    """Items of a collection against references of one identity: its own, another, or the one that they imitate.

    For every identity with more than `method.references` items these are drawn several times, and all other items are
    compared with them. A trial rests on the identity of the references and on that of the item. Of exact copies only
    the first takes part. More than `limit` of a kind are sampled.

    Raises:
        NotEnoughData: fewer than `fewest` identities have so many items, or identities are not known.
    """
    items, k = data.take(found.index), method.references
    if items.identity is None:
        raise NotEnoughData(
            f"References are items of one identity, and {data.origin} knows no identities. Give a folder per identity, "
            "or a table with an identity column; or leave out refs and compare pairs."
        )
    first = np.zeros(len(found), bool)
    first[np.unique(found.content, return_index=True)[1]] = True
    codes, claimed = np.where(first, items.identity.codes, UNKNOWN), claims(items)
    claimed = None if claimed is None else np.where(first, claimed, UNKNOWN)
    size = np.bincount(codes[codes >= 0])
    able, there = int(np.count_nonzero(size > k)), int(np.count_nonzero(size))
    if able < fewest:
        raise NotEnoughData(
            f"{k} references and an item to compare with them take {many(k + 1, 'item')} of an identity, no two the "
            f"same; of {many(there, 'identity')} in {data.origin}, {able} "
            f"have so many, and at least {fewest} must. Add items, or take fewer references."
        )
    trials, owner = trials_of(codes, k, limit=limit, seed=seed, impostor_of=claimed), owners(codes, claimed)
    return Known(
        trials.draw,
        trials.item,
        trials.same,
        trials.skilled,
        codes[trials.references[trials.draw, 0]],
        owner[trials.item],
        int(np.count_nonzero(~first)),
        "references",
        references=trials.references,
        pool=method.pooling,
        normalise=method.normalised,
    )
