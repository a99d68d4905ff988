"""The page in a browser, one story for every modality: from nothing enrolled to a server that starts again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.serve.page.conftest import Serve, Visit
from tests.serve.page.twins import ADA, BEA, CLEO, KINDS, STRANGER, World, world

PEOPLE = {"ada": ADA, "bea": BEA, "cleo": CLEO}
SHOWN = {"image": "img", "text": ".words", "series": "svg path", "audio": "audio", "vector": ".words", "record": "img"}
"""What a preview is made of."""


@pytest.fixture(params=KINDS)
def here(request: pytest.FixtureRequest) -> World:
    return world(request.param)


def test_enrolled_recognised_forgotten_and_still_there_after_a_restart(
    here: World, serve: Serve, visit: Visit, tmp_path: Path
) -> None:
    server = serve(here.twin, tmp_path / "people.db")
    somebody = visit(server)
    for name, identity in PEOPLE.items():
        somebody.enrol(name, [here.item(identity, 0), here.item(identity, 1)])
    somebody.page.get_by_text("3 identities enrolled").wait_for()
    said, near = somebody.who(here.item(BEA, 3))
    assert (said, near[:2], len(near)) == ("This is bea", ["bea", "bea"], 6)
    assert somebody.who(here.item(STRANGER, 0))[0] == "Unknown"
    assert somebody.compare(here.item(ADA, 0), here.item(ADA, 3)) == "The same"
    assert somebody.compare(here.item(ADA, 2), here.item(STRANGER, 0)) == "Not the same"
    somebody.forget("bea")
    somebody.listed("bea").wait_for(state="detached")
    said, near = somebody.who(here.item(BEA, 3))
    assert (said, "bea" in near) == ("Unknown", False)

    server.stop()
    server.start()
    somebody.page.reload()
    somebody.open("identities/cleo")
    previews(somebody, here.kind).first.wait_for()
    somebody.listed("cleo").wait_for()
    assert somebody.page.locator("#panel-identities .names a").all_inner_texts() == ["ada\n2 items", "cleo\n2 items"]
    assert somebody.who(here.item(CLEO, 3))[0] == "This is cleo"


def previews(somebody: Any, kind: str) -> Any:
    return somebody.page.locator(f"#panel-identities .hits .item {SHOWN[kind]}")
