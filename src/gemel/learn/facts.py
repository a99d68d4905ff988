"""What the choices of a recipe depend on: counts of the data, a look at some images, and the device."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import torch

from gemel.errors import UnreadableItem
from gemel.items import UNKNOWN, AudioModality, Collection, RecordModality, SeriesModality
from gemel.items.probe import probe
from gemel.items.sounds import HOP
from gemel.learn.processes import Processes
from gemel.recipe import Facts

SAMPLE = 64
"""Items looked at to choose size, colour and length."""


def facts_of(train: Collection, device: str, *, shared: bool = False) -> Facts:
    codes = np.zeros(0, int) if train.identity is None else train.identity.codes
    counts = np.bincount(codes[codes != UNKNOWN]) if len(codes) else np.zeros(0, int)
    several = counts[counts >= 2]
    explicit = train.pairs if train.pairs is not None else train.triplets
    side, color = _look(train)
    fields = train.modality.fields if isinstance(train.modality, RecordModality) else {}
    return Facts(
        modality=train.modality.name,
        fields={name: modality.name for name, modality in fields.items()},
        items=len(train),
        identities=len(several),
        median_items=int(np.median(several)) if len(several) else 2,
        singletons=int((counts == 1).sum()),
        impostors=0 if train.impostor_of is None else int((train.impostor_of.codes != UNKNOWN).sum()),
        pairs=0 if explicit is None else len(explicit),
        positives_only=_positives_only(train),
        graded=train.pairs is not None and train.pairs.score is not None,
        shared=shared,
        channels=train.modality.channels if isinstance(train.modality, SeriesModality) else 0,
        points=_points(train),
        side=side,
        color=color,
        device=device,
        fast_bf16=_fast_bf16(device),
        several=Processes.launched().several,
    )


def _positives_only(train: Collection) -> bool:
    return train.pairs is not None and train.pairs.same is not None and bool(train.pairs.same.all())


def _look(train: Collection) -> tuple[int, bool]:
    """Median longer side of some images, and whether any has colour."""
    if not len(train):
        return 0, False
    some = np.linspace(0, len(train) - 1, min(SAMPLE, len(train))).astype(int)
    seen = [found for i in some for image in _images(train, int(i)) if (found := probe(image)) is not None]
    if not seen:
        return 0, False
    return int(np.median([max(p.height, p.width) for p in seen])), any(p.color for p in seen)


def _images(train: Collection, i: int) -> list[Any]:
    """The image of an item, or those of a record."""
    source = train.source(i)
    if isinstance(train.modality, RecordModality):
        fields = [name for name, modality in train.modality.fields.items() if modality.name == "image"]
        return [source[name] for name in fields if source.get(name) is not None]
    return [source] if train.modality.name == "image" else []


def _points(train: Collection) -> int:
    """Points of the longest of a sample of series, or frames of one of sounds."""
    if train.modality.name not in ("series", "audio") or not len(train):
        return 0
    lengths = []
    for i in np.linspace(0, len(train) - 1, min(SAMPLE, len(train))).astype(int):
        with contextlib.suppress(UnreadableItem):
            lengths.append(len(train.load(int(i))))
    hop = round(HOP * train.modality.rate) if isinstance(train.modality, AudioModality) else 1
    return max(lengths, default=0) // hop


def device_here() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _fast_bf16(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    cpu: Any = torch.cpu
    return device == "cpu" and (cpu._is_avx512_bf16_supported() or cpu._is_amx_tile_supported())
