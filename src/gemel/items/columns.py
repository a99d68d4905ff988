"""Which column of a table means what: by name, by common synonyms, or as told. Reads no cells."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from gemel.errors import DataError, RecipeError
from gemel.items.vocabulary import COLUMNS


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The name of the column for each role; None where there is none.

    Attributes:
        item: the items: paths, bytes, images, texts, or vectors.
        identity: what makes two items the same.
        group, split, time: as in a Collection.
        id: what other tables, pointers and messages call an item.
        impostor_of: the identity that an item imitates.
        duplicate_of: the id of an item that is the same.
        a, b: the two items of a pair, by path, value or id.
        same, score: what is known of a pair.
        anchor, positive, negative: the items of a triplet.
    """

    item: str | None = None
    identity: str | None = None
    group: str | None = None
    split: str | None = None
    time: str | None = None
    id: str | None = None
    impostor_of: str | None = None
    duplicate_of: str | None = None
    a: str | None = None
    b: str | None = None
    same: str | None = None
    score: str | None = None
    anchor: str | None = None
    positive: str | None = None
    negative: str | None = None

    @classmethod
    def given(cls, **names: Any) -> Columns:
        """From keywords; `image`, `text` and `series` are `item` too. Raises RecipeError for an unknown role."""
        roles = [f.name for f in fields(cls)]
        for also in ("image", "text", "series"):
            if names.get(also) is not None:
                names["item"] = names[also]
            names.pop(also, None)
        for name, value in names.items():
            if name not in roles:
                near = difflib.get_close_matches(name, roles, n=1)
                hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(roles)}."
                raise RecipeError(f"read has no argument {name!r}. {hint}")
            if not isinstance(value, str | None):
                raise RecipeError(f"{name} must be the name of a column, and is a {type(value).__name__}.")
        return cls(**names)

    def used(self) -> dict[str, str]:
        """Role → column, for the roles that have one."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}

    def but(self, **names: str | None) -> Columns:
        """The same with some roles changed."""
        return replace(self, **names)

    def only(self, *roles: str) -> Columns:
        """These roles, without the others."""
        return type(self)(**{role: name for role, name in self.used().items() if role in roles})


Kind = Literal["items", "pairs", "triplets"]

ITEM_ROLES = ("item", "identity", "group", "split", "time", "id", "impostor_of", "duplicate_of")
PAIR_ROLES = ("a", "b", "same", "score", "split")
TRIPLET_ROLES = ("anchor", "positive", "negative", "split")


def found(names: Sequence[str], given: Columns, *, origin: str) -> tuple[Columns, Kind, list[str]]:
    """Every role's column, what kind of table that makes, and what was guessed.

    Args:
        names: the table's columns.
        given: the columns that were named; they must exist.
        origin: what the table is called in messages.

    Raises:
        DataError: a named column does not exist.
    """
    for role, name in given.used().items():
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise DataError(f"{origin}: there is no column {name!r} for {role}; there are {', '.join(names)}.{hint}")
    plain: dict[str, str] = {}
    for name in names:
        plain.setdefault(_plain(name), name)
    guesses = {role: _candidates(role, plain, given) for role in COLUMNS}
    full = replace(given, **{role: c[0] for role, c in guesses.items() if c and getattr(given, role) is None})
    kind = _kind(full, given)
    full = full.only(*{"items": ITEM_ROLES, "pairs": PAIR_ROLES, "triplets": TRIPLET_ROLES}[kind])
    return full, kind, _said(full, given, guesses, origin)


def _plain(name: str) -> str:
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


def _candidates(role: str, plain: dict[str, str], given: Columns) -> list[str]:
    taken = set(given.used().values())
    return [plain[word] for word in COLUMNS[role].split() if word in plain and plain[word] not in taken]


def _kind(full: Columns, given: Columns) -> Kind:
    if full.anchor and full.positive and full.negative:
        return "triplets"
    both = full.a and full.b
    told = given.item is None and bool(full.same or full.score)
    return "pairs" if both and (told or full.item is None) else "items"


def _said(full: Columns, given: Columns, guesses: dict[str, list[str]], origin: str) -> list[str]:
    """One sentence on what was guessed, with the columns that could have been meant instead."""
    guessed = []
    for role, name in full.used().items():
        if getattr(given, role) is None and (name not in (role, "image") or len(guesses[role]) > 1):
            rivals = [other for other in guesses[role][1:] if other not in full.used().values()]
            guessed.append(f"{role} from {name!r}" + (f" (there is also {', '.join(rivals)})" if rivals else ""))
    return [f"{origin}: guessed from the names of the columns: {'; '.join(guessed)}."] if guessed else []
