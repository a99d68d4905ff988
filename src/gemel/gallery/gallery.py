"""Who is known: enrol, verify a claim, identify, search, forget. A twin, and a store of its embeddings.

Items come in here in the user's frame; below are rows and vectors only.
"""

from __future__ import annotations

import difflib
import math
import threading
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import DataError, GemelError, ModelError, NotCalibrated, TooManyBad, UnreadableItem
from gemel.gallery.answers import Enrolled, Hit, Match
from gemel.gallery.matrix import Matrix
from gemel.gallery.memory import MemoryStore
from gemel.gallery.store import Row, Store
from gemel.items.decoded import Bad, listed
from gemel.siamese.decision import Decision
from gemel.siamese.embedding import Embeddings, collected, is_one
from gemel.siamese.twin import Siamese
from gemel.siamese.verdict import Verdict, applicable, judged

if TYPE_CHECKING:
    from jaxtyping import Float


class Gallery:
    """Enrolled identities, and the twin that compares with them.

    The distance to an identity is that to the nearest of its items. Safe to use from several threads.

    Args:
        url: where rows are kept; None: in memory, for as long as the process lives.
        twin: what embeds and compares.
        store: a store of your own, instead of `url`.

    Raises:
        ModelError: the store holds embeddings of another encoder.
    """

    def __init__(
        self, url: str | Path | None = None, twin: Siamese | None = None, *, store: Store | None = None
    ) -> None:
        if twin is None:
            raise DataError("A gallery needs a twin to compare with: Gallery(twin=Siamese.load('MODEL.gemel')).")
        if url is not None:
            raise DataError(f"Galleries are kept in memory only; {str(url)!r} cannot be opened. Leave it out.")
        self.twin = twin
        self.store = store or MemoryStore(twin.embedding_id, twin.method.dim, twin.method.distance)
        meta = self.store.meta()
        if meta.embedding_id != twin.embedding_id or meta.distance != twin.method.distance:
            raise ModelError(
                "The store holds embeddings of another encoder, preparation, precision or distance; they cannot be "
                "compared with this twin's. Open it with the twin that filled it, or enrol anew."
            )
        self._matrix = Matrix(meta.dim, twin.metric)
        self._lock = threading.RLock()

    def enroll(self, identity: str, items: Any, metadata: Mapping[str, Any] | None = None) -> Enrolled:
        """Make items of an identity known; it may be known already.

        Args:
            identity: the name to find it by.
            items: one item or several; what `Siamese.embed` takes.
            metadata: kept with each item, returned by `search`; plain JSON values.

        Raises:
            UnreadableItem, TooManyBad: not one of the items can be read. Otherwise bad ones are reported.
        """
        _refuse_empty(identity)
        given = collected(items, self.twin.modality)
        found = self.twin.embed(given)
        if not len(found):
            raise _unreadable(found.bad)
        names = [given.name(int(i)) for i in found.index]
        with self._lock:
            before = {row.content for row in self._rows().of(identity)}
            first = {content: i for i, content in reversed(list(enumerate(found.content.tolist())))}
            fresh = sorted(i for content, i in first.items() if content not in before)
            self.store.put([_row(identity, found, i, names[i], metadata) for i in fresh])
        return Enrolled(identity, len(fresh), len(found) - len(fresh), found.bad)

    def verify(
        self,
        identity: str,
        item: Any,
        *,
        fmr: float | None = None,
        prior: float | None = None,
        certainty: float | None = None,
    ) -> Verdict:
        """Whether an item shows the identity it claims.

        The more items an identity has, the nearer a stranger comes to one of them: the decision was fitted on
        single items, so its false match rate holds for an identity of one item and is a lower bound for others.

        Args:
            identity: the claim.
            item: one item.
            fmr, prior, certainty: as in `Siamese.verify`.

        Raises:
            DataError: no such identity is enrolled.
            NotCalibrated: the twin has no decision for its method.
            UnreadableItem: the item cannot be read.
        """
        decision = self._decision()
        with self._lock:
            self._known(identity)
            ((_, distance),) = self._nearest(self._probe(item), 1, identity)
        return judged(decision, distance, fmr=fmr, prior=prior, certainty=certainty)

    def identify(self, item: Any, *, prior: float | None = None) -> Match | None:
        """Who an item shows; None: nobody who is enrolled.

        One of N identities is a stronger claim than one of one, and must be nearer: each of the N has the prior
        `prior` / N, so that the threshold tightens as the gallery grows. It takes account of identities, not of how
        many items each has.

        Args:
            item: one item.
            prior: probability that whoever is shown is enrolled at all, above 0 and below 1; None: the decision's.

        Raises:
            NotCalibrated: the twin has no decision for its method, or one that can never be sure among so many.
            UnreadableItem: the item cannot be read.
        """
        decision = self._decision()
        with self._lock:
            count = len(self)
            nearest = self._nearest(self._probe(item), 1)
        if not nearest:
            return None
        among = decision.at((decision.prior if prior is None else prior) / count)
        threshold = among.threshold()
        if threshold == -math.inf:
            raise NotCalibrated(
                f"The calibration, on {decision.counts.identities} identities, is never sure enough to name one of "
                f"{count}. Calibrate with more identities, or give a higher prior."
            )
        ((row, distance),) = nearest
        if distance > threshold:
            return None
        return Match(row.identity, float(among.probability(distance)), distance, threshold)

    def search(self, item: Any, k: int = 10) -> list[Hit]:
        """The enrolled items nearest to an item, nearest first; needs no calibration.

        Raises:
            UnreadableItem: the item cannot be read.
        """
        with self._lock:
            found = self._nearest(self._probe(item), k)
        return [Hit(row.identity, row.name, distance, row.metadata) for row, distance in found]

    def forget(self, identity: str) -> int:
        """Remove an identity with all its items; returns how many. Raises DataError when it is not enrolled."""
        with self._lock:
            rows = self._known(identity)
            self.store.remove([row.id for row in rows])
            self._rows()
        return len(rows)

    def rename(self, identity: str, to: str) -> None:
        """Call an identity by another name. Raises DataError when it is not enrolled, or the new name is taken."""
        _refuse_empty(to)
        with self._lock:
            rows = self._known(identity)
            if to != identity and to in self:
                raise DataError(f"{to!r} is enrolled already; forget one of the two, or enrol more items for it.")
            self.store.put([replace(row, identity=to) for row in rows])

    def identities(self) -> tuple[str, ...]:
        """Every enrolled identity, in order of enrolment."""
        with self._lock:
            return self._rows().identities()

    def __len__(self) -> int:
        """How many identities are enrolled."""
        return len(self.identities())

    def __contains__(self, identity: str) -> bool:
        return identity in self.identities()

    def _decision(self) -> Decision:
        """The twin's, where it holds for whatever is enrolled and asked."""
        if self.twin.method.branches:
            raise NotCalibrated(
                f"This twin decides about {' with '.join(self.twin.method.branches)}, and a gallery may hold either. "
                "Search it, or ask twin.verify about two items."
            )
        return applicable(self.twin.decisions, self.twin.method)

    def _rows(self) -> Matrix:
        """The rows as they are now; call with the lock."""
        self._matrix.apply(self.store.changes(self._matrix.seq))
        return self._matrix

    def _known(self, identity: str) -> list[Row]:
        rows = self._rows().of(identity)
        if not rows:
            near = difflib.get_close_matches(identity, self._matrix.identities(), n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are {len(self._matrix.identities())} identities."
            raise DataError(f"{identity!r} is not enrolled. {hint}")
        return rows

    def _probe(self, item: Any) -> Float[np.ndarray, " d"]:
        if not is_one(item, self.twin.modality):
            raise DataError("Compare one item at a time; several came.")
        found = self.twin.embed(item)
        if not len(found):
            raise _unreadable(found.bad)
        return found.vectors[0]

    def _nearest(self, q: Float[np.ndarray, " d"], k: int, where: str | None = None) -> list[tuple[Row, float]]:
        """The nearest rows, from the store where it searches, otherwise from the rows it told; call with the lock."""
        rows = self._rows()
        hits = self.store.search(q, k, where)
        if hits is None:
            hits = rows.search(q, k, where)
        return [(rows.rows[row_id], float(d)) for row_id, d in zip(hits.ids, hits.distance, strict=True)]


def _row(identity: str, found: Embeddings, i: int, name: str, metadata: Mapping[str, Any] | None) -> Row:
    return Row(
        id=uuid.uuid4().hex,
        identity=identity,
        vector=found.vectors[i].copy(),
        name=name,
        content=int(found.content[i]),
        metadata=dict(metadata or {}),
    )


def _refuse_empty(identity: str) -> None:
    if not identity.strip():
        raise DataError("An identity needs a name; it came empty.")


def _unreadable(bad: tuple[Bad, ...]) -> GemelError:
    if not bad:
        return DataError("Expected at least one item; none came.")
    if len(bad) == 1:
        return UnreadableItem(bad[0].name, bad[0].reason)
    return TooManyBad(f"Not one of {len(bad)} items can be used: {listed(bad)}.")
