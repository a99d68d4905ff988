"""What a gallery answers, as values. Knows nothing of how it was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gemel.items.decoded import Bad


@dataclass(frozen=True)
class Enrolled:
    """What came of enrolling items.

    Attributes:
        identity: whom they were enrolled for.
        added: items that are now known.
        already: items left out because exactly these were enrolled for this identity before.
        bad: items that could not be read.
        ids: what the items that are now known are called from here on.
    """

    identity: str
    added: int
    already: int = 0
    bad: tuple[Bad, ...] = ()
    ids: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class EnrolledAll:
    """What came of enrolling a collection.

    Attributes:
        identities: how many the collection has.
        added: items that are now known.
        already: items left out because they were known before.
        unnamed: items left out because nobody says whom they show.
        bad: items that could not be read.
    """

    identities: int
    added: int
    already: int = 0
    unnamed: int = 0
    bad: tuple[Bad, ...] = ()


@dataclass(frozen=True)
class Match:
    """Who an item shows.

    Attributes:
        identity: the enrolled identity.
        probability: that it is this one, 0 to 1.
        distance: to its nearest enrolled item.
        threshold: largest distance at which one of so many identities is accepted.
        point: what the threshold belongs to: `bayes`, or `fpir=…`.
    """

    identity: str
    probability: float
    distance: float
    threshold: float
    point: str = "bayes"


@dataclass(frozen=True)
class Twice:
    """Two identities that may be one, by the nearest two of their items.

    Attributes:
        identity, other: the two, the earlier enrolled first.
        name, other_name: what the two items were called when they were enrolled.
        distance: how far apart these are.
        probability: that they are the same, 0 to 1.
    """

    identity: str
    other: str
    name: str
    other_name: str
    distance: float
    probability: float


@dataclass(frozen=True)
class Hit:
    """One enrolled item near another.

    Attributes:
        identity: whom it shows.
        name: what the item was called when it was enrolled.
        distance: how far it is.
        metadata: as given when it was enrolled.
        source: where it lay then, an absolute path; empty where it was no file.
        id: what the row of the item is called, for `item`.
    """

    identity: str
    name: str
    distance: float
    metadata: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    id: str = field(default="", compare=False)
