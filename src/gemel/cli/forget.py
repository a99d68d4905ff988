"""gemel forget: remove someone, or one item, for good."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from gemel.cli.options import AsJson, GalleryFile, Threads
from gemel.cli.output import answer
from gemel.cli.sides import one_of


def forget(
    gallery: GalleryFile,
    name: Annotated[str, typer.Argument(help="Whom to forget.", metavar="NAME")],
    item: Annotated[Optional[str], typer.Option(help="Only this item of theirs, the file that was enrolled.")] = None,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Remove an identity with everything that is kept of it; nothing of it stays in the file.

    gemel forget people.db ada

    gemel forget people.db ada --item blurred.jpg
    """
    from gemel.gallery import Gallery
    from gemel.items.words import many

    with Gallery(gallery, threads=threads) as people:
        gone = people.forget(name, None if item is None else one_of(item, people.twin))
        left = len(people)
    words = f"{name}: {many(gone, 'item')} forgotten; {many(left, 'identity')} known"
    answer(words, {"identity": name, "forgotten": gone, "identities": left}, as_json=as_json)
