"""gemel gallery: what a gallery holds, and what is done to it as a whole."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Optional

import typer

from gemel.cli.options import AsJson, GalleryFile
from gemel.cli.output import answer, note, progress

gallery = typer.Typer(no_args_is_help=True, help="What a gallery holds, and what is done to it as a whole.")


@gallery.command()
def info(
    file: GalleryFile,
    names: Annotated[bool, typer.Option("--names", help="List everyone who is enrolled.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say who is enrolled, and with which model.

    gemel gallery info people.db --names
    """
    from gemel.gallery import Gallery
    from gemel.items.words import many

    with Gallery(file) as people:
        identities = people.identities()
        size = people.count()
        about = people.twin.describe()
        described = people.twin.json()
    words = [f"{many(len(identities), 'identity')}, {many(size, 'item')}.", *(identities if names else ()), about]
    values = {"identities": len(identities), "items": size, "model": described}
    answer("\n".join(words), values | ({"names": list(identities)} if names else {}), as_json=as_json)


@gallery.command()
def duplicates(
    file: GalleryFile,
    fmr: Annotated[Optional[float], typer.Option(help="Highest false match rate, such as 0.0001.")] = None,
    prior: Annotated[Optional[float], typer.Option(help="Share of pairs of two identities that are one.")] = None,
    clusters: Annotated[bool, typer.Option("--clusters", help="In groups, where they are near on the whole.")] = False,
    as_json: AsJson = False,
) -> None:
    """List every two identities that may be one, the nearest first.

    gemel gallery duplicates people.db --prior 0.0001
    """
    from gemel.gallery import Gallery

    with Gallery(file) as people:
        if clusters:
            groups = people.clusters(fmr=fmr, prior=prior)
            words = [" = ".join(group) for group in groups] or ["No two identities are called the same."]
            answer("\n".join(words), {"clusters": [list(group) for group in groups]}, as_json=as_json)
            return
        found = people.duplicates(fmr=fmr, prior=prior)
    lines = [
        f"probability {each.probability:.3f}, distance {each.distance:.4f}  {each.identity} ({each.name})  =  "
        f"{each.other} ({each.other_name})"
        for each in found
    ]
    words = lines or ["No two identities are called the same."]
    answer("\n".join(words), {"duplicates": [asdict(each) for each in found]}, as_json=as_json)


@gallery.command()
def index(
    file: GalleryFile,
    recall: Annotated[float, typer.Option(help="Share of the ten nearest that is to be found.")] = 0.99,
    as_json: AsJson = False,
) -> None:
    """Build an index of a large gallery, so that it is searched faster, and say how much it finds.

    Of a file, a graph that lies beside it; takes gemel[ann]. Of a database, an index of pgvector.

    gemel gallery index people.db
    """
    from gemel.gallery import Gallery
    from gemel.items.words import many

    with Gallery(file) as people:
        promise = people.index(recall)
    of = "asked for among the others" if promise.inside else "not yet in it"
    found = f"{promise.recall:.1%} of the ten nearest found, on {many(promise.queries, 'item')} {of}"
    missed = "" if promise.kept else f"; less than the {recall:.1%} asked for"
    words = f"{found}{missed}" if promise.queries else "Built; there are too few items to measure how much it finds."
    if promise.inside:
        words = f"An index of pgvector, in the database. {words}"
    answer(words, asdict(promise) | {"kept": promise.kept}, as_json=as_json)


@gallery.command()
def rename(
    file: GalleryFile,
    name: Annotated[str, typer.Argument(help="Whom to rename.", metavar="NAME")],
    to: Annotated[str, typer.Argument(help="The new name.", metavar="NEW")],
    as_json: AsJson = False,
) -> None:
    """Call someone by another name.

    gemel gallery rename people.db ada "ada lovelace"
    """
    from gemel.gallery import Gallery

    with Gallery(file) as people:
        people.rename(name, to)
    answer(f"{name} is called {to} now", {"identity": to, "before": name}, as_json=as_json)


@gallery.command()
def export(
    file: GalleryFile,
    out: Annotated[Path, typer.Argument(help="A .parquet file to write.", metavar="OUT")],
    as_json: AsJson = False,
) -> None:
    """Write everything that is enrolled to one Parquet file, a row an item.

    gemel gallery export people.db people.parquet
    """
    from gemel.cli.targets import refuse_file
    from gemel.gallery import Gallery
    from gemel.items.words import many

    refuse_file(out)
    with Gallery(file) as people:
        count = people.export(out)
    answer(f"{many(count, 'item')}: {out}", {"items": count, "file": str(out)}, as_json=as_json)


@gallery.command("import")
def import_(
    file: GalleryFile,
    table: Annotated[Path, typer.Argument(help="What `gemel gallery export` wrote.", metavar="TABLE")],
    model: Annotated[Optional[str], typer.Option(help="The model folder, where the gallery is new.")] = None,
    as_json: AsJson = False,
) -> None:
    """Enrol what was exported from a gallery of the same model; what is there already is replaced.

    gemel gallery import other.db people.parquet --model faces.gemel
    """
    from gemel.gallery import Gallery
    from gemel.items.words import many
    from gemel.siamese import Siamese

    with Gallery(file, None if model is None else Siamese.load(model)) as people:
        count = people.import_(table)
        known = len(people)
    answer(f"{many(count, 'item')} imported; {many(known, 'identity')} known", {"items": count}, as_json=as_json)


@gallery.command()
def migrate(
    file: GalleryFile,
    model: Annotated[str, typer.Option(help="The model folder to move to.", metavar="MODEL")],
    drop: Annotated[
        bool, typer.Option("--drop", help="Leave out items that are not found or cannot be read any more.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Embed everything anew with another model, from the files that were enrolled; all of it or nothing.

    gemel gallery migrate people.db --model better.gemel
    """
    from gemel.gallery.moving import migrate as moved
    from gemel.items.words import many
    from gemel.siamese import Siamese

    with progress("embedding anew") as bar:
        done = moved(file, Siamese.load(model), drop=drop, progress=bar)
    for bad in done.dropped:
        note(f"left out: {bad.name}: {bad.reason}")
    values = {"items": done.items, "dropped": len(done.dropped)}
    answer(f"{many(done.items, 'item')} embedded by the new model", values, as_json=as_json)


@gallery.command()
def rebuild(
    file: GalleryFile,
    out: Annotated[Path, typer.Argument(help="A new file for what can still be read.", metavar="OUT")],
    as_json: AsJson = False,
) -> None:
    """Rescue what can be read of a damaged gallery into a new file; the damaged one stays as it is.

    gemel gallery rebuild people.db rescued.db
    """
    from gemel.gallery.rescue import rescue
    from gemel.items.words import many

    saved, lost = rescue(file, out)
    for name in lost:
        note(f"lost: {name}")
    values = {"rescued": saved, "lost": lost}
    answer(f"{many(saved, 'item')} rescued, {len(lost):,} known to be lost: {out}", values, as_json=as_json)
