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
from gemel.items.record import PRESENT, RecordModality
from gemel.siamese.onnx import OnnxEncoder

if TYPE_CHECKING:
    from jaxtyping import Float

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
    if not twin.method.branches or isinstance(items, Mapping | Collection):
        return items
    field = twin.method.branches[side]
    from gemel.siamese.embedding import is_one

    if is_one(items, part_of(twin, field)[0]):
        return {field: items}
    return [item if isinstance(item, Mapping) else {field: item} for item in items]


def of_one_branch(twin: Siamese, a: Any, b: Any) -> bool:
    """Whether two items, or lists of them, are of the same branch: the decision is about one of each."""
    if not twin.method.branches:
        return False
    one, other = (sided(twin, items, side) for side, items in enumerate((a, b)))
    one, other = (next(iter(items), {}) if isinstance(items, list) else items for items in (one, other))
    return isinstance(one, Mapping) and isinstance(other, Mapping) and one.keys() == other.keys()


def refuse_one_branch(twin: Siamese, a: Any, b: Any) -> None:
    """Raises NotCalibrated where both items are of the same branch."""
    if of_one_branch(twin, a, b):
        raise NotCalibrated(
            f"The decision is about {' with '.join(twin.method.branches)}, and both items are of one of them: there is "
            "a distance between them, but no verdict. Calibrate that branch by itself: twin.branch(…).calibrate(data)."
        )


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
