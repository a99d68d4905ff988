"""Who is known: enrol, verify a claim, identify, search, forget. A twin, and a store of its embeddings.

Items come in here in the user's frame; below are rows and vectors only.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from gemel.errors import (
    DataError,
    NotCalibrated,
    NotEnrolled,
)
from gemel.gallery.answers import Enrolled, EnrolledAll, Hit, Match, Twice
from gemel.gallery.doubles import clusters, duplicates
from gemel.gallery.enrolling import rows_of
from gemel.gallery.following import Followed
from gemel.gallery.matrix import Matrix
from gemel.gallery.moving import forget_aside
from gemel.gallery.opening import graph_of, opened, settled
from gemel.gallery.originals import item_of
from gemel.gallery.refusing import refuse_metadata, refuse_name, unreadable
from gemel.gallery.rows import Row
from gemel.gallery.store import Store
from gemel.gallery.tables import read_rows, write_rows
from gemel.items.collection import Collection
from gemel.items.decoded import Bad
from gemel.measure.references import scored
from gemel.neighbors.hnsw import Promise
from gemel.siamese.decision import Decision
from gemel.siamese.embedding import Embeddings, Progress, collected, is_one
from gemel.siamese.operating import Method
from gemel.siamese.twin import Siamese
from gemel.siamese.verdict import Verdict, alike, applicable, judged

if TYPE_CHECKING:
    from jaxtyping import Float

AT_ONCE = 256
"""Items that are embedded and then acknowledged together where many are enrolled."""


class Gallery:
    """Enrolled identities, and the twin that compares with them.

    Safe to use from several threads; a file also from several processes, each with a gallery of its own: one writes
    at a time, and all see what is enrolled and forgotten. What has been enrolled when a call returns stays.

    Args:
        url: the file where it is kept, such as `people.db`, or `postgresql://user@host/database`, with `?gallery=name`
            where the database holds several; None: in memory, for as long as the process lives.
        twin: what embeds and compares. A new gallery needs it and keeps a copy; None later on: that copy.
        store: a store of your own, instead of `url`.
        threads: threads of the encoder that is kept; None: as many as ONNX Runtime likes.

    Raises:
        DataError: a gallery in memory, and no twin.
        GalleryError: there is none and no twin to begin with, it holds embeddings of another encoder, is damaged, or
            cannot be opened.
    """

    def __init__(
        self,
        url: str | Path | None = None,
        twin: Siamese | None = None,
        *,
        store: Store | None = None,
        threads: int | None = None,
    ) -> None:
        self.store = opened(url, twin) if store is None else store
        self.twin = settled(self.store, twin, threads)
        matrix = Matrix(self.twin.method.dim, self.twin.metric)
        self._followed = Followed(self.store, matrix, self.twin.embedding_id, graph_of(url))
        self._url = url
        self._lock = threading.RLock()

    def enroll(
        self, identity: str, items: Any, metadata: Mapping[str, Any] | None = None, *, keep: bool = False
    ) -> Enrolled:
        """Make items of an identity known; it may be known already.

        Args:
            identity: the name to find it by.
            items: one item or several; what `Siamese.embed` takes.
            metadata: kept with each item, returned by `search`; plain JSON values.
            keep: keep the items themselves too, as texts and vectors always are, so that `migrate` does not need the
                files again.

        Raises:
            DataError: metadata that JSON does not have.
            UnreadableItem, TooManyBad: not one of the items can be read. Otherwise bad ones are reported.
            GalleryError: it cannot be written; nothing was enrolled.
        """
        refuse_name(identity)
        refuse_metadata(metadata)
        given = collected(items, self.twin.modality)
        found = self.twin.embed(given)
        if not len(found):
            raise unreadable(found.bad)
        with self._lock:
            before = self._followed.now().roll.contents(identity)
            came = list(rows_of([identity] * len(found), given, found, metadata, keep=keep))
            first = {row.content: row for row in reversed(came)}
            fresh = [row for row in came if row.content not in before and first[row.content] is row]
            self.store.put(fresh)
        return Enrolled(identity, len(fresh), len(found) - len(fresh), found.bad, tuple(row.id for row in fresh))

    def enroll_all(self, data: Collection, *, keep: bool = False, progress: Progress | None = None) -> EnrolledAll:
        """Enrol every item that has an identity, some hundred at a time; what is enrolled already is left out.

        Interrupted, it goes on where it was: an item is taken for enrolled where one of that identity is called the
        same, and is not read again.

        Args:
            data: items with identities, as `gemel.read` gives them.
            keep: as in `enroll`.
            progress: called with (items done, items in all).

        Raises:
            DataError: the items have no identities.
            GalleryError: it cannot be written; what was acknowledged before stays.
        """
        if data.identity is None:
            raise DataError(f"{data.origin} says of no item whom it shows, and enrolling takes a name for each.")
        given = collected(data, self.twin.modality)
        names = [data.identity.value(i) for i in range(len(data))]
        with self._lock:
            there = self._followed.now().roll.named()
        named = np.array([name is not None for name in names], bool)
        fresh = np.array([named[i] and (names[i], given.name(i)) not in there for i in range(len(data))], bool)
        todo, bad, added = np.flatnonzero(fresh), list[Bad](), 0
        for start in range(0, len(todo), AT_ONCE):
            part = todo[start : start + AT_ONCE]
            some = given.take(part)
            found = self.twin.embed(some)
            bad += [replace(one, row=int(part[one.row])) for one in found.bad]
            with self._lock:
                whose = [str(names[i]) for i in part[found.index]]
                self.store.put(list(rows_of(whose, some, found, None, keep=keep)))
            added += len(found)
            if progress is not None:
                progress(start + len(part), len(todo))
        whom = len({name for i, name in enumerate(names) if named[i]})
        return EnrolledAll(whom, added, int((named & ~fresh).sum()), int((~named).sum()), tuple(bad))

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

        Where the twin was calibrated for several references (`calibrate(refs=…)`), the item is compared with as many
        of the identity as there is a decision for, the last enrolled. Otherwise the nearest of its items counts: the
        more an identity has, the nearer a stranger comes to one of them, and the false match rate of a decision on
        two items is a lower bound.

        Args:
            identity: the claim.
            item: one item.
            fmr, prior, certainty: as in `Siamese.verify`.

        Raises:
            NotEnrolled: no such identity is enrolled.
            NotCalibrated: the twin has no decision for its method.
            UnreadableItem: the item cannot be read.
        """
        self._refuse_branches()
        probe = self._probe(item)
        with self._lock:
            places = self._followed.known(identity)
            fitting = [d for d in alike(self.twin.decisions, self.twin.method) if d.method.references <= len(places)]
            decision = fitting[-1] if fitting else self._decision()
            if decision.method.references > 1:
                distance = self._against(probe, places[-decision.method.references :], decision.method)
            else:
                distance = float(self._followed.matrix.search(probe, 1, identity).distance[0])
        return judged(decision, distance, fmr=fmr, prior=prior, certainty=certainty)

    def identify(self, item: Any, *, fpir: float | None = None, prior: float | None = None) -> Match | None:
        """Who an item shows; None: nobody who is enrolled.

        One of N is a stronger claim than one of one, and must be nearer: the threshold tightens as the gallery grows.
        With `fpir` it is the one at which so many strangers are taken for someone, in a gallery of as many items.
        Otherwise each of the N identities has the prior `prior` / N, and the more probable answer is given.

        Args:
            item: one item.
            fpir: false positive identification rate: share of strangers who may be named, above 0 and at most 0.5.
            prior: probability that whoever is shown is enrolled at all, above 0 and below 1; None: the decision's.

        Raises:
            NotCalibrated: the twin has no decision for its method, or one that can never be sure among so many.
            UnreadableItem: the item cannot be read.
        """
        decision = self._decision()
        probe = self._probe(item)
        with self._lock:
            rows = self._followed.now()
            count, size = rows.roll.known(), len(rows)
            nearest = self._followed.nearest(probe, 1)
        if not nearest:
            return None
        among = decision.at((decision.prior if prior is None else prior) / count)
        if fpir is None:
            threshold, point = among.threshold(), "bayes"
        else:
            threshold, point = _open_set(decision, fpir, size), f"fpir={fpir:g}"
        if threshold == -math.inf:
            raise NotCalibrated(
                f"The calibration, on {decision.counts.identities} identities, is never sure enough to name one of "
                f"{count}. Calibrate with more identities, or give a higher prior."
            )
        ((row, distance),) = nearest
        if distance > threshold:
            return None
        return Match(row.identity, float(among.probability(distance)), distance, threshold, point)

    def search(self, item: Any, k: int = 10, *, where: Mapping[str, Any] | None = None) -> list[Hit]:
        """The enrolled items nearest to an item, nearest first; needs no calibration.

        Args:
            item: one item.
            k: at most so many.
            where: only items whose metadata has these values; a list allows any of several: {"site": ["a", "b"]}.

        Raises:
            UnreadableItem: the item cannot be read.
        """
        probe = self._probe(item)
        with self._lock:
            found = self._followed.nearest(probe, k) if where is None else self._followed.nearest_with(where, probe, k)
        return [Hit(row.identity, row.name, far, row.metadata, row.source, row.id) for row, far in found]

    def duplicates(self, *, fmr: float | None = None, prior: float | None = None) -> list[Twice]:
        """Every two identities that may be one: of which two items are called the same; the nearest first.

        Looks at all pairs of items, so that chance alone finds some in a large gallery; state a low prior there, or a
        low false match rate.

        Args:
            fmr, prior: as in `Siamese.verify`.

        Raises:
            NotCalibrated: the twin has no decision for its method, or no threshold at that rate.
            DataError: more than ten million pairs would be found.
        """
        return duplicates(self.twin, self._decision(), self.items(), fmr=fmr, prior=prior)

    def clusters(self, *, fmr: float | None = None, prior: float | None = None) -> list[tuple[str, ...]]:
        """Identities that may be one, in groups of two and more; the largest first.

        Two groups are taken together, from the nearest two items on, where their items are on average near enough to
        be the same: one mistaken pair joins nothing.

        Args:
            fmr, prior: as in `duplicates`.

        Raises:
            NotCalibrated, DataError: as in `duplicates`.
        """
        return clusters(self.twin, self._decision(), self.items(), fmr=fmr, prior=prior)

    def forget(self, identity: str, item: Any = None) -> int:
        """Remove an identity with all its items, or only one of them; returns how many items are gone.

        Nothing of them stays in the file.

        Args:
            identity: the name.
            item: the item that was enrolled: the same file, bytes or value; None: all.

        Raises:
            NotEnrolled: no such identity is enrolled, or it has no such item.
        """
        content = None if item is None else self._embedded(item).content[0]
        with self._lock:
            rows = [row for row in self.items(identity) if content is None or row.content == content]
            if not rows:
                raise NotEnrolled(f"{identity!r} has no such item. Nothing was removed.")
            self._remove([row.id for row in rows])
        return len(rows)

    def forget_item(self, id: str) -> Row:
        """Remove the item of that id, as `items` and `search` give it; raises NotEnrolled where there is none."""
        with self._lock:
            row = self.item(id)
            self._remove([id])
        return row

    def rename(self, identity: str, to: str) -> None:
        """Call an identity by another name. Raises NotEnrolled, or DataError where the new name is taken."""
        refuse_name(to)
        with self._lock:
            rows = self.items(identity)
            if to != identity and to in self:
                raise DataError(f"{to!r} is enrolled already; forget one of the two, or enrol more items for it.")
            self.store.put([replace(row, identity=to) for row in rows])

    def identities(self) -> tuple[str, ...]:
        """Every enrolled identity, in order of enrolment."""
        with self._lock:
            return self._followed.now().roll.identities()

    def items(self, identity: str | None = None) -> list[Row]:
        """The rows of an identity, or of all, in the order they were put; raises NotEnrolled."""
        with self._lock:
            return self._followed.now().rows(None if identity is None else self._followed.known(identity))

    def count(self, identity: str | None = None) -> int:
        """How many items of an identity are enrolled, 0 where it is not; None: of all."""
        with self._lock:
            rows = self._followed.now()
            return len(rows) if identity is None else len(rows.roll.places(identity))

    def item(self, id: str) -> Row:
        """The row of that id; raises NotEnrolled where there is none."""
        with self._lock:
            row = self._followed.now().row(id)
        if row is None:
            raise NotEnrolled(f"No item {id!r} is enrolled.")
        return row

    def originals(self, ids: Sequence[str]) -> dict[str, Any]:
        """The items of those ids as far as they are kept, each as `Siamese.embed` takes it."""
        return {id: item_of(content, self.twin.modality) for id, content in self.store.originals(ids).items()}

    def index(self, recall: float = 0.99) -> Promise:
        """Build an index, so that large galleries are searched faster, and say how much it finds.

        Items that are enrolled later are looked at one by one, and those that are forgotten are never found; build it
        anew now and then. It lies in a file beside the gallery (`people.db.near`), which holds no embeddings and can be
        deleted at any time. Claims and searches with a filter look at every item that they are about. Where embeddings
        have no structure, a graph that finds enough can be slower than looking at all: measure it on yours.

        In PostgreSQL it is pgvector's, which lies in the database, follows every change, and is used by all who search.

        Args:
            recall: share of the ten nearest that is to be found, above 0 and at most 1. Measured on items that were not
                yet in the index, or, in PostgreSQL, on items among the others (`inside`); where it is missed, the value
                that is returned says so (`kept`).

        Raises:
            MissingExtra: FAISS is not installed.
            GalleryError: PostgreSQL cannot index so many dimensions, or may not.
        """
        if not 0 < recall <= 1:
            raise DataError(f"A recall lies above 0 and at most at 1, and came as {recall}.")
        with self._lock:
            rows, breadth = self._followed.now(), self.store.index()
            if breadth is not None:
                return rows.promise(self.store.search, breadth, least=recall)
            return rows.build(self._followed.embedding_id, self._followed.graph, least=recall)

    def export(self, file: str | Path) -> int:
        """Write everything that is enrolled to one Parquet file, a row an item; returns how many.

        Raises:
            MissingExtra: pyarrow is not installed.
        """
        rows = self.items()
        write_rows(file, rows, self.store)
        return len(rows)

    def import_(self, file: str | Path) -> int:
        """Enrol what `export` wrote, from a gallery of the same model; an item that is there already is replaced.

        Raises:
            DataError: the file is something else.
            GalleryError: its embeddings are of another model.
        """
        rows = read_rows(file, self.store.meta())
        with self._lock:
            self.store.put(rows)
        return len(rows)

    def close(self) -> None:
        """Let go of the file; the gallery is not used again."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __len__(self) -> int:
        """How many identities are enrolled."""
        with self._lock:
            return self._followed.now().roll.known()

    def __contains__(self, identity: str) -> bool:
        with self._lock:
            return bool(self._followed.now().roll.places(identity))

    def _remove(self, ids: list[str]) -> None:
        """Remove rows; call with the lock."""
        self.store.remove(ids)
        if self._url is not None:
            forget_aside(self._url, ids)
        self._followed.now()

    def _decision(self) -> Decision:
        """The twin's, where it holds for whatever is enrolled and asked."""
        self._refuse_branches()
        return applicable(self.twin.decisions, self.twin.method)

    def _refuse_branches(self) -> None:
        if self.twin.method.branches:
            raise NotCalibrated(
                f"This twin decides about {' with '.join(self.twin.method.branches)}, and a gallery may hold either. "
                "Search it, ask twin.verify about two items, or keep a gallery of one branch: "
                f'Gallery(…, twin.branch("{self.twin.method.branches[0]}")).'
            )

    def _probe(self, item: Any) -> Float[np.ndarray, " d"]:
        return self._embedded(item).vectors[0]

    def _embedded(self, item: Any) -> Embeddings:
        if not is_one(item, self.twin.modality):
            raise DataError("Compare one item at a time; several came.")
        found = self.twin.embed(item)
        if not len(found):
            raise unreadable(found.bad)
        return found

    def _against(self, q: Float[np.ndarray, " d"], places: Sequence[int], method: Method) -> float:
        """How far a probe is from several rows of one identity, by a method for so many."""
        vectors = np.vstack([q, self._followed.matrix.vectors[np.array(places)]])
        references, one = np.arange(1, len(vectors))[None], np.zeros(1, np.int64)
        how: dict[str, Any] = {"pool": method.pooling, "normalise": method.normalised}
        return float(scored(vectors, references, one, one, metric=self.twin.metric, **how)[0])


def _open_set(decision: Decision, fpir: float, size: int) -> float:
    if decision.open_set is None:
        raise NotCalibrated(
            "The calibration has no thresholds for one among many: it takes items of at least 30 identities that "
            "training never saw, and a twin of the open protocol. Calibrate anew with twin.calibrate(data), or leave "
            "out fpir."
        )
    return decision.open_set.threshold(fpir, size)
