"""gemel enroll: make someone known, from one example on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from gemel.cli.options import AsJson, GalleryFile, Threads, reading, reading_flags, with_options
from gemel.cli.output import answer, note, progress
from gemel.cli.sides import one_of
from gemel.errors import DataError, TooManyBad

if TYPE_CHECKING:
    from gemel.gallery import Gallery


@with_options(reading_flags)
def enroll(
    gallery: GalleryFile,
    name: Annotated[Optional[str], typer.Argument(help="Whom the files show.", metavar="[NAME]")] = None,
    files: Annotated[
        Optional[list[str]], typer.Argument(help="One file or several, or texts.", metavar="[FILE …]")
    ] = None,
    model: Annotated[
        Optional[str], typer.Option(help="The model folder to begin a gallery with; it keeps a copy.", metavar="MODEL")
    ] = None,
    whole: Annotated[
        Optional[str],
        typer.Option(
            "--from", help="Enrol every item of DATA under its identity, a folder per identity.", metavar="DATA"
        ),
    ] = None,
    metadata: Annotated[
        Optional[list[str]],
        typer.Option("--metadata", help="Kept with each item, such as site=north.", metavar="KEY=VALUE"),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the items themselves too, so that another model can embed them later.")
    ] = False,
    threads: Threads = None,
    as_json: AsJson = False,
    **more: Any,
) -> None:
    """Make someone known to a gallery, or everyone in DATA.

    gemel enroll people.db ada ada.jpg --model faces.gemel     the first one names the model

    gemel enroll people.db bob bob1.jpg bob2.jpg --metadata site=north

    gemel enroll people.db --from faces/                       again after an interruption, it goes on
    """
    from gemel.gallery import Gallery
    from gemel.siamese import Siamese

    if (whole is None) == (name is None) or (name is not None and not files):
        raise DataError("Give a name and a file, or DATA with --from: gemel enroll people.db ada ada.jpg.")
    twin = None if model is None else Siamese.load(model, threads=threads)
    with Gallery(gallery, twin, threads=threads) as people:
        if whole is not None:
            _all(people, whole, more, keep=keep, as_json=as_json)
            return
        given = [one_of(file, people.twin) for file in files or []]
        done = people.enroll(str(name), given, pairs_of(metadata), keep=keep)
    for bad in done.bad:
        note(f"left out: {bad.name}: {bad.reason}")
    known = f", {done.already} known already" if done.already else ""
    values = {"identity": done.identity, "added": done.added, "already": done.already, "bad": len(done.bad)}
    answer(f"{done.identity}: {done.added} enrolled{known}", values, as_json=as_json)


def pairs_of(words: list[str] | None) -> dict[str, Any]:
    """KEY=VALUE …, with values as JSON where they are, and as text otherwise."""
    found: dict[str, Any] = {}
    for word in words or []:
        key, equals, value = word.partition("=")
        if not key or not equals:
            raise DataError(f"Expected KEY=VALUE, such as site=north, and {word!r} came.")
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = value
    return found


def _all(people: Gallery, whole: str, more: dict[str, Any], *, keep: bool, as_json: bool) -> None:
    from gemel.items import read
    from gemel.items.words import many

    data = read(Path(whole), **reading(more))
    with progress("enrolling") as bar:
        done = people.enroll_all(data, keep=keep, progress=bar)
    for bad in done.bad:
        note(f"left out: {bad.name}: {bad.reason}")
    values = {"added": done.added, "already": done.already, "unnamed": done.unnamed, "bad": len(done.bad)}
    left = [(done.already, "known already"), (done.unnamed, "without an identity"), (len(done.bad), "unreadable")]
    words = "".join(f", {count:,} {what}" for count, what in left if count)
    answer(
        f"{many(done.added, 'item')} enrolled{words}; {many(len(people), 'identity')} known", values, as_json=as_json
    )
    if done.bad and len(done.bad) > more["allow_bad"] * len(data):
        raise TooManyBad(f"{len(done.bad):,} of {len(data):,} items cannot be used; the others are enrolled.")
