"""The hardest pairs and a few queries with their neighbours, as HTML: pictures where there are any, names always.

Right and wrong are told by a word and a mark, never by colour alone. Knows no measures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gemel.report.album import Album
from gemel.report.hardest import Pair, Row
from gemel.report.markup import Markup, tag
from gemel.report.words import percent

Probability = Callable[[float], float]
"""From a distance to the probability of *same*."""


def pairs_sheet(
    pairs: Sequence[Pair], album: Album, probability: Probability | None, threshold: float | None
) -> Markup:
    """Pairs side by side, with distance, probability and what the twin says.

    Args:
        pairs: the pairs, hardest first.
        album: pictures and names.
        probability: of *same*, or None where the twin is not calibrated.
        threshold: largest distance that is accepted, or None.
    """
    cards = [_card(pair, album, probability, threshold) for pair in pairs]
    return tag("ul", *cards, class_="pairs")


def rows_sheet(rows: Sequence[Row], album: Album) -> Markup:
    """Queries, each with its neighbours from the nearest on."""
    return tag("ul", *(_row(row, album) for row in rows), class_="rows")


def _card(pair: Pair, album: Album, probability: Probability | None, threshold: float | None) -> Markup:
    says = f"distance {pair.distance:.3g}"
    if probability is not None:
        says += f" · {percent(probability(pair.distance))} likely the same"
    if threshold is not None:
        says += " · called the same" if pair.distance <= threshold else " · called different"
    both = tag("div", item_card(pair.a, album), item_card(pair.b, album), class_="both")
    return tag("li", both, tag("p", says, class_="says"))


def _row(row: Row, album: Album) -> Markup:
    query = tag("li", item_card(row.query, album), tag("p", "query", class_="says"), class_="query")
    found = [
        _neighbour(i, distance, right, album)
        for i, distance, right in zip(row.neighbours, row.distance, row.right, strict=True)
    ]
    return tag("li", tag("ol", query, *found, class_="row"))


def _neighbour(i: int, distance: float, right: bool, album: Album) -> Markup:
    mark = tag("span", "✓ same" if right else "✗ different", class_="mark")
    says = tag("p", mark, f" {distance:.3g}", class_="says")
    return tag("li", item_card(i, album), says, class_="right" if right else "wrong")


def item_card(i: int, album: Album) -> Markup:
    """An item with its names."""
    name, whose = album.called(i), album.whose(i)
    names = [tag("b", whose)] + ([tag("small", name)] if name != whose else [])
    return tag("div", album.picture(i) or "", *names, class_="item")
