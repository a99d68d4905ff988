"""Two encoders into one space, as one: each takes the items that are of its field.

Knows prepared arrays of records and ONNX encoders; the items themselves only as mappings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import ModelError, NotCalibrated
from gemel.items.branched import branched
from gemel.items.collection import Collection
from gemel.items.record import PRESENT, RecordModality, is_missing
from gemel.siamese.embedding import Embedded, is_one, sources_of
from gemel.siamese.onnx import OnnxEncoder

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from gemel.siamese.twin import Siamese


class BranchEncoders:
    """The encoders of the fields, behind the prepared arrays of records of one field each.

    Args:
        encoders: field → encoder, in the order of the modality's fields.
    """

    def __init__(self, encoders: Mapping[str, OnnxEncoder]) -> None:
        self.encoders = dict(encoders)

    @cached_property
    def sha256(self) -> str:
        parts = [f"{name} {encoder.sha256}" for name, encoder in self.encoders.items()]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def alone(self) -> bool:
        """Whether items must be encoded one at a time; see `OnnxEncoder.alone`."""
        return any(encoder.alone for encoder in self.encoders.values())

    def but(self, **changes: Any) -> BranchEncoders:
        """The same with some arguments of every encoder changed."""
        return BranchEncoders({name: encoder.but(**changes) for name, encoder in self.encoders.items()})

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> Float[np.ndarray, "m d"]:
        there = arrays[PRESENT]
        rows = [np.flatnonzero(column) for column in there.T]
        parts = [
            encoder({key.removeprefix(f"{name}."): x[own] for key, x in arrays.items() if key.startswith(f"{name}.")})
            for (name, encoder), own in zip(self.encoders.items(), rows, strict=True)
            if len(own)
        ]
        out = np.empty((len(there), parts[0].shape[1] if parts else 0), np.float32)
        out[np.concatenate(rows)] = np.concatenate(parts) if parts else out
        return out


def sides(twin: Siamese, data: Collection) -> Collection:
    """What this twin compares: records taken apart, where it has a branch for each field; anything else as it is."""
    whole = isinstance(data.modality, RecordModality) and not data.modality.single
    return branched(data, *twin.method.branches) if twin.method.branches and whole else data


def sided(twin: Siamese, items: Any, side: int) -> Any:
    """Items of one branch as that branch takes them: what is no record yet becomes one.

    Args:
        items: an item, or a list of them; mappings of field to item stay as they are.
        side: 0 for the first branch, 1 for the second.
    """
    if not twin.method.branches or isinstance(items, Mapping | Collection | Embedded):
        return items
    field = twin.method.branches[side]
    if is_one(items, part_of(twin, field)[0]):
        return {field: items}
    return [item if isinstance(item, Mapping | Embedded) else {field: item} for item in items]


def of_one_branch(twin: Siamese, a: Any, b: Any) -> Bool[np.ndarray, " n"]:
    """Whether two items, or those of two lists row by row, are of one branch: the decision is about one of each.

    Args:
        twin: one of two branches.
    """
    lists = [sources_of(sided(twin, items, side), twin.modality) for side, items in enumerate((a, b))]
    pairs = zip(*(map(_fields_of, items) for items in lists), strict=True)
    return np.array([one == other for one, other in pairs], bool)


def refuse_branches(twin: Siamese) -> None:
    """Raises NotCalibrated where any two of many items would be judged, and the decision is about one of each."""
    if twin.method.branches:
        raise NotCalibrated(
            f"The decision is about {' with '.join(twin.method.branches)}, and among many items are two of the same "
            "kind: look at one branch by itself, twin.branch(…).calibrate(data), or ask twin.verify about two items."
        )


def refuse_one_branch(twin: Siamese, a: Any, b: Any) -> None:
    """Raises NotCalibrated where both items are of the same branch."""
    if twin.method.branches and of_one_branch(twin, a, b).any():
        raise NotCalibrated(
            f"The decision is about {' with '.join(twin.method.branches)}, and both items are of one of them: there is "
            "a distance between them, but no verdict. Calibrate that branch by itself: twin.branch(…).calibrate(data)."
        )


def _fields_of(item: Any) -> list[str]:
    """The fields that an item has."""
    item = item.source if isinstance(item, Embedded) else item
    return [name for name, value in item.items() if not is_missing(value)] if isinstance(item, Mapping) else []


def part_of(twin: Siamese, field: str) -> tuple[Any, OnnxEncoder]:
    """The modality and the encoder of one branch.

    Raises:
        ModelError: the twin has no such branch.
    """
    modality, encoder = twin.modality, twin.encoder
    if not isinstance(modality, RecordModality) or not isinstance(encoder, BranchEncoders):
        raise ModelError("This twin has one encoder for both sides, and no branches.")
    if field not in modality.fields:
        raise ModelError(f"This twin has no branch {field!r}; it has {' and '.join(modality.fields)}.")
    return modality.fields[field], encoder.encoders[field]
