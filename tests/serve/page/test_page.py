"""The page in a browser: verdicts that can be turned, claims, error rates, lists, and names that are only text."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import Any

import numpy as np
import pytest

from gemel.serve import Limits
from tests.serve.page.conftest import Serve, Server, Visit
from tests.serve.page.twins import ADA, BEA, STRANGER, crossing, picture, pixels, source, vector, world


def test_the_verdict_is_the_servers_at_every_prior_and_point_and_asks_nothing_again(
    vectors: Server, visit: Visit
) -> None:
    somebody = visit(vectors)
    a, b = vector(ADA, 0), middling()
    somebody.compare(a, b)
    asked = len(somebody.requests)
    place = somebody.page.get_by_role("region", name="Verdict")
    words, verdicts = {True: "The same", False: "Not the same", None: "Undecided"}, set()
    for point, how in {"bayes": {}, "eer": {}, "fmr=1e-1": {"fmr": 0.1}}.items():
        for logit in (-6.0, 0.0, 6.0):
            prior = 1 / (1 + np.exp(-logit))
            somebody.slide(place.get_by_role("slider", name="Prior"), logit)
            place.get_by_label("Operating point").select_option(point)
            if point == "eer":
                continue
            there = posted(vectors, "v1/verify", a=source(a), b=source(b), prior=prior, **how)
            assert somebody.verdict(somebody.page) == words[there["same"]]
            assert shown_percent(place) == pytest.approx(there["probability"], abs=6e-3)
            assert f"{there['distance']:.3g}" in place.inner_text()
            verdicts.add(there["same"])
    assert verdicts == {True, False}
    somebody.slide(place.get_by_role("slider", name="Prior"), 0)
    place.get_by_label("Undecided when").select_option("0.999")
    assert somebody.verdict(somebody.page) == "Undecided"
    assert len(somebody.requests) == asked


def posted(server: Server, path: str, **body: Any) -> dict[str, Any]:
    """What the API itself answers."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(server.url + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        return dict(json.load(answer))


def middling() -> str:
    """A vector halfway between Ada and a stranger: neither near nor far."""
    a, b = (np.array(source(vector(i, 0))) for i in (ADA, STRANGER))
    return ", ".join(f"{value:.4f}" for value in 0.8 * a + 0.5 * b)


def shown_percent(place: Any) -> float:
    says = place.get_by_role("img", name=re.compile("Probability of the same")).get_attribute("aria-label")
    return float(re.findall(r"[\d.]+(?=%)", says)[0]) / 100


def test_a_claim_is_checked_beside_the_items_of_the_identity_and_in_the_comparison(
    vectors: Server, visit: Visit
) -> None:
    somebody = visit(vectors)
    panel = somebody.open("identities/ada")
    somebody.give(panel.locator("form"), vector(BEA, 3))
    panel.get_by_role("button", name="Check").click()
    assert somebody.verdict(panel) == "Not the same"
    panel = somebody.open("compare")
    somebody.give(panel.locator(".card").first, vector(ADA, 3))
    panel.get_by_label("a claimed identity").check()
    panel.get_by_label("Claimed identity", exact=True).fill("ada")
    panel.locator("datalist option").first.wait_for(state="attached")
    panel.get_by_role("button", name="Compare").click()
    assert somebody.verdict(panel) == "The same"
    panel.get_by_label("Claimed identity", exact=True).fill("nobody")
    panel.get_by_role("button", name="Compare").click()
    assert "'nobody' is not enrolled" in somebody.problem(panel)


def test_the_threshold_slider_shows_both_rates_of_the_decision(vectors: Server, visit: Visit) -> None:
    somebody = visit(vectors)
    panel = somebody.open("model")
    knots = world("vector").twin.decision.knots
    for threshold in np.linspace(knots[0].distance, knots[-1].distance, 5)[1:-1]:
        somebody.slide(panel.get_by_role("slider", name="Threshold"), float(threshold))
        at = float(panel.get_by_role("slider", name="Threshold").input_value())
        for name, which in (("FMR", "fmr"), ("FNMR", "fnmr")):
            told = panel.locator(".rates > div", has_text=f"{name}:").locator("dd").inner_text()
            rate = np.interp(at, [k.distance for k in knots], [getattr(k, which) for k in knots])
            high = np.interp(at, [k.distance for k in knots], [getattr(k, f"{which}_interval").high for k in knots])
            numbers = [float(number) / 100 for number in re.findall(r"[\d.]+", told)]
            assert numbers[0] == pytest.approx(rate, rel=6e-3, abs=1e-6)
            assert numbers[2] == pytest.approx(high, rel=6e-3, abs=1e-6)


def test_two_branches_are_compared_one_with_the_other(serve: Serve, visit: Visit) -> None:
    somebody = visit(serve(crossing()))
    numbers = {identity: ", ".join(map(str, pixels(identity, 0))) for identity in (ADA, BEA)}
    assert somebody.compare(picture(ADA, 0), numbers[ADA]) == "The same"
    assert somebody.compare(picture(ADA, 0), numbers[BEA]) == "Not the same"
    somebody.enrol("ada", [picture(ADA, 0)])
    panel = somebody.open("search")
    panel.get_by_label("What it is").select_option("pixels")
    somebody.give(panel, numbers[ADA])
    panel.get_by_role("button", name="Search").click()
    panel.locator(".hits b", has_text="ada").wait_for()
    assert "a gallery may hold either: no identity is named" in panel.inner_text()


def test_names_are_text_whatever_they_hold(serve: Serve, visit: Visit) -> None:
    name = '<img src=x onerror=alert(1)> & "co" / 100% #1'
    server = serve(world("text").twin, limits=Limits(items=2))
    somebody = visit(server)
    say = world("text").item
    somebody.enrol(name, [say(ADA, which) for which in range(5)])  # in three requests of at most two
    assert sum(path == "v1/identities" for path in somebody.requests) == 3
    assert somebody.who(say(ADA, 0))[0] == f"This is {name}"
    somebody.page.locator("#panel-search .hits a").first.click()
    somebody.page.locator("#panel-identities h3", has_text=name).wait_for()
    somebody.page.locator("#panel-identities .hits .words").nth(4).wait_for()
    somebody.page.locator("#panel-identities .hits button").first.click()
    somebody.page.get_by_role("dialog").get_by_role("button", name="Forget it").click()
    somebody.page.get_by_text("Forgotten: one item").wait_for()
    somebody.forget(name)


def test_a_long_list_comes_in_pages_and_can_be_filtered(serve: Serve, visit: Visit) -> None:
    known = {f"c{i:03}": [source(vector(i, 0))] for i in range(130)}
    somebody = visit(serve(world("vector").twin, known=known))
    panel = somebody.open("identities")
    panel.get_by_text("100 of 130 identities").wait_for()
    panel.get_by_role("button", name="Show more").click()
    panel.get_by_text("130 identities", exact=True).wait_for()
    assert panel.locator(".names a").count() == 130
    panel.get_by_label("Filter").fill("C12")
    panel.get_by_text("10 identities with").wait_for()
    assert panel.locator(".names a").count() == 10
