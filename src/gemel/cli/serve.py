"""gemel serve: a gallery over HTTP, and a page for people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from gemel.cli.options import Threads
from gemel.cli.output import note


def serve(
    target: Annotated[
        str,
        typer.Argument(
            help="A gallery, such as people.db or postgresql://…; or a model folder, with a gallery in memory.",
            metavar="GALLERY|MODEL",
        ),
    ],
    model: Annotated[
        Optional[str], typer.Option(help="The model folder to begin a new gallery with.", metavar="MODEL")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 for all, which takes keys.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0: any that is free.")] = 8000,
    keys: Annotated[
        Optional[Path], typer.Option(help="File of API keys; GALLERY.keys where there is one.", metavar="FILE")
    ] = None,
    audit: Annotated[
        Optional[Path],
        typer.Option(help="File in which enrolments and deletions are noted; GALLERY.audit unless given."),
    ] = None,
    name: Annotated[
        Optional[list[str]], typer.Option("--name", help="A name that the server is called by, such as gemel.example.")
    ] = None,
    show_files: Annotated[
        bool,
        typer.Option(
            "--show-files",
            help="Show items that were not kept from where they lay when they were enrolled; only for a gallery that "
            "was made here.",
        ),
    ] = False,
    rate: Annotated[float, typer.Option(min=0, help="Requests of one key in a second; 0: any number.")] = 50,
    waiting: Annotated[int, typer.Option(min=1, help="Items that wait at most; more are refused with 429.")] = 256,
    batch: Annotated[int, typer.Option(min=1, help="Items that are encoded together at most.")] = 64,
    body: Annotated[int, typer.Option(min=1, help="MiB of a request at most.")] = 32,
    grace: Annotated[int, typer.Option(min=0, help="Seconds to finish in what was accepted, when told to end.")] = 30,
    threads: Threads = None,
) -> None:
    """Serve a gallery over HTTP: verify, enrol, identify, search; and a page for people.

    gemel serve people.db                              on this machine only: http://127.0.0.1:8000

    gemel key add people.db door --scope read          then, with keys, for others too:

    gemel serve people.db --host 0.0.0.0 --name gemel.example
    """
    from gemel.serve import Limits, Settings
    from gemel.serve.running import LOOPBACK, files_of, gallery_of, run

    people = gallery_of(target, model, threads)
    beside = files_of(target)
    keys = keys or (beside.keys if beside.keys is not None and beside.keys.exists() else None)
    settings = Settings(
        limits=Limits(rate=rate, waiting=waiting, batch=batch, body=body << 20),
        keys=keys,
        audit=audit or beside.audit,
        hosts=(*LOOPBACK, *(name or ())) if keys is None or name else (),
        files=show_files,
        name=beside.name,
        durable=beside.keys is not None or "://" in target,
    )
    run(people, settings, host=host, port=port, grace=grace, say=note)
