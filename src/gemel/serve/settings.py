"""What a server allows, and where it keeps what is its own. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a request may bring, and how much waits.

    Attributes:
        body: bytes of a request.
        held: bytes of all requests that are being read or answered; more are refused with 429.
        items: in one request.
        pixels: of an image.
        seconds: of a sound.
        characters: of a text.
        points: numbers of a series or a vector, and of a whole request in JSON.
        k: neighbours that a search gives.
        batch: items that are encoded at once.
        linger: seconds that a worker waits, at most, until its share of what is to be encoded is there; 0: not at all.
        waiting: items that were accepted and are not embedded yet; more are refused with 429.
        patience: seconds that a request waits for its embeddings before it is refused with 503.
        upload: seconds that a body may take to arrive.
        rate: requests of one key in a second, on average over ten seconds; 0: any number.
    """

    body: int = 32 << 20
    held: int = 1 << 30
    items: int = 64
    pixels: int = 40_000_000
    seconds: float | int = 120
    characters: int = 20_000
    points: int = 1_000_000
    k: int = 100
    batch: int = 64
    linger: float | int = 0.003
    waiting: int = 256
    patience: float | int = 30
    upload: float | int = 60
    rate: float | int = 0


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a gallery is served.

    Attributes:
        limits: what requests may bring.
        keys: the file of API keys; None: whoever reaches the server may do everything.
        audit: where enrolments and deletions are noted, a JSON object a line; None: nowhere.
        hosts: names that the server may be called by in the `Host` of a request; empty: any. A server without keys
            must have some, or any web page that its user visits could reach it under a name of its own.
        files: whether items that were not kept are shown from where they lay when they were enrolled. Only for a
            gallery that was made on this machine: a stranger's may name any file.
        name: what the served thing is called.
        durable: whether what is enrolled stays when the server ends.
    """

    limits: Limits = field(default_factory=Limits)
    keys: Path | None = None
    audit: Path | None = None
    hosts: tuple[str, ...] = ()
    files: bool = False
    name: str = "gemel"
    durable: bool = True
