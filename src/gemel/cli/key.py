"""gemel key: who may use a server, and for what."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Optional

import typer

from gemel.cli.options import AsJson, GalleryFile
from gemel.cli.output import answer, note
from gemel.errors import DataError

if TYPE_CHECKING:
    from gemel.serve.keys import Keys

KeyFile = Annotated[
    Optional[Path], typer.Option("--keys", help="File of API keys; GALLERY.keys unless given.", metavar="FILE")
]
KeyName = Annotated[str, typer.Argument(help="Who or what uses the key, such as door.", metavar="NAME")]

key = typer.Typer(help="API keys of a server: add, list, revoke.", no_args_is_help=True)


@key.command()
def add(
    gallery: GalleryFile,
    name: KeyName,
    scope: Annotated[
        Literal["read", "write", "admin"],
        typer.Option(help="What it may do: ask (read); enrol too (write); delete too (admin)."),
    ] = "read",
    keys: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and show it, once: only its hash is kept.

    gemel key add people.db door --scope read
    """
    known = _keys(gallery, keys)
    if not len(known):
        note("The first key: a server that runs without keys asks for them once it is started again.")
    token = known.add(name, scope)
    note(f"The key of {name!r}, scope {scope}. It is shown this once:")
    answer(token, {"name": name, "scope": scope, "key": token}, as_json=as_json)


@key.command("list")
def list_(gallery: GalleryFile, keys: KeyFile = None, as_json: AsJson = False) -> None:
    """Show which keys there are; never the keys themselves."""
    known = _keys(gallery, keys).all()
    lines = [f"{one.name}   {one.scope}   since {one.created[:10]}" for one in known]
    values = {"keys": [{"name": one.name, "scope": one.scope, "created": one.created} for one in known]}
    answer("\n".join(lines) or "There are no keys.", values, as_json=as_json)


@key.command()
def revoke(gallery: GalleryFile, name: KeyName, keys: KeyFile = None, as_json: AsJson = False) -> None:
    """Take a key back; a running server refuses it within a second."""
    _keys(gallery, keys).revoke(name)
    answer(f"{name}: revoked", {"name": name, "revoked": True}, as_json=as_json)


def _keys(gallery: str, keys: Path | None) -> Keys:
    from gemel.serve.keys import Keys
    from gemel.serve.running import files_of

    beside = keys or files_of(gallery).keys
    if beside is None:
        raise DataError(f"{gallery} has no folder in which its keys could lie; name a file with --keys.")
    return Keys(beside)
