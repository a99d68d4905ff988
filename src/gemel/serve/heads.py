"""The head of a request has an end: uvicorn with httptools would gather a line, or lines, of any length, for anyone.

Knows uvicorn's protocol; knows nothing of what is asked.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD = 1 << 16
"""Bytes of a head at most, beside what came with its first packet: what uvicorn with h11 takes, too."""


class Bounded(HttpToolsProtocol):
    """Hangs up on whoever sends so much without a request, or a piece of its body, being whole: also behind a body,
    where more headers may come."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._pending = 0

    def data_received(self, data: bytes) -> None:
        """What came is read; it counts until something of it is whole."""
        self._pending += len(data)
        super().data_received(data)
        if self._pending > HEAD and not self.transport.is_closing():
            self.logger.warning("A head of more than %d bytes.", HEAD)
            self.transport.close()

    def on_headers_complete(self) -> None:
        """A head is whole."""
        self._pending = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of a body came."""
        self._pending = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._pending = 0
        super().on_message_complete()
