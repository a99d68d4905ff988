"""What a search found, as one HTML page: pictures where there are any, names always."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gemel.gallery.answers import Hit
from gemel.items.collection import Collection, Labels
from gemel.items.modality import Modality
from gemel.items.text import TextModality
from gemel.report.album import Album
from gemel.report.markup import joined, tag
from gemel.report.page import Section, page, paragraphs
from gemel.report.sheets import item_card


def hits_page(item: Any, hits: Sequence[Hit], modality: Modality) -> str:
    """The page.

    Args:
        item: what was asked with.
        hits: what was found, nearest first.
        modality: how items are opened.
    """
    texts = isinstance(modality, TextModality)
    sources = [item, *(hit.name if texts else hit.source for hit in hits)]
    asked = str(item) if isinstance(item, str | Path) else "the item"
    whose = Labels.of(["asked with", *(hit.identity for hit in hits)])
    items = Collection(
        modality, sources, np.arange(len(sources)), identity=whose, names=[asked, *(h.name for h in hits)]
    )
    album = Album(items, pictures=True)
    cards = [tag("li", item_card(0, album), tag("p", "query", class_="says"), class_="query")]
    for i, hit in enumerate(hits):
        cards.append(tag("li", item_card(i + 1, album), tag("p", f"distance {hit.distance:.3g}", class_="says")))
    found = Section("found", f"The {len(hits)} nearest" if hits else "Nothing found", tag("ol", *cards, class_="row"))
    words = "This page shows items of the gallery; pass it on only where they may be seen."
    return page("Search", joined(tag("p", asked)), [found], paragraphs([words]))
