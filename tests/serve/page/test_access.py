"""The page in a browser for everyone: keyboard, dropping and pasting, accessibility by axe-core, narrow and dark."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.serve.page.conftest import Serve, Visit
from tests.serve.page.twins import ADA, BEA, picture, world

VIEWS = ("compare", "search", "identities", "model")


GIVE = """(place, [how, name, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
  const event = how === "drop" ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
    : new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
  place.dispatchEvent(event);
}"""


PASTE = """(place, words) => {
  const data = new DataTransfer();
  data.setData("text/plain", words);
  place.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
}"""


def test_items_are_dropped_and_pasted(serve: Serve, visit: Visit) -> None:
    somebody = visit(serve(world("image").twin))
    panel = somebody.open("compare")
    dropped, pasted = picture(ADA, 0), picture(ADA, 1)
    panel.get_by_role("group", name="First").evaluate(GIVE, ["drop", dropped.name, [*dropped.content]])
    panel.get_by_role("button", name=f"Remove {dropped.name}").wait_for()
    somebody.page.locator("body").evaluate(GIVE, ["paste", pasted.name, [*pasted.content]])
    panel.locator(".card").nth(1).get_by_role("button", name=f"Remove {pasted.name}").wait_for()
    panel.get_by_role("button", name="Compare").click()
    assert somebody.verdict(panel) == "The same"


def test_text_that_is_pasted_anywhere_comes_to_the_first_empty_place(serve: Serve, visit: Visit) -> None:
    somebody = visit(serve(world("vector").twin))
    panel = somebody.open("compare")
    for words in ("1, 2, 3", "4, 5, 6"):
        somebody.page.locator("body").evaluate(PASTE, words)
    assert [each.input_value() for each in panel.locator("textarea").all()] == ["1, 2, 3", "4, 5, 6"]
    somebody.page.keyboard.press("Control+Enter")  # nothing is in focus: nothing is sent
    panel.locator("textarea").first.press("Control+Enter")
    assert somebody.problem(panel) == "The vector has 3 numbers, and this model compares 16."


CALLED = """() => {
  const it = document.activeElement;
  return it === document.body ? "" : it.ariaLabel || it.labels?.[0]?.innerText || it.innerText;
}"""


def test_everything_is_done_with_the_keyboard(serve: Serve, visit: Visit) -> None:
    server = serve(world("text").twin)
    somebody = visit(server)
    somebody.open("compare")
    keys = somebody.page.keyboard

    def to(words: str) -> None:
        """Tab on to what is called so."""
        for _ in range(30):
            keys.press("Tab")
            if words in somebody.page.evaluate(CALLED):
                return
        raise AssertionError(f"{words} is not reached")

    to("Skip to the content")
    keys.press("Enter")
    to("First")
    keys.type(str(world("text").item(ADA, 0)))
    to("Second")
    keys.type(str(world("text").item(ADA, 1)))
    to("Compare")
    keys.press("Enter")
    assert somebody.verdict(somebody.page) == "The same"
    to("Prior")
    for _ in range(4):
        keys.press("PageDown")
    assert "Prior 50%" not in somebody.page.get_by_role("region", name="Verdict").inner_text()
    somebody.page.get_by_role("tab", name="Compare").focus()
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    somebody.page.get_by_role("tab", name="Identities", selected=True).wait_for()
    to("Name of the identity")
    keys.type("ada")
    to("Text 1")
    keys.type(str(world("text").item(ADA, 0)))
    to("Enrol")
    keys.press("Enter")
    somebody.listed("ada").focus()
    keys.press("Enter")
    to("Forget this identity")
    keys.press("Enter")
    somebody.page.get_by_role("dialog").wait_for()
    keys.press("Escape")
    assert somebody.listed("ada").count() == 1


@pytest.fixture(scope="module")
def axe() -> str:
    package = pytest.importorskip("axe_core_python", reason="accessibility is tested with axe-core")
    return (Path(package.__file__).parent / "axe.min.js").read_text("utf-8")


SERIOUS = """axe.run().then((found) => found.violations
  .filter(({ impact }) => impact === "serious" || impact === "critical")
  .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_every_view_is_accessible_and_fits(serve: Serve, visit: Visit, axe: str, width: int, scheme: str) -> None:
    known = {name: [picture(i, j).content for j in range(2)] for name, i in {"ada": ADA, "bea": BEA}.items()}
    somebody = visit(serve(world("image").twin, known=known), width=width, scheme=scheme)

    def well(view: str) -> None:
        found = somebody.page.evaluate(f"{axe}\n;{SERIOUS}")
        assert found == [], view
        assert somebody.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view

    for view in VIEWS:
        somebody.open(view)
        well(view)
    somebody.compare(picture(ADA, 0), picture(ADA, 1))
    well("verdict")
    somebody.who(picture(BEA, 3))
    somebody.page.locator("#panel-search .hits > li").first.scroll_into_view_if_needed()
    somebody.page.locator("#panel-search .hits img").first.wait_for()
    well("found")
    panel = somebody.open("identities/ada")
    panel.locator(".hits > li").first.scroll_into_view_if_needed()
    panel.locator(".hits img").first.wait_for()
    well("identity")
    panel.get_by_role("button", name="Forget this identity").click()
    well("question")
