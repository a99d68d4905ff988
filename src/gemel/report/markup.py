"""HTML as a value: everything that is not markup already is escaped. Written so that XML parsers read it too.

Knows nothing of reports.
"""

from __future__ import annotations

import html

_VOID = frozenset({"meta", "img", "br"})


class Markup(str):
    """Text that is HTML already; any other string is escaped before it enters a page."""


def escaped(value: object) -> Markup:
    """A value as HTML: markup as it is, anything else as text.

    >>> escaped("<b>")
    '&lt;b&gt;'
    """
    return value if isinstance(value, Markup) else Markup(html.escape(_printable(str(value))))


def joined(*parts: object) -> Markup:
    """Parts one after the other."""
    return Markup("".join(map(escaped, parts)))


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """An element. Attributes are written `class_`, `aria_label`; those that are None are left out.

    >>> tag("td", "a < b", class_="number")
    '<td class="number">a &lt; b</td>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}/>" if name in _VOID else f"<{name}{written}>{joined(*children)}</{name}>")


def _printable(text: str) -> str:
    """Without what no page may hold: control characters, halves of surrogate pairs."""
    return "".join(
        c if c in "\t\n" or (c >= " " and not "\x7f" <= c < "\xa0" and _is_character(c)) else "�" for c in text
    )


def _is_character(c: str) -> bool:
    return not ("\ud800" <= c <= "\udfff" or c in "\ufffe\uffff")
