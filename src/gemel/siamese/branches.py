"""Two encoders into one space, as one: each takes the items that are of its field.

Knows prepared arrays of records and ONNX encoders; the items themselves only as mappings. What is decided about
items of one branch belongs to a method that names that branch alone, and is the decision of that branch's own twin.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from types import EllipsisType
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import ModelError, NotCalibrated
from gemel.items.branched import branched
from gemel.items.collection import Collection
from gemel.items.record import PRESENT, RecordModality, is_missing
from gemel.siamese.embedding import Embedded, is_one, sources_of
from gemel.siamese.onnx import OnnxEncoder
from gemel.siamese.operating import Method
from gemel.siamese.seen import Seen
from gemel.siamese.verdict import Fitted

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


def method_of(twin: Siamese, *items: Any) -> Method:
    """How these items are compared: by the twin's own method, or, where all are of one of two branches, by that one's.

    Args:
        twin: what compares.
        items: as `sided` gives them.
    """
    fields = {field for item in items for field in _fields_of(item)}
    every = all(_fields_of(item) for item in items)
    alone = fields.pop() if every and len(fields) == 1 else ""
    return twin.method.within(alone) if alone in twin.method.branches else twin.method


def methods_of(
    twin: Siamese, a: Any, b: Any, shape: tuple[int, ...]
) -> Iterator[tuple[Method, Bool[np.ndarray, "..."] | EllipsisType]]:
    """How two items, or those of two lists row by row, are compared: every method with its rows.

    Args:
        shape: that of the answer: () for two items, (n,) for lists.
    """
    if not twin.method.branches:
        yield twin.method, ...
        return
    lists = [sources_of(sided(twin, items, side), twin.modality) for side, items in enumerate((a, b))]
    found = [method_of(twin, *pair) for pair in zip(*lists, strict=True)]
    for method in dict.fromkeys(found):
        yield method, np.array([each == method for each in found], bool).reshape(shape)


def refuse_branches(twin: Siamese) -> None:
    """Raises NotCalibrated where any two of many items would be judged, and the decision is about one of each."""
    if twin.method.branches:
        field = twin.method.branches[0]
        raise NotCalibrated(
            f"The decision is about {' with '.join(twin.method.branches)}, and among many items are two of the same "
            f'kind: look at one branch by itself, twin.calibrate(data, branch="{field}").branch("{field}") (in the '
            f"shell, --branch {field}), or ask twin.verify about two items."
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


def one_branch(twin: Siamese, field: str) -> Siamese:
    """The twin of one branch, with what was fitted on items of that branch alone; errors as in `part_of`."""
    modality, encoder = part_of(twin, field)
    decisions, gradings = _own(twin.decisions, field), _own(twin.gradings, field)
    seen = twin.seen.alone(field)
    return twin.but(
        modality=modality,
        encoder=encoder,
        method=replace(twin.method, branches=()),
        decisions=decisions,
        gradings=gradings,
        seen=seen if decisions or gradings else Seen.of(trained=seen.trained),
        kept=None,
    )


def with_branch(twin: Siamese, field: str, own: Siamese) -> Siamese:
    """The twin with what is now fitted on one branch alone, in place of what was; `own` is the twin of that branch."""
    decisions = tuple(each for each in twin.decisions if each.method.alone != field)
    gradings = tuple(each for each in twin.gradings if each.method.alone != field)
    here = own.seen.alone(field).calibrated
    before = twin.seen.calibrated if decisions or gradings else here
    return twin.but(
        decisions=(*decisions, *_within(own.decisions, field)),
        gradings=(*gradings, *_within(own.gradings, field)),
        seen=Seen.of(trained=twin.seen.trained, calibrated=np.concatenate([before, here])),
    )


def _own(fitted: Sequence[Fitted], field: str) -> tuple[Fitted, ...]:
    """Those of one branch alone, as the twin of that branch has them."""
    found = [each for each in fitted if each.method.alone == field]
    return tuple(replace(each, method=replace(each.method, branches=())) for each in found)


def _within(fitted: Sequence[Fitted], field: str) -> tuple[Fitted, ...]:
    """Those of the twin of a branch, as the twin of both branches has them."""
    return tuple(replace(each, method=each.method.within(field)) for each in fitted)
