"""gemel identify: who is this?"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Optional

import typer

from gemel.cli.options import AsJson, GalleryFile, Probe, Threads
from gemel.cli.output import answer
from gemel.cli.sides import one_of


def identify(
    gallery: GalleryFile,
    item: Probe,
    fpir: Annotated[
        Optional[float], typer.Option(help="Share of strangers who may be taken for someone, such as 0.01.")
    ] = None,
    prior: Annotated[Optional[float], typer.Option(help="Share of items that show someone enrolled, 0 to 1.")] = None,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Say who a file shows, or that it is nobody enrolled. Exit code 0: somebody, 1: unknown, 2: error.

    gemel identify people.db door.jpg

    gemel identify people.db door.jpg --fpir 0.01     one stranger of a hundred may be taken for someone
    """
    from gemel.gallery import Gallery

    with Gallery(gallery, threads=threads) as people:
        match = people.identify(one_of(item, people.twin), fpir=fpir, prior=prior)
        among = len(people)
    values: dict[str, Any] = {"identity": None} if match is None else asdict(match)
    if match is None:
        answer(f"unknown: none of {among:,} enrolled", values | {"enrolled": among}, as_json=as_json)
        raise typer.Exit(1)
    words = (
        f"{match.identity}: probability {match.probability:.3f}, distance {match.distance:.4f} ≤ threshold "
        f"{match.threshold:.4f} ({match.point}, {among:,} enrolled)"
    )
    answer(words, values | {"enrolled": among}, as_json=as_json)
