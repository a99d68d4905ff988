"""What answers are made of, described for OpenAPI. The answers themselves are written in `shown.py`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

Accepts = Literal["some", "all", "none"]


class BadItem(BaseModel):
    """An item that cannot be used."""

    row: int
    name: str
    reason: str


class VerdictAnswer(BaseModel):
    """Whether two items are the same; `same` is null where neither answer is sure enough."""

    same: bool | None
    probability: float
    distance: float
    threshold: float | None
    accepts: Accepts
    point: str
    llr: float
    method: int


class EmbedAnswer(BaseModel):
    """A row for each item, null where it cannot be used."""

    dim: int
    embeddings: list[list[float] | None]
    bad: list[BadItem]


class MatchValue(BaseModel):
    """Who an item shows."""

    identity: str
    probability: float
    distance: float
    threshold: float
    point: str


class IdentifyAnswer(BaseModel):
    """Who an item shows; `match` is null for nobody who is enrolled."""

    match: MatchValue | None
    enrolled: int


class HitValue(BaseModel):
    """An enrolled item near another; `kept`: whether it can be shown."""

    id: str
    identity: str
    name: str
    distance: float | None
    metadata: dict[str, Any]
    kept: bool


class SearchAnswer(BaseModel):
    """The nearest first."""

    hits: list[HitValue]


class IdentityValue(BaseModel):
    """An enrolled identity, and how many items it has."""

    identity: str
    items: int


class ListAnswer(BaseModel):
    """Enrolled identities in order of their names; `next` is what to ask for `after`, null at the end."""

    identities: list[IdentityValue]
    total: int
    next: str | None


class EnrollAnswer(BaseModel):
    """What came of enrolling; what is counted here stays."""

    identity: str
    added: int
    already: int
    bad: list[BadItem]
    ids: list[str]


class ItemValue(BaseModel):
    """An enrolled item."""

    id: str
    name: str
    metadata: dict[str, Any]
    kept: bool


class IdentityAnswer(BaseModel):
    """An enrolled identity and its items."""

    identity: str
    items: list[ItemValue]


class RemovedAnswer(BaseModel):
    """What is gone."""

    identity: str
    removed: int


class FieldPreview(BaseModel):
    """One field of an item, as a browser can show it: a data address, a text, or numbers."""

    field: str
    kind: Literal["image", "audio", "text", "series", "vector"]
    data: str | list[float] | list[list[float]]


class PreviewAnswer(BaseModel):
    """What an enrolled item looks like."""

    id: str
    identity: str
    name: str
    fields: list[FieldPreview]


class ProblemAnswer(BaseModel):
    """Why a request was not answered (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    items: list[dict[str, Any]] | None = None
