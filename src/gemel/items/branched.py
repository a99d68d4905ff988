"""Records taken apart: each field an item of its own, the fields of one record *same*; or one field, alone.

Decodes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gemel.errors import DataError, NotEnoughData, RecipeError
from gemel.items.collection import Collection, Pairs
from gemel.items.record import RecordModality, is_missing
from gemel.items.sources import Lazy
from gemel.items.words import many


def branched(data: Collection, first: str, second: str) -> Collection:
    """Two fields of every record as two items that are a pair of the same.

    What is the same is the record: identities are not looked at.

    Raises:
        RecipeError: the items are no records, or have no such field.
        NotEnoughData: no record has both.
    """
    fields = _fields(data, first, second)
    there = np.array([[not is_missing(data.source(i).get(name)) for name in fields] for i in range(len(data))], bool)
    both = there.all(1)
    if not both.any():
        raise NotEnoughData(f"{data.origin}: no record has both {first} and {second}.")
    whole = data.with_(
        modality=RecordModality(fields, single=True), identity=None, impostor_of=None, pairs=None, triplets=None
    ).take(np.repeat(np.arange(len(data)), there.sum(1)))
    place = there.cumsum().reshape(there.shape) - 1
    lacking = int((~both).sum())
    return whole.with_(
        sources=_Sides(data.sources, (first, second)),
        rows=2 * whole.rows + np.tile([0, 1], len(data))[there.ravel()],
        names=_Called(data, (first, second)),
        pairs=Pairs(place[both, 0], place[both, 1], np.ones(int(both.sum()), bool)),
    ).noted(*([f"{many(lacking, 'record')} without {first} or {second}."] if lacking else []))


def only(data: Collection, field: str) -> Collection:
    """One field of every record that has it, as an item that is no record; items that are none as they are.

    What is known of the records is known of these.

    Raises:
        DataError: the records have no such field.
        NotEnoughData: no record has it.
    """
    if not isinstance(data.modality, RecordModality):
        return data
    if field not in data.modality.fields:
        raise DataError(f"{data.origin} has no field {field!r}; its records have {', '.join(data.modality.fields)}.")
    there = np.array([not is_missing(data.source(i).get(field)) for i in range(len(data))], bool)
    if not there.any():
        raise NotEnoughData(f"{data.origin}: no record has {field}.")
    lacking = int((~there).sum())
    whole = data.with_(
        modality=data.modality.fields[field], sources=_Field(data.sources, field), names=_Called(data, (field,))
    )
    return whole.take(there).noted(*([f"{many(lacking, 'record')} without {field}."] if lacking else []))


def _fields(data: Collection, first: str, second: str) -> dict[str, Any]:
    if not isinstance(data.modality, RecordModality):
        raise RecipeError(
            f"branches = '{first},{second}' is about records, and {data.origin} has none; read it with "
            f"fields='{first},{second}' (--fields {first},{second})."
        )
    for name in (first, second):
        if name not in data.modality.fields:
            raise RecipeError(f"branches names {name!r}; the records have {', '.join(data.modality.fields)}.")
    return {name: data.modality.fields[name] for name in (first, second)}


class _Sides(Lazy):
    """Both fields of each record, one after the other, each as a record of its own."""

    def __init__(self, records: Sequence[Mapping[str, Any]], fields: tuple[str, str]) -> None:
        self.records, self.fields = records, fields

    def __len__(self) -> int:
        return 2 * len(self.records)

    def one(self, i: int) -> dict[str, Any]:
        name = self.fields[i % 2]
        return {name: self.records[i // 2][name]}


class _Field(Lazy):
    """One field of each record."""

    def __init__(self, records: Sequence[Mapping[str, Any]], field: str) -> None:
        self.records, self.field = records, field

    def __len__(self) -> int:
        return len(self.records)

    def one(self, i: int) -> Any:
        return self.records[i].get(self.field)


class _Called(Lazy):
    """What each of them is called in messages."""

    def __init__(self, data: Collection, fields: tuple[str, ...]) -> None:
        self.data, self.fields = data, fields

    def __len__(self) -> int:
        return len(self.fields) * len(self.data.sources)

    def one(self, i: int) -> str:
        row, side = divmod(i, len(self.fields))
        called = self.data.names[row] if len(self.data.names) else f"{self.data.origin} row {row}"
        return f"{called} {self.fields[side]}"
