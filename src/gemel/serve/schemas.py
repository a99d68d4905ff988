"""What requests are made of, checked and described for OpenAPI; and what an item is, for the twin that is served."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Self

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from gemel.items import ImageModality, RecordModality, SeriesModality, TextModality, VectorModality
from gemel.items.modality import Modality
from gemel.serve.bodies import Body
from gemel.serve.problems import Problem

ONE, SEVERAL = ("a", "b", "item"), "items"
"""Names of fields that are items: one, or a list of them."""
Share = Annotated[float, Field(gt=0, lt=1)]
Name = Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S")]
HEAVY, DEEP, CHOICE = 1 << 14, 8, 100
"""Bytes and levels of metadata in JSON, at most: every item keeps them, and every hit brings them along. Values that a
filter may choose from: it looks at every item."""


def _light(values: dict[str, Any]) -> dict[str, Any]:
    if not _is_flat(values, DEEP):
        raise PydanticCustomError("deep", "at most {most} levels are taken", {"most": DEEP})
    if (size := len(orjson.dumps(values))) > HEAVY:
        raise PydanticCustomError("heavy", "at most {most} bytes are taken, {size} came", {"most": HEAVY, "size": size})
    return values


def _is_flat(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return inner is None or (levels > 0 and all(_is_flat(one, levels - 1) for one in inner))


def _few(values: dict[str, Any]) -> dict[str, Any]:
    if any(isinstance(one, list) and len(one) > CHOICE for one in values.values()):
        raise PydanticCustomError("choice", "at most {most} values may be chosen from", {"most": CHOICE})
    return values


Values = Annotated[dict[str, Any], Field(max_length=50), AfterValidator(_light)]
Filter = Annotated[Values, AfterValidator(_few)]


class Asked(BaseModel):
    """The values of a request; nothing that it does not know is passed over."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def of(cls, body: Body) -> Self:
        """From a body; texts stand for numbers only in a form. Raises Problem."""
        values = {name: _written(name, value) for name, value in body.values.items()} if body.form else body.values
        try:
            return cls.model_validate(values, strict=not body.form)
        except ValidationError as error:
            said = [_said(one) for one in error.errors(include_url=False, include_input=False)]
            raise Problem("invalid", "; ".join(said[:5]) + ".") from None


def _written(name: str, value: Any) -> Any:
    """The value of a form's field: objects are written as JSON there."""
    if name not in ("metadata", "where") or not isinstance(value, str):
        return value
    if len(value) > HEAVY:
        raise Problem("invalid", f"{name}: at most {HEAVY:,} bytes are taken.")
    try:
        return orjson.loads(value)
    except ValueError as error:
        raise Problem("invalid", f"{name}: is no JSON: {error}.") from None


def _said(error: Any) -> str:
    place = ".".join(map(str, error["loc"]))
    return f"{place}: {error['msg']}" if place else str(error["msg"])


class Verify(Asked):
    """Two items, or an item and the identity that it claims."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["b"]}, {"required": ["identity"]}]})

    a: Any = Field(description="One item.")
    b: Any = Field(None, description="The other; or give an identity.")
    identity: Name | None = Field(None, description="The claim: an enrolled identity.")
    fmr: Share | None = Field(None, description="Decide at the threshold of this false match rate.")
    prior: Share | None = Field(None, description="Probability of *same* before looking.")
    certainty: Annotated[float, Field(ge=0.5, le=1)] | None = Field(
        None, description="Stay undecided unless one answer is at least this probable."
    )

    @model_validator(mode="after")
    def _one_other(self) -> Self:
        if (self.b is None) == (self.identity is None):
            raise PydanticCustomError("sides", "give either b, another item, or identity, a claim")
        return self


class Embed(Asked):
    """Items to embed."""

    items: Any = Field(description="The items.")


class Identify(Asked):
    """An item, and whom it shows."""

    item: Any = Field(description="The item.")
    fpir: Annotated[float, Field(gt=0, le=0.5)] | None = Field(
        None, description="Share of strangers who may be taken for someone."
    )
    prior: Share | None = Field(None, description="Probability that whoever is shown is enrolled at all.")


class Search(Asked):
    """An item, and what is like it."""

    item: Any = Field(description="The item.")
    k: Annotated[int, Field(ge=1, le=10_000)] = Field(10, description="At most so many neighbours.")
    where: Filter | None = Field(None, description="Only items whose metadata has these values; a list allows any.")


class Enroll(Asked):
    """Items of an identity to make known."""

    identity: Name = Field(description="The name to find it by.")
    items: Any = Field(description="The items.")
    metadata: Values | None = Field(None, description="Kept with each item, returned by search.")
    keep: bool = Field(False, description="Keep the items themselves too. Texts and vectors always are.")


MODELS: dict[str, type[Asked]] = {
    "/v1/verify": Verify,
    "/v1/embed": Embed,
    "/v1/identify": Identify,
    "/v1/search": Search,
    "/v1/identities": Enroll,
}
"""Path of a POST → what its body says."""


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """A model as a schema among the components of OpenAPI, where the schema of an item is another one."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    item = {"$ref": "#/components/schemas/Item"}
    for name, value in schema["properties"].items():
        if issubclass(model, Asked) and name in (*ONE, SEVERAL):
            whole = item if name in ONE else {"type": "array", "items": item, "minItems": 1}
            schema["properties"][name] = {**whole, "description": value["description"]}
    return schema


PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAAEElEQVR4nGM8wQABTAwUMQA6AADYhMgK6QAAAABJRU5ErkJggg=="
"""A grey PNG of 8 by 8 pixels."""
SOUND = base64.b64encode(
    b"RIFF"
    + (836).to_bytes(4, "little")
    + b"WAVEfmt "
    + bytes([16, 0, 0, 0, 1, 0, 1, 0, 64, 31, 0, 0, 128, 62, 0, 0])
    + bytes([2, 0, 16, 0])
    + b"data"
    + (800).to_bytes(4, "little")
    + bytes(range(100)) * 8
).decode()
"""A WAV file of a twentieth of a second."""
_FILE = {
    "type": "object",
    "properties": {"base64": {"type": "string", "contentEncoding": "base64"}, "name": {"type": "string"}},
    "required": ["base64"],
    "additionalProperties": False,
}
_NUMBERS = {"type": "array", "items": {"type": "number"}, "minItems": 1}


def item_schema(modality: Modality) -> dict[str, Any]:
    """What an item of this modality is in JSON, as a schema."""
    return _shape(modality) | {"examples": [item_example(modality)]}


def _shape(modality: Modality) -> dict[str, Any]:
    if isinstance(modality, RecordModality):
        fields = {name: item_schema(field) for name, field in modality.fields.items()}
        return {"type": "object", "properties": fields, "additionalProperties": False, "minProperties": 1}
    if isinstance(modality, TextModality):
        return {"type": "string", "minLength": 1}
    if isinstance(modality, VectorModality):
        return {**_NUMBERS, "minItems": modality.dim, "maxItems": modality.dim}
    if isinstance(modality, SeriesModality) and not (modality.stamps and modality.rate):
        return {"anyOf": [{"type": "array", "items": _NUMBERS, "minItems": 2}, _FILE]}
    return dict(_FILE)


def item_example(modality: Modality) -> Any:
    """An item that can be sent as it stands."""
    if isinstance(modality, RecordModality):
        fields = {name: item_example(field) for name, field in modality.fields.items()}
        return dict([next(iter(fields.items()))]) if modality.single else fields
    if isinstance(modality, TextModality):
        return "How do I change my password?"
    if isinstance(modality, VectorModality):
        return [round(0.1 * (i + 1), 1) for i in range(modality.dim)]
    if isinstance(modality, SeriesModality) and modality.stamps and modality.rate:
        return {"base64": base64.b64encode(_stamped(modality)).decode(), "name": "example.csv"}
    if isinstance(modality, SeriesModality):
        return [[float(time + channel) for channel in range(modality.channels)] for time in range(4)]
    return {"base64": PICTURE if isinstance(modality, ImageModality) else SOUND, "name": "example"}


def _stamped(modality: SeriesModality) -> bytes:
    """A table of a series with time stamps, which numbers alone cannot say."""
    names = [modality.stamps, *(modality.columns or [f"channel {i + 1}" for i in range(modality.channels)])]
    rows = [[time / modality.rate, *(time + channel for channel in range(modality.channels))] for time in range(4)]
    return "\n".join(",".join(map(str, row)) for row in (names, *rows)).encode()


def body_example(model: type[Asked], item: Any) -> dict[str, Any]:
    """A body that can be sent as it stands, of a twin of such items."""
    several: dict[type[Asked], dict[str, Any]] = {
        Verify: {"a": item, "b": item},
        Embed: {"items": [item]},
        Identify: {"item": item},
        Search: {"item": item, "k": 5},
        Enroll: {"identity": "ada", "items": [item], "metadata": {"site": "north"}},
    }
    return several[model]
