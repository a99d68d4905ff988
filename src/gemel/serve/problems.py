"""Errors as `application/problem+json` (RFC 9457): one sentence for people, one name for programs.

What nobody expected is logged with its traceback, and told without a word of it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from starlette.responses import Response

from gemel.errors import (
    DataError,
    GalleryError,
    GemelError,
    MissingExtra,
    ModelError,
    NotCalibrated,
    NotEnrolled,
    TooManyBad,
    UnreadableItem,
)

log = logging.getLogger("gemel.serve")

MEDIA = "application/problem+json"

TITLES = {
    "malformed": (400, "The request cannot be read"),
    "no-key": (401, "An API key is needed"),
    "not-allowed": (403, "Not allowed"),
    "not-found": (404, "There is no such thing"),
    "not-enrolled": (404, "Not enrolled"),
    "wrong-method": (405, "No such method here"),
    "too-slow": (408, "The request took too long to arrive"),
    "not-calibrated": (409, "There is no decision for this"),
    "too-large": (413, "Too large"),
    "wrong-media-type": (415, "Another media type is expected"),
    "wrong-host": (421, "The server is not called that"),
    "unreadable-item": (422, "An item cannot be used"),
    "invalid": (422, "The request does not say what is expected"),
    "too-busy": (429, "Too busy"),
    "too-often": (429, "Too many requests"),
    "gone": (499, "The client went away"),
    "failed": (500, "Something went wrong"),
    "unavailable": (503, "Not available now"),
}
"""Name of a problem → its status, and what it is called."""


class Problem(Exception):
    """A request that is not answered as it hoped.

    Args:
        name: one of `TITLES`.
        detail: a sentence for people: what was expected, what came, what to do.
        items: bad items, each with its field, row, name and reason.
        retry: seconds after which it may be tried again.
    """

    def __init__(
        self, name: str, detail: str, *, items: Sequence[Mapping[str, Any]] = (), retry: float | None = None
    ) -> None:
        super().__init__(detail)
        self.name, self.items, self.retry = name, list(items), retry
        self.detail = detail.encode("utf-8", "replace").decode("utf-8")  # it may quote what no encoding has
        self.status, self.title = TITLES[name]

    def response(self) -> Response:
        """As an answer."""
        headers = {} if self.retry is None else {"Retry-After": str(max(1, round(self.retry)))}
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="gemel"'
        return Response(orjson.dumps(self.json()), self.status, headers, media_type=MEDIA)

    def json(self) -> dict[str, Any]:
        """As plain JSON values."""
        kind = f"urn:gemel:{self.name}"
        values = {"type": kind, "title": self.title, "status": self.status, "detail": self.detail}
        return values | ({"items": self.items} if self.items else {})


_NAMES: tuple[tuple[type[GemelError], str], ...] = (
    (NotEnrolled, "not-enrolled"),
    (UnreadableItem, "unreadable-item"),
    (TooManyBad, "unreadable-item"),
    (DataError, "invalid"),
    (NotCalibrated, "not-calibrated"),
    (GalleryError, "unavailable"),
    (MissingExtra, "unavailable"),
    (ModelError, "failed"),
)
"""The first that fits says what an error is to the one who asked."""


def problem_of(error: Exception) -> Problem:
    """What an error is to the one who asked."""
    if isinstance(error, Problem):
        return error
    for kind, name in _NAMES:
        if isinstance(error, kind):
            if TITLES[name][0] >= 500:
                log.error("%s: %s", kind.__name__, error)
            return Problem(name, str(error))
    log.error("unexpected %s", type(error).__name__, exc_info=error)
    return Problem("failed", "The server met an error that nobody expected; its log says which.")
