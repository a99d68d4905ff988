"""From what a user names to a running server: what is served, what lies beside it, and whether it may be reached."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gemel.errors import DataError, require
from gemel.gallery import Gallery
from gemel.gallery.link import is_database
from gemel.serve.keys import Keys
from gemel.serve.settings import Settings
from gemel.siamese import Siamese

LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
"""What the own machine is called, as an address and in the `Host` of a request."""


@dataclass(frozen=True)
class Beside:
    """What belongs to a gallery.

    Attributes:
        name: what it is called.
        keys, audit: where keys and the audit log are unless said otherwise; None: it has no folder of its own.
    """

    name: str
    keys: Path | None = None
    audit: Path | None = None


def files_of(target: str) -> Beside:
    """What lies beside a gallery; beside a database or a model, nothing."""
    if is_database(target):
        return Beside(urlsplit(target).path.strip("/") or "a database")  # never the password
    if Path(target).is_dir():
        return Beside(Path(target).name)
    return Beside(Path(target).name, Path(f"{target}.keys"), Path(f"{target}.audit"))


def gallery_of(target: str, model: str | None, threads: int | None) -> Gallery:
    """The gallery of that name; of a model folder, an empty one in memory.

    Raises:
        GalleryError, ModelError, DataError: as opening raises them.
    """
    if not is_database(target) and Path(target).is_dir():
        if model is not None:
            raise DataError(f"{target} is a model already; leave out --model, or name a gallery.")
        return Gallery(twin=Siamese.load(target, threads=threads))
    return Gallery(target, None if model is None else Siamese.load(model, threads=threads), threads=threads)


def run(
    gallery: Gallery, settings: Settings, *, host: str, port: int, grace: int, say: Callable[[str], None] = print
) -> None:
    """Serve until told to end; what was accepted is finished then.

    Args:
        gallery: who is known, and the twin.
        settings: how it is served.
        host, port: where to listen.
        grace: seconds to finish in.
        say: told, in a sentence each, what whoever started it should know.

    Raises:
        MissingExtra: the serving part is not installed.
        DataError: others could reach it, and it has no keys.
    """
    server = require("uvicorn", extra="serve", purpose="serve over HTTP")
    require("fastapi", extra="serve", purpose="serve over HTTP")
    from gemel.serve.app import application
    from gemel.serve.heads import Bounded

    if settings.keys is None or not len(Keys(settings.keys)):
        if host not in LOOPBACK:
            raise DataError(
                f"Without API keys, whoever reaches {host} could enrol and delete. Make one: gemel key add GALLERY "
                "NAME --scope admin; or leave out --host, and serve this machine only."
            )
        if settings.keys is None:
            say("No API keys: everyone on this machine may do everything, and nobody else can reach it.")
        else:
            say(f"There are no keys in {settings.keys}, so nobody comes in yet: gemel key add GALLERY NAME makes one.")
    if not settings.durable:
        say("The gallery is in memory: what is enrolled is gone when this ends.")
    link = listening(host, port)
    place = f"[{host}]" if ":" in host else host
    say(f"Serving {settings.name} at http://{place}:{link.getsockname()[1]} (Ctrl-C ends it).")
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    config = server.Config(
        application(gallery, settings),
        http=Bounded,
        log_level="warning",
        access_log=False,  # its lines hold addresses, and these hold names
        server_header=False,
        timeout_graceful_shutdown=grace or None,
    )
    server.Server(config).run([link])


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises DataError where that cannot be."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        link = socket.socket(family, kind, protocol)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        link.bind(place)
    except OSError as error:
        raise DataError(f"{host}, port {port}: {error.strerror}. Choose another with --host and --port.") from None
    return link
