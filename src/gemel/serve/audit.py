"""Who enrolled and deleted what, when: a JSON object a line, for those who must be able to tell.

Never an item, an embedding or a key; a name of whom it was about stays, also after that was deleted.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gemel.errors import GemelError, NotEnrolled

log = logging.getLogger("gemel.serve")


class Audit:
    """Lines at the end of a file.

    Args:
        file: where they go; None: nowhere.
    """

    def __init__(self, file: Path | None) -> None:
        self._lock = threading.Lock()
        self._file = None if file is None else open(file, "a", encoding="utf-8", opener=_private)  # noqa: SIM115 (closed by `close`)

    @contextmanager
    def noting(self, action: str, key: str | None, **what: Any) -> Iterator[dict[str, Any]]:
        """Write a line once something is done, or has failed half way; what is added to the yielded values stands there
        too. What was refused is not noted."""
        try:
            yield what
        except NotEnrolled:
            raise
        except GemelError as error:
            self.note(action, key, **what, failed=type(error).__name__)
            raise
        self.note(action, key, **what)

    def note(self, action: str, key: str | None, **what: Any) -> None:
        """Write one line, which is with the operating system when this returns.

        What was done cannot be undone for lack of a line: where the file takes none, the log of the server says so.

        Args:
            action: enrol or delete.
            key: name of the key that asked.
            what: identity, ids and the like.
        """
        if self._file is None:
            return
        line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "action": action, "key": key, **what}
        try:
            with self._lock:
                self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
                self._file.flush()
        except (OSError, ValueError) as error:
            log.error("the audit log takes no line: %s", error)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is None:
            return
        try:
            self._file.close()
        except OSError as error:
            log.error("the audit log lost its last line: %s", error)


def _private(file: str, flags: int) -> int:
    """A file for its owner's eyes: it says who is known."""
    return os.open(file, flags, 0o600)
