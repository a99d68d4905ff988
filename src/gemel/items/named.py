"""A folder whose files say in their names what is known of them: `7_anna_3.wav`. Decodes nothing."""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import Any

import numpy as np

from gemel.errors import DataError, RecipeError
from gemel.items.cells import column
from gemel.items.collection import Collection
from gemel.items.columns import ITEM_ROLES, Columns
from gemel.items.files import of_files
from gemel.items.folder import listed_files
from gemel.items.modality import Modality
from gemel.items.rows import known_of
from gemel.items.series import SeriesModality
from gemel.items.series_form import Form
from gemel.items.sources import Paths
from gemel.items.words import first, many

ROLES = tuple(role for role in ITEM_ROLES if role != "item")


def read_named(root: Path, names: str, modality: Modality | None, *, kind: str | None, form: Form) -> Collection:
    """Items of a folder, and of those in it, by the names of their files.

    Args:
        names: what a name looks like without its ending, such as `{identity}_{group}_{}`: words that stand for a role
            are kept, others are passed over.
        modality, kind, form: as of `read_folder`.

    Raises:
        RecipeError: `names` says nothing that can be known.
        DataError: no file has such a name.
    """
    pattern, roles = _pattern(names)
    found = listed_files(root, None if modality is None else modality.name, kind)
    matched = [pattern.fullmatch(Path(path).stem) for path in found]
    kept = [(path, match) for path, match in zip(found, matched, strict=True) if match]
    if not kept:
        example = f", such as {Path(found[0]).stem!r}" if found else ""
        raise DataError(f"{root}: none of {many(len(found), 'file')} has a name like {names!r}{example}.")
    paths = Paths(root, [path for path, _ in kept])
    sources, decoded, guesses = of_files(paths, told=modality, kind=kind, form=form, origin=str(root))
    whole = Collection(modality=decoded, sources=sources, rows=np.arange(len(kept)), origin=str(root))
    part: dict[str, Any] = {role: column([match[role] for _, match in kept]) for role in roles}
    known = known_of(whole, part, Columns(**{role: role for role in roles})).with_(names=[path for path, _ in kept])
    odd = [path for path, match in zip(found, matched, strict=True) if not match]
    notes = [f"{many(len(odd), 'file')} left alone, not called like {names}: {first(odd)}."] if odd else []
    known = known.noted(*guesses, *notes)
    return form.windowed(known) if isinstance(decoded, SeriesModality) else known


def _pattern(names: str) -> tuple[re.Pattern[str], list[str]]:
    """What matches a name, and the roles in it."""
    try:
        pieces = list(string.Formatter().parse(names))
    except ValueError as error:
        raise RecipeError(f"names = {names!r} cannot be read: {error}.") from None
    words = [word for _, word, _, _ in pieces if word is not None]
    roles = [word for word in words if word in ROLES]
    if not roles or len(roles) != len(set(roles)):
        raise RecipeError(
            f"names = {names!r} must say in braces what is known, once each: {', '.join(ROLES)}; other words, and "
            "empty braces, are passed over. Such as names='{identity}_{group}_{}'."
        )
    made = [
        re.escape(text) + ("" if word is None else f"(?P<{word}>.+?)" if word in ROLES else "(?:.+?)")
        for text, word, _, _ in pieces
    ]
    return re.compile("".join(made)), roles
