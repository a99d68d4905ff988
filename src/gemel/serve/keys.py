"""API keys: who may do what. Only their hashes are kept, in a file of JSON beside the gallery.

A key is 256 random bits, so one round of SHA-256 hides it; there is no password to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from gemel.errors import DataError, GalleryError

Scope = Literal["read", "write", "admin"]
"""What a key may do: ask; enrol too; delete too."""

SCOPES: tuple[Scope, ...] = get_args(Scope)
PREFIX = "gemel_"
"""How a key begins, so that scanners for leaked secrets can find it."""
FRESH = 1.0
"""Seconds after which the file is looked at again: a key that was revoked is refused from then on."""


@dataclass(frozen=True)
class Key:
    """One key, as it is kept.

    Attributes:
        name: who or what uses it.
        scope: what it may do.
        sha256: of the key itself, 64 hexadecimal digits.
        created: when, in UTC.
    """

    name: str
    scope: Scope
    sha256: str
    created: str

    def may(self, scope: Scope) -> bool:
        """Whether it may do what takes this scope."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)


class Keys:
    """The keys of a file, which may change while they are used.

    Args:
        file: where they are kept; it need not exist yet.

    Raises:
        GalleryError: it cannot be read, or holds something else.
    """

    def __init__(self, file: str | Path) -> None:
        self.file = Path(file)
        self._known: tuple[Key, ...] = ()
        self._state: tuple[int, int, int] | None = None
        self._looked = -FRESH
        self._refresh()

    def __len__(self) -> int:
        return len(self.all())

    def all(self) -> tuple[Key, ...]:
        """Every key, in the order they were made."""
        self._refresh()
        return self._known

    def key(self, token: str) -> Key | None:
        """The key that a token is; None: none. Takes as long whichever it is, and however much of it is right."""
        self._refresh()
        given = _hash(token)
        found = None
        for key in self._known:
            if hmac.compare_digest(key.sha256, given):
                found = key
        return found

    def add(self, name: str, scope: Scope) -> str:
        """Make a key, and return it: the only time that it can be seen.

        Raises:
            DataError: the name is taken or empty.
            GalleryError: the file cannot be written.
        """
        if not name.strip():
            raise DataError("A key needs a name that says who uses it.")
        token = PREFIX + secrets.token_urlsafe(32)
        created = datetime.now(UTC).isoformat(timespec="seconds")
        with self._alone() as known:
            if any(key.name == name for key in known):
                raise DataError(f"There is a key {name!r} already; revoke it first, or choose another name.")
            self._write((*known, Key(name, scope, _hash(token), created)))
        return token

    def revoke(self, name: str) -> None:
        """Take a key back: a running server refuses it within a second.

        Raises:
            DataError: there is none of that name.
            GalleryError: the file cannot be written.
        """
        with self._alone() as known:
            if all(key.name != name for key in known):
                there = ", ".join(key.name for key in known) or "none"
                raise DataError(f"There is no key {name!r}; there are: {there}.")
            self._write(key for key in known if key.name != name)

    @contextmanager
    def _alone(self) -> Iterator[tuple[Key, ...]]:
        """The keys as they are, while no other process changes them: or one would bring back what another revoked."""
        with ExitStack() as stack:
            with suppress(ImportError, OSError):  # Windows has none; a folder that is not there is told of by `_write`
                import fcntl

                folder = os.open(self.file.absolute().parent, os.O_RDONLY)
                stack.callback(os.close, folder)
                fcntl.flock(folder, fcntl.LOCK_EX)
            self._looked = -FRESH
            yield self.all()

    def _refresh(self) -> None:
        """Look at the file. Where it cannot be read nobody comes in, however often they ask."""
        now = time.monotonic()
        if now - self._looked < FRESH:
            return
        try:
            about = self.file.stat()
        except FileNotFoundError:
            self._known, self._state, self._looked = (), None, now
            return
        except OSError as error:
            raise GalleryError(f"The keys in {self.file} cannot be read: {error.strerror}.") from None
        state = about.st_mtime_ns, about.st_size, about.st_ino
        if state != self._state:
            self._known, self._state = _read(self.file), state
        self._looked = now

    def _write(self, keys: Iterable[Key]) -> None:
        """Whole or not at all, and for nobody's eyes but the owner's."""
        known = tuple(keys)
        draft = self.file.with_name(f"{self.file.name}.{secrets.token_hex(4)}")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump({"format": 1, "keys": [asdict(key) for key in known]}, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.file)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise GalleryError(f"The keys cannot be written to {self.file}: {error.strerror}.") from None
        self._looked = -FRESH
        self._refresh()


def _read(file: Path) -> tuple[Key, ...]:
    try:
        keys = tuple(Key(**one) for one in json.loads(file.read_text("utf-8"))["keys"])
        if any(key.scope not in SCOPES or len(key.sha256) != 64 for key in keys):
            raise ValueError
        return keys
    except OSError as error:
        raise GalleryError(f"The keys in {file} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError):
        raise GalleryError(f"{file} holds no API keys; make some with: gemel key add.") from None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
