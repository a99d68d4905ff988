"""gemel search: which enrolled items are nearest?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Optional

import typer

from gemel.cli.enroll import pairs_of
from gemel.cli.options import AsJson, GalleryFile, Probe, Threads
from gemel.cli.output import answer
from gemel.cli.sides import one_of
from gemel.cli.targets import refuse_file


def search(
    gallery: GalleryFile,
    item: Probe,
    k: Annotated[int, typer.Option("-k", min=1, help="At most so many.")] = 10,
    where: Annotated[
        Optional[list[str]],
        typer.Option(help="Only items with this metadata, such as site=north.", metavar="KEY=VALUE"),
    ] = None,
    html: Annotated[Optional[Path], typer.Option(help="Write a page with the items found, as pictures.")] = None,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """List the enrolled items that are nearest to a file, nearest first. Needs no calibration.

    gemel search people.db door.jpg -k 5

    gemel search shop.db shoe.jpg --where season=summer --html found.html
    """
    from gemel.gallery import Gallery

    if html is not None:
        refuse_file(html)
    with Gallery(gallery, threads=threads) as people:
        given = one_of(item, people.twin)
        hits = people.search(given, k, where=pairs_of(where) if where else None)
        if html is not None:
            from gemel.report.hits import hits_page

            html.write_text(hits_page(given, hits, people.twin.modality), encoding="utf-8")
    lines = [f"{hit.distance:8.4f}  {hit.identity}  {hit.name}" for hit in hits] or ["nothing found"]
    shown = [] if html is None else [f"Page:  {html}"]
    answer("\n".join([*lines, *shown]), {"hits": [asdict(hit) for hit in hits]}, as_json=as_json)
