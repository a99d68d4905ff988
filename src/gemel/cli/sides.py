"""What a word of the shell means as an item: a file, a text, or a record as JSON; and one of two branches alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gemel.items import Collection
    from gemel.siamese import Siamese


def of_branch(twin: Siamese, data: Collection, branch: str | None) -> tuple[Siamese, Collection]:
    """A twin and its data, or those of one branch alone."""
    from gemel.items.branched import only

    return (twin, data) if branch is None else (twin.branch(branch), only(data, branch))


def one_of(given: str, twin: Siamese, side: int = 0) -> str | Path:
    """One item: for texts the file of that name, if there is one, and otherwise the text itself.

    Args:
        side: 0 for the first of two branches, 1 for the second; a twin without branches has one kind of items.
    """
    branches = twin.method.branches
    kind = twin.branch(branches[side]).modality.name if branches else twin.modality.name
    if kind != "text":
        return given
    try:
        return Path(given) if Path(given).is_file() else given
    except (OSError, ValueError):  # too long for a name
        return given
