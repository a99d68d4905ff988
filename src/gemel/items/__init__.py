"""What is compared: read, decode, prepare, split, audit. One file per modality.

    read(source)            a folder, a table, pairs, arrays → Collection
    Collection              items, lazily decoded, and what is known of them
    decode(collection)      every item once, in memory or mapped
    split(collection)       train, stop, calibrate, test
    overlap, keep_apart     what two collections share, and may not
    ImageModality, …        how one kind of item is decoded and prepared

NumPy only; Pillow is imported when an image is decoded, PyArrow when a table is read.
"""

from __future__ import annotations

from gemel.items.audio import AudioModality
from gemel.items.cache import cache_folder, clear_cache
from gemel.items.collection import UNKNOWN, Collection, Labels, Pairs, Triplets
from gemel.items.counts import Counts
from gemel.items.decoded import Bad, Decoded, content_id
from gemel.items.decoding import decode
from gemel.items.image import ImageModality
from gemel.items.modality import Modality, Prepared
from gemel.items.overlap import Shared, fingerprints, keep_apart, overlap
from gemel.items.read import read
from gemel.items.record import RecordModality
from gemel.items.registry import modality_from
from gemel.items.series import SeriesModality
from gemel.items.split import split
from gemel.items.splits import Splits
from gemel.items.text import TextModality
from gemel.items.vector import VectorModality

__all__ = [
    "UNKNOWN",
    "AudioModality",
    "Bad",
    "Collection",
    "Counts",
    "Decoded",
    "ImageModality",
    "Labels",
    "Modality",
    "Pairs",
    "Prepared",
    "RecordModality",
    "SeriesModality",
    "Shared",
    "Splits",
    "TextModality",
    "Triplets",
    "VectorModality",
    "cache_folder",
    "clear_cache",
    "content_id",
    "decode",
    "fingerprints",
    "keep_apart",
    "modality_from",
    "overlap",
    "read",
    "split",
]
