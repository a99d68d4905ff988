"""What every request passes, and what every answer carries: host, origin, key, rate; headers, a line in the log.

Plain ASGI, outside of the routes, so that nothing comes past it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gemel.serve.keys import Key, Keys
from gemel.serve.keys import Scope as May
from gemel.serve.metrics import Metrics
from gemel.serve.problems import Problem, problem_of

log = logging.getLogger("gemel.serve.access")

OPEN = Key("", "admin", "", "")
"""Who asks a server without keys."""
BURST = 10
"""Seconds over which a rate is an average."""

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


class Guard:
    """Around an application.

    Args:
        app: what answers.
        metrics: where answers are counted.
        hosts: names that the server goes by; empty: any.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, hosts: tuple[str, ...] = ()) -> None:
        self.app, self.metrics, self.hosts = app, metrics, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0

        async def telling(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            refuse_foreign(Headers(scope=scope), self.hosts)
            await self.app(scope, receive, telling)
        except Exception as error:
            if status:  # told already
                return
            await problem_of(error).response()(scope, receive, telling)
        finally:
            took = time.perf_counter() - start
            route = route_of(scope)
            self.metrics.answer(route, scope["method"], status, took)
            who = scope.get("state", {}).get("key", OPEN).name or "-"
            log.info("%s %s %d %.1f ms %s", scope["method"], route, status, 1000 * took, who)


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
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != name.lower():
        raise Problem("not-allowed", "Pages of other sites may not use this server.")
    if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
        raise Problem("not-allowed", "Pages of other sites may not use this server.")


def bare(host: str) -> str:
    """A host without its port, in lower case."""
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower()


class Door:
    """Lets in who may.

    Args:
        keys: who may do what; None: everyone may everything.
        rate: requests of one key in a second, over ten seconds; 0: any number. Without keys there is no limit.
    """

    def __init__(self, keys: Keys | None, rate: float = 0) -> None:
        self.keys, self.rate = keys, rate
        self._left: dict[str, tuple[float, float]] = {}

    def enter(self, request: Request, scope: May) -> Key:
        """The key of a request, which may do what takes this scope.

        Raises:
            Problem: it has none, that may not, or it came too often.
        """
        key = OPEN if self.keys is None else self._key(request, self.keys)
        request.state.key = key
        if not key.may(scope):
            raise Problem("not-allowed", f"This takes a key of scope {scope}; {key.name!r} has {key.scope}.")
        if self.rate and self.keys is not None:
            self._count(key)
        return key

    @staticmethod
    def _key(request: Request, keys: Keys) -> Key:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        found = keys.key(token.strip()) if kind.lower() == "bearer" else None
        if found is None:
            raise Problem("no-key", "Send a key that this server knows: Authorization: Bearer gemel_….")
        return found

    def _count(self, key: Key) -> None:
        """A bucket that fills with `rate` a second and holds ten seconds' worth."""
        now, most = time.monotonic(), max(1.0, self.rate * BURST)
        left, before = self._left.get(key.sha256, (most, now))
        left = min(most, left + (now - before) * self.rate)
        if left < 1:
            self._left[key.sha256] = left, now
            raise Problem("too-often", f"At most {self.rate:g} requests in a second.", retry=(1 - left) / self.rate)
        self._left[key.sha256] = left - 1, now
