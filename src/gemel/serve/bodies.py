"""From a request to named values: JSON or multipart, in bounded memory and time. Knows HTTP; knows no modality.

Uploads stay in memory and touch no disk of the server.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import orjson
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from gemel.serve.problems import Problem
from gemel.serve.settings import Limits

LONG = 1 << 18
"""Bytes from which on a body is read beside the loop that serves the others."""
CHARSETS = (b"utf-8", b"utf8", b"us-ascii")
"""What a form may say that it is written in."""
FIELDS = 32
"""Fields of a form that are not items."""


@dataclass(frozen=True, eq=False)
class Upload:
    """One file of a form.

    Attributes:
        content: its bytes.
        name: what the sender calls it, without folders.
    """

    content: bytes
    name: str


@dataclass(frozen=True, eq=False)
class Body:
    """What a request says.

    Attributes:
        values: by name: plain JSON values; in a form texts, uploads, or lists of them.
        form: whether numbers and the like came as text.
        long: whether it takes a while to read what it holds.
    """

    values: dict[str, Any]
    form: bool
    long: bool = False


async def body_of(request: Request, limits: Limits) -> Body:
    """What a request says. A form's `item.photo` and `item.title` become one mapping, `item`.

    Raises:
        Problem: it is too large, too slow, malformed, or of another media type.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        async with asyncio.timeout(limits.upload):
            if kind == "multipart/form-data":
                values = await _form(request, limits)
                return Body(values, True, any(_size(value) > LONG for value in values.values()))
            if kind == "application/json":
                return await _json(request, limits)
    except TimeoutError:
        raise Problem("too-slow", f"A body arrives within {limits.upload:g} seconds.") from None
    except ClientDisconnect:
        raise Problem("malformed", "The body ended before it was whole.") from None
    raise Problem("wrong-media-type", f"Send application/json or multipart/form-data; {kind or 'nothing'!r} came.")


def printable(name: str) -> str:
    """A name that came from elsewhere, cut to what can be kept and shown."""
    return "".join(letter for letter in name[:200] if letter.isprintable())


async def _json(request: Request, limits: Limits) -> Body:
    body = await request.body()
    _refuse_many(len_in_json(body), limits)
    found = await asyncio.to_thread(_parsed, body) if len(body) > LONG else _parsed(body)
    if not isinstance(found, dict):
        raise Problem("malformed", f"The body must be a JSON object; a {type(found).__name__} came.")
    return Body(found, False, len(body) > LONG)


def len_in_json(text: str | bytes) -> int:
    """How many values a text holds, about, if it is JSON. Reading it takes the time and the room of so many, and while
    it is read nobody else is served."""
    marks: Any = "[{," if isinstance(text, str) else (b"[", b"{", b",")
    return sum(map(text.count, marks))


def _refuse_many(values: int, limits: Limits) -> None:
    if values > 2 * limits.points + FIELDS:
        raise Problem("too-large", f"At most {2 * limits.points:,} values fit into a request; about {values:,} came.")


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError as error:
        raise Problem("malformed", f"The body is no JSON: {error}.") from None


async def _form(request: Request, limits: Limits) -> dict[str, Any]:
    charset = parse_options_header(request.headers["content-type"])[1].get(b"charset", b"utf-8").lower()
    if charset not in CHARSETS:  # some that Python knows take the square of the time, or give what no text is
        raise Problem("wrong-media-type", f"A form is in UTF-8; {printable(charset.decode('latin-1'))!r} came.")
    parser = MultiPartParser(
        request.headers,
        request.stream(),
        max_files=limits.items,
        max_fields=limits.items + FIELDS,
        max_part_size=limits.body,
    )
    parser.spool_max_size = limits.body  # never to disk
    form: FormData | None = None
    try:
        form = await parser.parse()
        found: dict[str, Any] = {}
        _refuse_many(sum(len_in_json(value) for _, value in form.multi_items() if isinstance(value, str)), limits)
        for name, value in form.multi_items():
            whole = await _upload(value) if isinstance(value, UploadFile) else value
            _put(found, name, whole)
        return found
    except MultiPartException as error:
        raise Problem("malformed", f"The form cannot be read: {error.message}") from None
    except (UnicodeDecodeError, LookupError, AssertionError, KeyError, ValueError) as error:
        raise Problem("malformed", f"The form cannot be read: {error}") from None
    finally:
        if form is not None:
            await form.close()


async def _upload(file: UploadFile) -> Upload:
    name = (file.filename or "").replace("\\", "/").rpartition("/")[2]
    return Upload(await file.read(), printable(name))


def _size(value: Any) -> int:
    """Bytes of a form's value, about."""
    if isinstance(value, list):
        return sum(map(_size, value))
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    return len(value.content if isinstance(value, Upload) else value)


def _put(found: dict[str, Any], name: str, value: Any) -> None:
    """Among the values of a form: one that comes again makes a list, a dotted name a mapping."""
    first, dot, rest = name.partition(".")
    if dot:
        inner = found.setdefault(first, {})
        if not isinstance(inner, dict) or rest in inner:
            raise Problem("malformed", f"The form has {first!r} in two ways.")
        inner[rest] = value
    elif name not in found:
        found[name] = value
    elif isinstance(found[name], list):
        found[name].append(value)
    else:
        found[name] = [found[name], value]
