"""One HTML page with everything in it: no script, nothing fetched; light and dark, wide and narrow.

Knows sections as markup; knows nothing of what they say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from gemel.report.markup import Markup, joined, tag


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        name: for links to it.
        title: its heading.
        content: what it holds.
    """

    name: str
    title: str
    content: Markup


def page(title: str, head: Markup, sections: Sequence[Section], foot: Markup) -> str:
    """The whole page.

    Args:
        title: of the page and its first heading.
        head: what follows the first heading.
        sections: in order; each is linked from the top.
        foot: at the end.
    """
    links = [tag("li", tag("a", section.title, href=f"#{section.name}")) for section in sections]
    style = resources.files("gemel.report").joinpath("page.css").read_text(encoding="utf-8")
    top = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Markup(style)),
    )
    body = tag(
        "body",
        tag("header", tag("h1", title), head, tag("nav", tag("ul", *links), aria_label="Sections")),
        tag("main", *map(_section, sections)),
        tag("footer", foot),
    )
    return "<!DOCTYPE html>\n" + tag("html", top, "\n", body, "\n", lang="en")


def paragraphs(lines: Sequence[object], class_: str | None = None) -> Markup:
    """A paragraph per line."""
    return joined(*(tag("p", line, class_=class_) for line in lines))


def listed(lines: Sequence[object]) -> Markup:
    """An item per line."""
    return tag("ul", *(tag("li", line) for line in lines), class_="plain")


def _section(section: Section) -> Markup:
    heading = tag("h2", section.title, id=f"{section.name}-title")
    return joined(
        "\n", tag("section", heading, section.content, id=section.name, aria_labelledby=f"{section.name}-title")
    )
