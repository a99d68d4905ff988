"""What there is to say of the training items before the first step: what is cut, what lacks, what would be better.

Knows decoded items and recipes; decides nothing.
"""

from __future__ import annotations

import numpy as np

from gemel.items import AudioModality, Modality, RecordModality, SeriesModality, TextModality
from gemel.items.modality import Raws
from gemel.items.series import lacking
from gemel.items.sounds import HOP
from gemel.learn.training_set import TrainingSet
from gemel.recipe import Recipe

LOOKED = 10_000
"""At most so many training items are looked at."""
FEW = 10
"""Identities from which on a network over series or sounds is not doubted."""


def remarks(asked: Recipe, recipe: Recipe, data: TrainingSet) -> list[str]:
    """What there is to say, a sentence each.

    Args:
        asked: what was chosen by the user.
        recipe: the same, closed.
        data: the training items.
    """
    return [*_of_items(asked, data), *_few(asked, recipe, data)]


def _of_items(asked: Recipe, data: TrainingSet) -> list[str]:
    """Of the items, or of each field of records."""
    modality, some = data.modality, data.some(LOOKED)
    if not isinstance(modality, RecordModality):
        return _of_kind(modality, some, asked.encoder)
    said = []
    for name, field in modality.fields.items():
        there = [raw[name] for raw in some if name in raw]
        if len(there) < len(some) and not modality.single:
            said.append(f"{len(some) - len(there)} of {len(some)} training records looked at have no {name}.")
        said += [f"{name}: {sentence}" for sentence in _of_kind(field, there, asked.encoder)]
    return said


def _few(asked: Recipe, recipe: Recipe, data: TrainingSet) -> list[str]:
    """What is better than a network where a few identities are to teach what tells others apart."""
    count = len(np.unique(data.identity[data.identity >= 0]))
    along_time = isinstance(data.modality, SeriesModality | AudioModality)
    if not along_time or asked.encoder is not None or recipe.protocol == "closed" or not 0 < count < FEW:
        return []
    return [
        f"{count} identities are few to teach a network what tells others apart; encoder = statistics, which has "
        "hardly anything to learn, may know them better."
    ]


def _of_kind(modality: Modality, some: Raws, encoder: str | None) -> list[str]:
    if isinstance(modality, TextModality):
        return _of_texts(modality, some, encoder)
    if isinstance(modality, AudioModality):
        return _of_sounds(modality, some)
    return _of_series(modality, some) if isinstance(modality, SeriesModality) else []


def _of_sounds(modality: AudioModality, some: Raws) -> list[str]:
    """What there is to say of sounds: how many are longer than what is encoded at once."""
    seconds = modality.length * HOP
    count = sum(len(raw) > seconds * modality.rate for raw in some)
    if not count:
        return []
    return [
        f"{count} of {len(some)} training sounds looked at are longer than {seconds:g} s: training takes a random part "
        "of each, and an embedding is the mean over windows. length says how long a part is, in frames of 10 ms."
    ]


def _of_texts(modality: TextModality, some: Raws, encoder: str | None) -> list[str]:
    """What there is to say of texts: how many are not read to their end, and what would be better than from scratch."""
    said = []
    if cut := modality.cut(some):
        said.append(
            f"{cut} of {len(some)} training texts looked at are longer than {modality.length} pieces; what is "
            "beyond is not read. Raise length to read more."
        )
    if broken := modality.broken(some):
        said.append(
            f"{broken} of {len(some)} training texts looked at hold bytes that are no UTF-8; these were replaced by "
            "\ufffd. Save the file as UTF-8 to keep them."
        )
    if encoder is None:
        said.append(
            "The text encoder starts from scratch. Where the network allows it, "
            "encoder = pretrained:sentence-transformers/all-MiniLM-L6-v2 (91 MB to download) is far better."
        )
    return said


def _of_series(modality: SeriesModality, some: Raws) -> list[str]:
    """What there is to say of series: how many lack values, and how many are longer than what is encoded at once."""
    said = []
    if count := lacking(some):
        said.append(f"{count} of {len(some)} training series looked at lack values, which are interpolated.")
    if count := sum(len(raw) > modality.length for raw in some):
        said.append(
            f"{count} of {len(some)} training series looked at are longer than {modality.length} points: training "
            "takes a random part of each, and an embedding is the mean over windows. length says how long a part is."
        )
    return said
