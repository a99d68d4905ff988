"""Items → embeddings, in bounded memory: decode, prepare and encode batch by batch; a bad item loses only itself.

Knows modalities and encoders by their protocols; knows no distances and no decisions.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import DataError, ModelError, TooManyBad, UnreadableItem
from gemel.items.collection import Collection
from gemel.items.decoded import Bad, content_id, listed
from gemel.items.modality import Modality, Raw, Raws
from gemel.items.record import RecordModality
from gemel.items.sources import Records
from gemel.items.words import plural
from gemel.siamese.onnx import Encoder, OnnxEncoder

if TYPE_CHECKING:
    from jaxtyping import Float, Int

FEW = 8
"""So many items are decoded without starting threads."""

GROUPED = 64
"""So many times as many items are decoded at once where their modality groups them, so that it has a choice."""

Progress = Callable[[int, int], None]
"""Called with (items done, items in all)."""


@dataclass(frozen=True)
class Embeddings:
    """The embeddings of the items that could be read, in the order they came.

    Attributes:
        vectors: one row per good item, float32 [n, dim].
        index: where each row stood among the items given.
        bad: the other items, by name, reason and row.
        content: numbers that are equal exactly where the decoded items are equal.
    """

    vectors: Float[np.ndarray, "n d"]
    index: Int[np.ndarray, " n"]
    bad: tuple[Bad, ...]
    content: Int[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.vectors)

    def require(self, allow_bad: float, origin: str) -> Embeddings:
        """These, or TooManyBad when more than a share `allow_bad` of the items, or all of them, are bad."""
        given = len(self) + len(self.bad)
        if self.bad and (len(self.bad) > allow_bad * given or not len(self)):
            raise TooManyBad(
                f"{origin}: {len(self.bad):,} of {given:,} items cannot be used, more than the {allow_bad:.1%} "
                f"allowed: {listed(self.bad)}. Repair or remove them, or allow a larger share with allow_bad."
            )
        return self


@dataclass(frozen=True, eq=False)
class Embedded:
    """An item whose embedding is known: whatever takes an item takes it too, and does not encode it again.

    Attributes:
        source: the item itself.
        vector: its embedding, float32 [dim], by the very twin that it is given to.
        content: number that is equal exactly where the decoded item is equal.
        name: what it is called; empty: as the source is.
    """

    source: Any
    vector: Float[np.ndarray, " d"]
    content: int
    name: str = ""


def is_one(items: Any, modality: Modality) -> bool:
    """Whether this is one item: a path, bytes, an image, an array of one item; not a list or a stack of them."""
    if isinstance(items, Embedded):
        return True
    if isinstance(items, Collection):
        return False
    if modality.name == "record":
        return isinstance(items, Mapping | str | bytes)
    if modality.name == "text":
        return isinstance(items, str | bytes | Path) or not hasattr(items, "__len__")
    if isinstance(items, np.ndarray):
        return items.ndim <= {"vector": 1, "series": 2, "audio": 2}.get(modality.name, 3)
    if isinstance(items, list | tuple):
        return modality.name in ("vector", "series") and len(items) > 0 and all(isinstance(x, Real) for x in items)
    return True


def collected(items: Any, modality: Modality) -> Collection:
    """Anything that can be embedded, as a collection of this modality.

    Raises:
        ModelError: a collection of another modality.
        DataError: not something that holds items.
    """
    if isinstance(items, Collection):
        items = _lifted(items, modality)
        if items.modality.name != modality.name:
            raise ModelError(
                f"This twin compares {plural(modality.name)}; {items.origin} holds {plural(items.modality.name)}."
            )
        return items.with_(modality=modality)
    if is_one(items, modality):
        return _plain([items], modality)
    if hasattr(items, "to_pylist") or hasattr(items, "to_list"):  # a column of Arrow or pandas
        items = items.to_pylist() if hasattr(items, "to_pylist") else items.to_list()
    if isinstance(items, Sequence | np.ndarray):
        return _plain(items, modality)
    raise DataError(f"Expected an item, a list of items or a Collection to embed; a {type(items).__name__} came.")


def sources_of(items: Any, modality: Modality) -> list[Any]:
    """One item or several, each as something that can be embedded; errors as in `collected`."""
    found = collected(items, modality)
    return [found.source(i) for i in range(len(found))]


def _lifted(items: Collection, modality: Modality) -> Collection:
    """Images, or texts, as records of that one field, where records are expected that have one field of that kind."""
    if not isinstance(modality, RecordModality):
        return items
    fitting = [name for name, field in modality.fields.items() if field.name == items.modality.name]
    if len(fitting) != 1:
        return items
    names = items.names if len(items.names) else items.sources
    return items.with_(modality=modality, sources=Records({fitting[0]: items.sources}), names=names)


def _plain(sources: Sequence[Any] | np.ndarray, modality: Modality) -> Collection:
    items = [one.source if isinstance(one, Embedded) else one for one in sources]
    found = Collection(modality, items, np.arange(len(items)), origin="items")
    if not any(isinstance(one, Embedded) for one in sources):
        return found
    names = [(one.name if isinstance(one, Embedded) else "") or found.name(i) for i, one in enumerate(sources)]
    return found.with_(sources=list(sources), names=names)


def embedded(
    items: Collection, encoder: Encoder, dim: int, *, batch: int = 64, progress: Progress | None = None
) -> Embeddings:
    """Embed a collection in batches.

    Args:
        items: what to embed, with the modality that prepares for the encoder.
        encoder: prepared arrays → embeddings.
        dim: dimensions of an embedding.
        batch: items that are encoded at once, above 0.
        progress: called after every batch, from this thread.
    """
    if batch < 1:
        raise DataError(f"batch = {batch} must be at least 1.")
    n, batch = len(items), batch * (GROUPED if hasattr(items.modality, "together") else 1)
    vectors, content = np.empty((n, dim), np.float32), np.zeros(n, np.int64)
    good, bad = np.zeros(n, bool), list[Bad]()
    for start, loaded in _loaded(items, batch):
        rows = np.array([start + i for i, one in enumerate(loaded) if isinstance(one, tuple)], np.int64)
        bad += [one for one in loaded if isinstance(one, Bad)]
        raws = [one[0] for one in loaded if isinstance(one, tuple)]
        content[rows] = [one[1] for one in loaded if isinstance(one, tuple)]
        for i, one in enumerate(loaded):
            if isinstance(one, Embedded):
                vectors[start + i], content[start + i], good[start + i] = one.vector, one.content, True
        if raws:
            vectors[rows] = encoded(raws, items.modality, encoder, dim)
            finite = np.isfinite(vectors[rows]).all(axis=1)
            good[rows] = finite
            bad += [Bad(items.name(int(i)), "its embedding is not finite", int(i)) for i in rows[~finite]]
        if progress is not None:
            progress(min(start + batch, n), n)
    if bad:
        vectors, content = vectors[good], content[good]
    return Embeddings(vectors, np.flatnonzero(good), tuple(sorted(bad, key=lambda b: b.row)), content)


def encoded(raws: Raws, modality: Modality, encoder: Encoder, dim: int) -> Float[np.ndarray, "n d"]:
    """The embeddings of decoded items, grouped as their modality likes it.

    Args:
        raws: what `modality.load` gave.
        modality: what prepares them.
        encoder: prepared arrays → embeddings.
        dim: dimensions of an embedding.
    """
    vectors = np.empty((len(raws), dim), np.float32)
    for group, part in _each(_together(list(raws), modality, encoder), list(raws), modality, encoder, dim):
        vectors[group] = part
    return vectors


def _together(raws: list[Raw], modality: Modality, encoder: Encoder) -> list[Int[np.ndarray, " _"]]:
    """Which items are prepared and encoded together: all of a batch, as the modality groups them, or none."""
    groups = getattr(modality, "together", None)
    if getattr(encoder, "alone", False):
        return list(np.arange(len(raws))[:, None])
    if not raws:
        return []
    return [np.arange(len(raws))] if groups is None else list(groups(raws))


def _each(
    groups: list[Int[np.ndarray, " _"]], raws: list[Raw], modality: Modality, encoder: Encoder, dim: int
) -> Iterator[tuple[Int[np.ndarray, " _"], Float[np.ndarray, "_ d"]]]:
    """Every group with its embeddings; several groups are encoded side by side, each on one core."""
    if len(groups) < 2 or not isinstance(encoder, OnnxEncoder) or encoder.threads == 1:
        for group in groups:
            yield group, _of_group([raws[i] for i in group], modality, encoder, dim)
        return
    from concurrent.futures import ThreadPoolExecutor

    narrow = encoder.narrow
    with ThreadPoolExecutor(encoder.threads or os.cpu_count()) as pool:
        parts = pool.map(lambda group: _of_group([raws[i] for i in group], modality, narrow, dim), groups)
        yield from zip(groups, parts, strict=True)


def _of_group(raws: list[Raw], modality: Modality, encoder: Encoder, dim: int) -> Float[np.ndarray, "n d"]:
    """One embedding per item: the mean over its windows, where it has several."""
    prepared = modality.prepare(raws)
    out = encoder(prepared.arrays)
    if out.shape[1] != dim:
        raise ModelError(f"The encoder returns {out.shape[1]} dimensions; the model was saved with {dim}.")
    if len(out) == len(raws) and (prepared.owner == np.arange(len(raws))).all():
        return out
    windows = np.bincount(prepared.owner, minlength=len(raws)).astype(np.float32)
    total = np.zeros((len(raws), dim), np.float32)
    np.add.at(total, prepared.owner, out)
    return np.divide(total, windows[:, None], out=np.full_like(total, np.nan), where=windows[:, None] > 0)


_Loaded = tuple[Raw, int] | Embedded | Bad


def _loaded(items: Collection, batch: int) -> Iterator[tuple[int, list[_Loaded]]]:
    """Every batch, decoded, with where it starts; in order, one batch ahead of its use."""
    starts = range(0, len(items), batch)
    if len(items) <= FEW:
        for start in starts:
            yield start, _some(items, start, min(start + batch, len(items)))
        return
    from concurrent.futures import Future, ThreadPoolExecutor  # takes 20 ms, and one pair needs none of it

    workers = min(16, (os.cpu_count() or 1) + 1)
    share = -(-batch // workers)
    waiting: deque[tuple[int, list[Future[list[_Loaded]]]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for start in starts:
                end = min(start + batch, len(items))
                parts = [(s, min(s + share, end)) for s in range(start, end, share)]
                waiting.append((start, [pool.submit(_some, items, *part) for part in parts]))
                if len(waiting) > 1:
                    yield _finished(*waiting.popleft())
            while waiting:
                yield _finished(*waiting.popleft())
        finally:
            pool.shutdown(cancel_futures=True)


def _finished(start: int, parts: list[Any]) -> tuple[int, list[_Loaded]]:
    return start, [one for part in parts for one in part.result()]


def _some(items: Collection, start: int, end: int) -> list[_Loaded]:
    return [_one(items, i) for i in range(start, end)]


def _one(items: Collection, i: int) -> _Loaded:
    if isinstance(source := items.source(i), Embedded):
        return source
    try:
        raw = items.load(i)
    except UnreadableItem as error:
        return Bad(items.name(i), error.reason, i)
    return raw, content_id(raw)
