"""What a split knows of its items: decoded once and kept compact, with codes of one common space.

Knows arrays, and tensors of prepared items; neither batches nor recipes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from gemel.items import UNKNOWN, Collection, Decoded, Modality, Pairs, RecordModality
from gemel.items.components import components, dense
from gemel.items.explicit import explicit, side_of
from gemel.items.modality import Raws
from gemel.items.units import claims
from gemel.learn.losses import Knows
from gemel.learn.speed import played

if TYPE_CHECKING:
    from jaxtyping import Float, Int


@dataclass(frozen=True)
class Whole:
    """Encoder inputs of some items as they are in use: undistorted, and where an item is long, all of its windows.

    Attributes:
        inputs: [m, ...] by name.
        owner: [m] which of the items each row belongs to.
        items: how many there are.
    """

    inputs: dict[str, Tensor]
    owner: Int[Tensor, " m"]
    items: int

    def pooled(self, embeddings: Float[Tensor, "m d"]) -> Float[Tensor, "n d"]:
        """One embedding per item: the mean over its windows."""
        if len(embeddings) == self.items:
            return embeddings
        owner = self.owner.to(embeddings.device)
        total = embeddings.new_zeros(self.items, embeddings.shape[1]).index_add_(0, owner, embeddings)
        return total / owner.bincount(minlength=self.items)[:, None]

    def firsts(self) -> dict[str, Tensor]:
        """The first window of each item."""
        rows = torch.from_numpy(np.unique(self.owner.numpy(), return_index=True)[1])
        return {name: x[rows] for name, x in self.inputs.items()}

    def to(self, device: torch.device) -> Whole:
        """The same on a device."""
        return replace(self, inputs={name: x.to(device) for name, x in self.inputs.items()})


@dataclass(frozen=True)
class TrainingSet:
    """Decoded items and what is known of them, as codes of one common space.

    Attributes:
        modality: prepares the raws; fitted on this split when it is the training split.
        raws: decoded items of all splits, shared between them.
        place: [n] where each item of this split stands in `raws`.
        names: what each item is called in messages.
        content: [n] equal exactly where the decoded content is.
        identity, group, impostor_of: [n] codes, UNKNOWN (-1) where not known; identity and impostor_of share codes.
        a, b, value: explicit pairs by position, with 1 for same, 0 for different, or a score; empty when none.
        told: how the explicit pairs were given: labelled, all of them same, with scores, or as triplets (then the
            first half of the pairs are anchors with their positives, the second half with their negatives).
    """

    modality: Modality
    raws: Raws
    place: Int[np.ndarray, " n"]
    names: Sequence[str]
    content: Int[np.ndarray, " n"]
    identity: Int[np.ndarray, " n"]
    group: Int[np.ndarray, " n"]
    impostor_of: Int[np.ndarray, " n"]
    a: Int[np.ndarray, " m"]
    b: Int[np.ndarray, " m"]
    value: Float[np.ndarray, " m"]
    told: Knows

    def __len__(self) -> int:
        return len(self.content)

    @property
    def graded(self) -> bool:
        """Whether `value` are scores."""
        return self.told is Knows.SCORE

    @property
    def knows(self) -> frozenset[Knows]:
        """What can be learned from; any item can be seen in two views."""
        known = {Knows.IDENTITY} if (self.identity != UNKNOWN).any() else set()
        return frozenset({*self.sources, *known})

    @property
    def sources(self) -> tuple[Knows, ...]:
        """What batches can be drawn from, the best first."""
        several = (np.bincount(self.identity[self.identity != UNKNOWN]) >= 2).any()
        found = [source for source, there in ((Knows.IDENTITY, several), (self.told, len(self.value))) if there]
        return (*found, Knows.VIEWS)

    @property
    def triplets(self) -> tuple[Int[np.ndarray, " t"], Int[np.ndarray, " t"], Int[np.ndarray, " t"]]:
        """Anchor, positive and negative of each triplet."""
        half = len(self.value) // 2
        return self.a[:half], self.b[:half], self.b[half:]

    @property
    def unlabelled(self) -> Int[np.ndarray, " u"]:
        """The items that have no identity and imitate none."""
        return np.flatnonzero((self.identity == UNKNOWN) & (self.impostor_of == UNKNOWN))

    @property
    def chains(self) -> Int[np.ndarray, " n"]:
        """What hangs together by explicit pairs, taken as same, and by equal content: 0 … k-1."""
        content = np.unique(self.content, return_inverse=True)[1]
        n = len(self)
        hubs = n + content
        a, b = np.concatenate([self.a, np.arange(n)]), np.concatenate([self.b, hubs])
        return dense(components(n + int(content.max(initial=-1)) + 1, a, b)[:n])

    @property
    def side(self) -> Int[np.ndarray, " n"] | None:
        """Which branch each item of a pair is for, 0 or 1, and UNKNOWN of the others; None: all are for one."""
        apart = isinstance(self.modality, RecordModality) and self.modality.single
        return side_of(Pairs(self.a, self.b), len(self)) if apart else None

    def prepared(
        self, rows: Int[np.ndarray, " b"], rng: np.random.Generator, *, speed: float = 0.0
    ) -> dict[str, Tensor]:
        """Encoder inputs of the given items as they train: one row each, at a random speed where that may change, and
        cut at random where they are long."""
        raws = _picked(self.raws, self.place[rows])
        arrays = self.modality.prepare(played(raws, self.modality, speed, rng) if speed else raws, rng=rng).arrays
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def whole(self, rows: Int[np.ndarray, " b"]) -> Whole:
        """Encoder inputs of the given items as they are in use."""
        prepared = self.modality.prepare(_picked(self.raws, self.place[rows]))
        inputs = {name: torch.from_numpy(array) for name, array in prepared.arrays.items()}
        return Whole(inputs, torch.from_numpy(prepared.owner), len(rows))

    def some(self, most: int) -> Raws:
        """At most so many decoded items, evenly spread."""
        return _picked(self.raws, self.place[:: max(1, -(-len(self) // most))])


def _picked(raws: Raws, rows: Int[np.ndarray, " b"]) -> Raws:
    """Some decoded items; a list when their shapes differ."""
    return raws[rows] if isinstance(raws, np.ndarray) else [raws[int(i)] for i in rows]


def training_set(part: Collection, whole: Collection, decoded: Decoded) -> TrainingSet:
    """What a split knows of its items.

    Args:
        part: the items of the split.
        whole: what was split; every item could be decoded.
        decoded: the items of `whole`.
    """
    place = part.within(whole)
    nothing = np.full(len(part), UNKNOWN)
    claimed, given = claims(part), explicit(part)
    pairs = given or Pairs(nothing[:0], nothing[:0], nothing[:0] > 0)
    return TrainingSet(
        modality=part.modality,
        raws=decoded.raws,
        place=place,
        names=[part.name(i) for i in range(len(part))],
        content=decoded.content[place],
        identity=nothing if part.identity is None else part.identity.codes.astype(np.int64),
        group=nothing if part.group is None else part.group.codes.astype(np.int64),
        impostor_of=nothing if claimed is None else claimed,
        a=pairs.a,
        b=pairs.b,
        value=(pairs.alike() if pairs.score is None else pairs.score).astype(np.float32),
        told=_told(part, given),
    )


def _told(part: Collection, given: Pairs | None) -> Knows:
    """How the explicit pairs were given."""
    if given is None or given is not part.pairs:
        return Knows.TRIPLETS
    if given.score is not None:
        return Knows.SCORE
    return Knows.POSITIVES if given.alike().all() else Knows.PAIRS
