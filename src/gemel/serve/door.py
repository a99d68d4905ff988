"""Who comes in: the key of a request, what it may do, and how often."""

from __future__ import annotations

import time

from starlette.requests import Request

from gemel.serve.keys import Key, Keys, Scope
from gemel.serve.problems import Problem

OPEN = Key("", "admin", "", "")
"""Who asks a server without keys."""
BURST = 10
"""Seconds over which a rate is an average."""


class Door:
    """Lets in who may.

    Args:
        keys: who may do what; None: everyone may everything.
        rate: requests of one key in a second, over ten seconds; 0: any number. Without keys there is no limit.
    """

    def __init__(self, keys: Keys | None, rate: float = 0) -> None:
        self.keys, self.rate = keys, rate
        self._left: dict[str, tuple[float, float]] = {}

    def enter(self, request: Request, scope: Scope) -> Key:
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
