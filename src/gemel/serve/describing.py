"""How a route is described in OpenAPI: its body in JSON and as a form, its answer, and the problems it may end in."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from gemel.serve.problems import MEDIA
from gemel.serve.schemas import ONE, SEVERAL, Asked, schema_of

COMMON = (400, 401, 403, 408, 413, 415, 421, 422, 429, 503)
"""Statuses that any route may answer with."""
WORDS = {
    400: "The request cannot be read",
    401: "An API key is needed",
    403: "Not allowed",
    404: "There is no such thing",
    408: "The request took too long to arrive",
    409: "There is no decision for this",
    413: "Too large",
    415: "Another media type is expected",
    421: "The server is not called that",
    422: "Something in the request cannot be used",
    429: "Too busy, or asked too often; see Retry-After",
    503: "Not available now",
}


def speaks(asked: type[Asked] | None, answer: type[BaseModel] | None, *more: int, also: int | None = None) -> Any:
    """Arguments of a route.

    Args:
        asked: what its body says; None: it has none.
        answer: what it answers; None: something that is not described.
        more: statuses of problems beside those of all routes.
        also: another status with the same answer.
    """
    problem: dict[str, Any] = {"content": {MEDIA: {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}}}
    statuses: dict[int | str, Any] = {status: {"description": WORDS[status], **problem} for status in (*COMMON, *more)}
    if also is not None:
        statuses[also] = {"model": answer, "description": "Nothing new: all of it was known"}
    described: dict[str, Any] = {"response_model": answer, "responses": statuses}
    if asked is not None:
        whole = {"schema": {"$ref": f"#/components/schemas/{asked.__name__}"}}
        body = {"required": True, "content": {"application/json": whole, "multipart/form-data": _form(asked)}}
        described["openapi_extra"] = {"requestBody": body}
    return described


def _form(asked: type[Asked]) -> dict[str, Any]:
    """The same as a form: items are files, or texts; other values are written as text."""
    whole = schema_of(asked)
    fields: dict[str, Any] = {}
    for name, schema in whole["properties"].items():
        if name in ONE:
            fields[name] = {"type": "string", "format": "binary"}
        elif name == SEVERAL:
            fields[name] = {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1}
        else:
            fields[name] = {"type": "string", "description": schema.get("description", "")}
    both = {"oneOf": whole["oneOf"]} if "oneOf" in whole else {}
    return {"schema": {"type": "object", "properties": fields, "required": whole.get("required", []), **both}}
