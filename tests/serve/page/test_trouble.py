"""The page in a browser when something is wrong: keys, files, a busy or a silent server, a model without a decision."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from gemel.serve import Limits
from gemel.serve.keys import Keys
from tests.serve.page.conftest import Serve, Server, Visit
from tests.serve.page.twins import ADA, picture, raw, source, vector, world


def test_a_wrong_key_is_asked_for_again_and_a_key_to_read_may_not_write(
    serve: Serve, visit: Visit, tmp_path: Path
) -> None:
    keys = Keys(tmp_path / "keys")
    token = keys.add("desk", "read")
    server = serve(world("vector").twin, known={"ada": [source(vector(ADA, 0))]}, keys=tmp_path / "keys")
    somebody = visit(server)
    somebody.page.goto(f"{server.url}#identities/ada")
    dialog = somebody.page.get_by_role("dialog")
    dialog.get_by_label("API key").fill("gemel_wrong")
    somebody.page.keyboard.press("Enter")
    dialog.get_by_role("alert").wait_for()
    dialog.get_by_label("API key").fill(token)
    dialog.get_by_role("button", name="Use this key").click()
    panel = somebody.open("identities/ada")
    assert panel.get_by_role("button", name="Forget this identity").is_disabled()
    panel.get_by_text("This takes a key with the scope admin; yours has read.").wait_for()
    somebody.page.reload()  # the key is kept for the tab
    assert somebody.open("identities").get_by_role("button", name="Enrol").is_disabled()
    somebody.page.get_by_role("button", name="Sign out").click()
    dialog.wait_for()
    dialog.get_by_role("button", name="Not now").click()
    assert "Send a key" in somebody.problem(somebody.page.locator("#start"))


@pytest.mark.parametrize("at_once", [64, 1])
def test_a_bad_file_is_named_where_it_was_given_and_the_good_ones_are_enrolled(
    serve: Serve, visit: Visit, at_once: int
) -> None:
    somebody = visit(serve(world("image").twin, limits=Limits(items=at_once)))
    bad = {"name": "notes.png", "mimeType": "image/png", "buffer": b"no picture"}
    panel = somebody.open("compare")
    for place in range(2):
        panel.locator(".card").nth(place).locator("input[type=file]").set_input_files(bad)
    panel.get_by_role("button", name="Compare").click()
    assert "is no picture that can be read" in somebody.problem(panel.locator("form"))
    panel = somebody.open("identities")
    panel.get_by_label("Name of the identity").fill("ada")
    panel.locator("input[type=file]").set_input_files([bad, picture(ADA, 0).payload])
    panel.get_by_role("button", name="Enrol", exact=True).click()
    panel.get_by_text("Enrolled 1 item for ada.").wait_for()
    assert "notes.png" in somebody.problem(panel)


def test_a_busy_server_is_asked_again_after_a_while(serve: Serve, visit: Visit, tmp_path: Path) -> None:
    token = Keys(tmp_path / "keys").add("desk", "admin")
    server = serve(world("vector").twin, keys=tmp_path / "keys", limits=Limits(rate=0.6))
    somebody = visit(server)
    somebody.page.goto(server.url)
    somebody.page.get_by_label("API key").fill(token)
    somebody.page.keyboard.press("Enter")
    cards = somebody.page.locator("#panel-compare .card")
    somebody.give(cards.nth(0), vector(ADA, 0))
    somebody.give(cards.nth(1), vector(ADA, 1))
    exhaust(server, token)
    somebody.page.get_by_role("button", name="Compare", exact=True).click()
    somebody.page.get_by_text("The server is busy. Trying again in").wait_for()
    assert somebody.verdict(somebody.page) == "The same"
    assert somebody.page.locator("#notice").inner_text() == ""


def exhaust(server: Server, token: str) -> None:
    """Ask until the server says that this was too often."""
    request = urllib.request.Request(f"{server.url}metrics", headers={"Authorization": f"Bearer {token}"})
    for _ in range(10):
        try:
            urllib.request.urlopen(request).close()
        except urllib.error.HTTPError as refused:
            refused.close()
            if refused.code == 429:
                return
            raise
    raise AssertionError("ten requests at once were not too many")


def test_a_server_that_stops_is_told_and_found_again(vectors: Server, visit: Visit) -> None:
    somebody = visit(vectors)
    panel = somebody.open("search")
    somebody.give(panel, vector(ADA, 3))
    vectors.stop()
    panel.get_by_role("button", name="Search").click()
    assert "The server does not answer" in somebody.problem(panel)
    vectors.start()
    somebody.page.get_by_text("The server answers again.").wait_for()
    panel.get_by_role("button", name="Search").click()
    panel.get_by_role("heading", name="This is ada").wait_for()


def test_without_a_decision_there_are_distances_and_no_verdict(serve: Serve, visit: Visit) -> None:
    server = serve(raw("vector"), known={"ada": [source(vector(ADA, 0))]})
    somebody = visit(server)
    panel = somebody.open("compare")
    for place in range(2):
        somebody.give(panel.locator(".card").nth(place), vector(ADA, place))
    panel.get_by_role("button", name="Compare").click()
    assert "no decision yet" in somebody.problem(panel)
    assert panel.get_by_role("region", name="Verdict").count() == 0
    panel = somebody.open("search")
    somebody.give(panel, vector(ADA, 1))
    panel.get_by_role("button", name="Search").click()
    panel.locator(".hits b", has_text="ada").wait_for()
    assert "not calibrated" in panel.inner_text()
    assert "not calibrated" in somebody.open("model").inner_text()
