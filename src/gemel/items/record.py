"""Records as items: several fields, each of a modality of its own, and each of which may be missing.

Knows its fields by the contract of modalities; knows no tables.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from gemel.errors import NotEnoughData, RecipeError, UnreadableItem
from gemel.items.modality import Modality, Prepared, Raws
from gemel.items.registry import modality_from

if TYPE_CHECKING:
    from jaxtyping import Int

Record = dict[str, Any]
"""The decoded fields that are there, by name, in the order of the modality's fields."""

PRESENT = "present"
"""The prepared array that says which fields an item has."""
NOTHING = ("NAType", "NaTType")
"""Types of what pandas, which need not be there, puts where nothing is."""


@dataclass(frozen=True)
class RecordModality:
    """How records are read and prepared: every field by its own modality.

    Attributes:
        fields: name → modality, in order; at least one.
        single: whether an item is one field alone: an image or a title, of a twin that compares the one with the other.
    """

    fields: Mapping[str, Modality]
    single: bool = False
    name: ClassVar[str] = "record"

    def __post_init__(self) -> None:
        if not self.fields:
            raise RecipeError("A record needs at least one field.")
        for name in self.fields:
            if not name.replace(" ", "_").replace("-", "_").isidentifier() or name == PRESENT:
                raise RecipeError(
                    f"A field cannot be called {name!r}: letters, digits, spaces, _ and - can be, and {PRESENT!r} is "
                    "taken. Give it another name: NAME=COLUMN."
                )

    def load(self, source: Any) -> Record:
        """One record, from a mapping of names to sources, or that as a JSON object.

        A field that is None, empty or not a number is missing.

        Raises:
            UnreadableItem: no field is there, one is not known, one cannot be read; or, of a `single` modality, there
                are several.
        """
        given = self._mapping(source)
        there = {name: value for name, value in given.items() if not is_missing(value)}
        known = ", ".join(self.fields)
        if strange := [name for name in there if name not in self.fields]:
            raise UnreadableItem("record", f"has a field {strange[0]!r}; expected {known}")
        if not there:
            raise UnreadableItem("record", f"has none of the fields {known}")
        if self.single and len(there) > 1:
            raise UnreadableItem("record", f"has {' and '.join(there)}, where one of {known} alone is expected")
        return {name: self._field(name, there[name]) for name in self.fields if name in there}

    def fit(self, raws: Raws) -> RecordModality:
        """Every field learns from those items that have it. Raises NotEnoughData where none has."""
        held = {name: [raw[name] for raw in raws if name in raw] for name in self.fields}
        for name, there in held.items():
            if not there:
                raise NotEnoughData(f"Not one of {len(raws):,} training records has the field {name!r}; leave it out.")
        return replace(self, fields={name: one.fit(held[name]) for name, one in self.fields.items()})

    def prepare(self, raws: Raws, *, rng: np.random.Generator | None = None) -> Prepared:
        """The arrays of every field, as `field.array`, and `present`: int64 [m, fields], 1 where an item has it.

        Where an item lacks a field, its row holds what another item has there, for the encoder to leave out. An item
        with several windows of a field has so many rows; a field with fewer windows repeats its last one.
        """
        parts = {name: _Part.of(one, [raw.get(name) for raw in raws], rng) for name, one in self.fields.items()}
        windows = np.max([part.windows for part in parts.values()], axis=0) if len(raws) else np.zeros(0, np.int64)
        owner = np.repeat(np.arange(len(raws)), windows)
        turn = np.arange(len(owner)) - np.repeat(np.cumsum(windows) - windows, windows)
        arrays = {
            f"{name}.{array}": values
            for name, part in parts.items()
            for array, values in part.rows(owner, turn).items()
        }
        there = np.array([[name in raws[i] for name in self.fields] for i in owner.tolist()], np.int64)
        return Prepared({**arrays, PRESENT: there.reshape(len(owner), len(self.fields))}, owner)

    def without(self, raw: Record, part: Any) -> Record:
        """The record without a field, or without a part of one: a name, or a name and a part of that field."""
        if isinstance(part, str):
            return {name: value for name, value in raw.items() if name != part}
        name, inner = part
        return {**raw, name: self.fields[name].without(raw[name], inner)}

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> RecordModality:
        """What `config` described, without its name."""
        fields = {name: modality_from(config) for name, config in values["fields"]}
        return cls(**{**values, "fields": fields})

    def config(self) -> dict[str, Any]:
        """Plain JSON values; `modality_from` undoes it."""
        fields = [[name, modality.config()] for name, modality in self.fields.items()]
        return {"name": self.name, "fields": fields, "single": self.single}

    def _mapping(self, source: Any) -> Mapping[str, Any]:
        if isinstance(source, str | bytes) and source.lstrip()[:1] in ("{", b"{"):
            try:
                source = json.loads(source)
            except ValueError as error:
                raise UnreadableItem("record", f"is no JSON object: {error}") from None
        if not isinstance(source, Mapping):
            fields = ", ".join(f'"{name}": …' for name in self.fields)
            raise UnreadableItem("record", f"is a {type(source).__name__}, where {{{fields}}} is expected")
        return source

    def _field(self, name: str, source: Any) -> Any:
        try:
            return self.fields[name].load(source)
        except UnreadableItem as error:
            raise UnreadableItem(error.source, f"is the {name} of a record, and {error.reason}") from None


@dataclass(frozen=True)
class _Part:
    """One field of some items, prepared.

    Attributes:
        arrays: of the items that have it.
        first: for each item, the row of its first window; of an item without it, that of some other one.
        windows: for each item, how many rows it has; 1 without it.
    """

    arrays: dict[str, np.ndarray]
    first: Int[np.ndarray, " n"]
    windows: Int[np.ndarray, " n"]

    @classmethod
    def of(cls, modality: Modality, raws: list[Any], rng: np.random.Generator | None) -> _Part:
        there = np.array([raw is not None for raw in raws], bool)
        prepared = modality.prepare([raw for raw in raws if raw is not None], rng=rng)
        windows, first = np.ones(len(raws), np.int64), np.zeros(len(raws), np.int64)
        windows[there] = np.bincount(prepared.owner, minlength=int(there.sum()))
        first[there] = np.searchsorted(prepared.owner, np.arange(int(there.sum())))
        if there.any():
            first[~there] = np.resize(first[there], int((~there).sum()))
        return cls(prepared.arrays, first, windows)

    def rows(self, owner: Int[np.ndarray, " m"], turn: Int[np.ndarray, " m"]) -> dict[str, np.ndarray]:
        """Arrays with a row for each window of whole items.

        Args:
            owner: which item each window belongs to.
            turn: which of its windows it is.
        """
        places = self.first[owner] + np.minimum(turn, self.windows[owner] - 1)
        return {name: _taken(array, places) for name, array in self.arrays.items()}


def _taken(array: np.ndarray, places: Int[np.ndarray, " m"]) -> np.ndarray:
    """Some rows; where no item has the field, zeros, or the piece 1 of a text, at least one point long."""
    if len(array):
        return array if np.array_equal(places, np.arange(len(array))) else array[places]
    fill = 1 if array.dtype.kind == "i" else 0
    return np.full((len(places), *(max(1, side) for side in array.shape[1:])), fill, array.dtype)


def is_missing(value: Any) -> bool:
    """None, an empty text, NaN, or what pandas has for them."""
    if value is None or type(value).__name__ in NOTHING or (isinstance(value, str | bytes) and not value.strip()):
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))
