"""What every request passes, and what every answer carries: host, origin, size; headers, a line in the log.

Plain ASGI, outside of the routes, so that nothing comes past it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gemel.serve.door import OPEN
from gemel.serve.metrics import Metrics
from gemel.serve.problems import Problem, problem_of
from gemel.serve.settings import Limits

log = logging.getLogger("gemel.serve.access")

METHODS = frozenset("GET HEAD POST PUT PATCH DELETE OPTIONS".split())
"""What is counted by its name; a client may think of any number of others."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
RAW = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
PAGE = [*RAW[:-1], (b"cache-control", b"no-cache")]  # asked for again, and not sent again


class Guard:
    """Around an application.

    Args:
        app: what answers.
        metrics: where answers are counted.
        limits: bytes of a body, and of all that are held at once.
        hosts: names that the server goes by; empty: any.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, limits: Limits, hosts: tuple[str, ...] = ()) -> None:
        self.app, self.metrics, self.limits, self.hosts = app, metrics, limits, hosts
        self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status, size = time.perf_counter(), 0, 0

        async def taking() -> Message:
            nonlocal size
            message = await receive()
            more = len(message.get("body", b""))
            size += more
            self.held += more
            if size > self.limits.body:
                raise Problem("too-large", f"A request has at most {self.limits.body:,} bytes.")
            if self.held > self.limits.held:
                raise Problem("too-busy", "The server holds as much as it may; try again soon.", retry=1)
            return message

        async def telling(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                there = {name.lower() for name, _ in message["headers"]}
                added = PAGE if scope["path"].startswith("/page/") else RAW
                message["headers"] = [*message["headers"], *(pair for pair in added if pair[0] not in there)]
            await send(message)

        try:
            headers = Headers(scope=scope)
            refuse_foreign(headers, self.hosts)
            if "\n" in scope["path"]:  # a route would take what comes before it for the whole
                raise Problem("not-found", "There is nothing at this address.")
            if whole(headers.get("content-length")) > self.limits.body:
                raise Problem("too-large", f"A request has at most {self.limits.body:,} bytes.")
            await self.app(scope, taking, telling)
        except Exception as error:
            if status:  # told already
                return
            await problem_of(error).response()(scope, receive, telling)
        finally:
            self.held -= size
            took = time.perf_counter() - start
            route = route_of(scope)
            method = scope["method"] if scope["method"] in METHODS else "OTHER"
            self.metrics.answer(route, method, status, took)
            who = scope.get("state", {}).get("key", OPEN).name or "-"
            log.info("%s %s %d %.1f ms %s", method, route, status, 1000 * took, who)


def route_of(scope: MutableMapping[str, Any]) -> str:
    """The path of a route, with {identity} for a name; what no route answered is one and the same."""
    return str(getattr(scope.get("route"), "path", "-")).replace(":path}", "}")


def refuse_foreign(headers: Headers, hosts: tuple[str, ...]) -> None:
    """Raises Problem where another web page asks, or where the server is called by a name that is not its own.

    A page that its user visits may send requests to a server on the same machine, and may even give it a name of its
    own. Browsers say both.
    """
    name = headers.get("host", "")
    if hosts and bare(name) not in hosts:
        raise Problem("wrong-host", f"This server answers as {', '.join(hosts)}; start it with --name for others.")
    cross = headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate"
    if cross or not is_own(headers.get("origin"), name, hosts):
        raise Problem("not-allowed", "Pages of other sites may not use this server.")


def is_own(origin: str | None, name: str, hosts: tuple[str, ...]) -> bool:
    """Whether the page that asks, if one does, came from this server, which was called `name`."""
    if origin is None:
        return True
    try:
        place = urlsplit(origin).netloc.lower()
    except ValueError:
        return False
    return place == name.lower() or place in hosts  # another port is another site


def bare(host: str) -> str:
    """A host without its port, in lower case."""
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower()


def whole(text: str | None) -> int:
    """A header's whole number; 0 where it is none."""
    return int(text) if text is not None and text.isascii() and text.isdecimal() and len(text) < 19 else 0
