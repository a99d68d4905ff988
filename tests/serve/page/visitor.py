"""Somebody who uses the page: what can be done there, by the words that stand there. Knows no server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from tests.serve.page.twins import File, Given

HTTP = "Failed to load resource"
"""How a browser notes an answer that is an error; the page tells people, which is what the tests look at."""


class Visitor:
    """A browser's page, and its errors.

    Args:
        page: of Playwright.
        url: where the server is.
    """

    def __init__(self, page: Any, url: str) -> None:
        self.page, self.url = page, url
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._noted)
        page.on("request", lambda request: self.requests.append(request.url.removeprefix(url)))

    def _noted(self, message: Any) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(HTTP):
            self.errors.append(message.text)

    def open(self, view: str = "compare") -> Any:
        """A view, by its address; its panel."""
        self.page.goto(f"{self.url}#{view}")
        panel = self.page.locator(f"#panel-{view.partition('/')[0]}")
        panel.get_by_role("heading", level=2).wait_for()
        return panel

    def give(self, place: Any, item: Given) -> None:
        """Choose a file or type, in place of what was given before; a record, field by field."""
        if isinstance(item, Mapping):
            for name, part in item.items():
                self.give(place.get_by_role("group", name=name, exact=True), part)
        elif isinstance(item, File):
            for remove in place.get_by_role("button", name="Remove").all():
                remove.click()
            place.locator("input[type=file]:visible").first.set_input_files(item.payload)
            place.get_by_role("button", name=f"Remove {item.name}").first.wait_for()
        else:
            place.locator("textarea").first.fill(item)

    def compare(self, a: Given, b: Given) -> str:
        """Whether two items are the same, in the page's words."""
        panel = self.open("compare")
        cards = panel.locator(".card")
        self.give(cards.nth(0), a)
        self.give(cards.nth(1), b)
        panel.get_by_role("button", name="Compare", exact=True).click()
        return self.verdict(panel)

    def verdict(self, place: Any) -> str:
        return str(place.get_by_role("region", name="Verdict").get_by_role("heading", level=3).inner_text())

    def enrol(self, identity: str, items: Sequence[Given]) -> None:
        """Give a name and items, and wait until they are known."""
        panel = self.open("identities")
        panel.get_by_label("Name of the identity").fill(identity)
        places = panel.locator(".inputs > li")
        for place, item in enumerate(items):
            if place:
                panel.get_by_role("button", name="Another item").click()
            self.give(places.nth(place), item)
        panel.get_by_role("button", name="Enrol", exact=True).click()
        panel.get_by_text(f"Enrolled {len(items)} item").wait_for()
        self.listed(identity).wait_for()

    def listed(self, identity: str) -> Any:
        """The identity in the list."""
        named = self.page.get_by_text(identity, exact=True)
        return self.page.locator("#panel-identities .names").get_by_role("link").filter(has=named)

    def forget(self, identity: str) -> None:
        """Delete an identity, and say yes when asked."""
        panel = self.open(f"identities/{quote(identity, safe='')}")
        panel.get_by_role("button", name="Forget this identity").click()
        self.page.get_by_role("dialog").get_by_role("button", name="Forget", exact=True).click()
        panel.get_by_text(f"Forgotten: {identity}").wait_for()

    def who(self, item: Given) -> tuple[str, list[str]]:
        """Whom an item shows, in the page's words, and the identities of the nearest items."""
        panel = self.open("search")
        self.give(panel.locator(".card"), item)
        panel.get_by_role("button", name="Search", exact=True).click()
        answer = panel.get_by_role("region", name="Who this is").get_by_role("heading", level=3)
        answer.wait_for()
        return answer.inner_text(), panel.locator(".hits b").all_inner_texts()

    def slide(self, slider: Any, value: float) -> None:
        """Move a slider, as dragging does."""
        slider.evaluate(
            "(it, value) => { it.value = value; it.dispatchEvent(new Event('input', { bubbles: true })); }", value
        )

    def problem(self, place: Any) -> str:
        """What the page says went wrong there."""
        alarm = place.get_by_role("alert")
        alarm.wait_for()
        return str(alarm.inner_text())
