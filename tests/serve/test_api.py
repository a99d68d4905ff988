"""The API asked as a client asks: answers, problems, and that both say what the library says."""

from __future__ import annotations

import base64
import json
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from gemel.errors import GalleryError
from gemel.gallery import Gallery
from gemel.items import read
from gemel.serve import Limits
from gemel.siamese import Siamese
from tests.serve.conftest import Crowd, Serving
from tests.serve.page.twins import ADA, IDENTITIES, crossing, picture, pixels


def enrolled(client: TestClient, crowd: Crowd, count: int = 3) -> None:
    for who in range(count):
        body = {"identity": f"p{who}", "items": [crowd.item(who), crowd.item(who)], "metadata": {"site": who % 2}}
        answer = client.post("/v1/identities", json=body)
        assert answer.status_code == 201
        assert answer.json()["added"] == 2


def test_two_items_are_judged_as_the_library_judges_them(serving: Serving, crowd: Crowd, twin: Siamese) -> None:
    client, (a, b, c) = serving(), (crowd.item(0), crowd.item(0), crowd.item(1))
    for other, same in ((b, True), (c, False)):
        found = client.post("/v1/verify", json={"a": a, "b": other, "prior": 0.3}).json()
        there = twin.verify(a, other, prior=0.3)
        assert found["same"] is there.same is same
        assert (found["distance"], found["threshold"], found["point"]) == (there.distance, there.threshold, "bayes")
        assert found["probability"] == pytest.approx(1 / (1 + math.exp(-(found["llr"] + math.log(0.3 / 0.7)))))
    assert client.post("/v1/verify", json={"a": a, "b": c, "certainty": 1.0}).json()["same"] is None
    assert client.post("/v1/verify", json={"a": a, "b": b, "prior": 1e-12}).json()["accepts"] == "none"


def test_a_claim_is_verified_and_a_stranger_is_unknown(serving: Serving, crowd: Crowd) -> None:
    client = serving()
    enrolled(client, crowd)
    assert client.post("/v1/verify", json={"a": crowd.item(1), "identity": "p1"}).json()["same"] is True
    assert client.post("/v1/verify", json={"a": crowd.item(1), "identity": "p2"}).json()["same"] is False
    found = client.post("/v1/identify", json={"item": crowd.item(2)}).json()
    assert (found["match"]["identity"], found["enrolled"]) == ("p2", 3)
    assert client.post("/v1/identify", json={"item": crowd.item(9), "fpir": 0.05}).json()["match"] is None


def test_a_search_filters_and_says_nothing_of_the_servers_files(serving: Serving, crowd: Crowd) -> None:
    client = serving()
    enrolled(client, crowd)
    hits = client.post("/v1/search", json={"item": crowd.item(1), "k": 4}).json()["hits"]
    assert [hit["identity"] for hit in hits[:2]] == ["p1", "p1"]
    assert all(set(hit) == {"id", "identity", "name", "distance", "metadata", "kept"} for hit in hits)
    hits = client.post("/v1/search", json={"item": crowd.item(1), "where": {"site": 0}}).json()["hits"]
    assert {hit["identity"] for hit in hits} == {"p0", "p2"}


def test_embeddings_stay_beside_the_bad_ones(serving: Serving, crowd: Crowd, twin: Siamese) -> None:
    items = [crowd.item(0), [1.0, 2.0], crowd.item(1)]
    found = serving().post("/v1/embed", json={"items": items}).json()
    assert found["embeddings"][1] is None
    assert [one["row"] for one in found["bad"]] == [1]
    np.testing.assert_array_equal(np.float32(found["embeddings"][2]), twin.embed(items[2]).vectors[0])


def test_a_good_item_is_enrolled_beside_a_bad_one(serving: Serving, crowd: Crowd) -> None:
    client, item = serving(), crowd.item(0)
    answer = client.post("/v1/identities", json={"identity": "ada", "items": [[1.0], item]})
    assert (answer.status_code, answer.json()["added"], answer.json()["bad"][0]["row"]) == (201, 1, 0)
    again = client.post("/v1/identities", json={"identity": "ada", "items": [item]})
    assert (again.status_code, again.json()["already"]) == (200, 1)
    none = client.post("/v1/identities", json={"identity": "bob", "items": [[1.0]]})
    assert (none.status_code, none.json()["items"][0]["row"]) == (422, 0)
    assert client.get("/v1/identities").json()["total"] == 1


def test_what_is_deleted_is_gone_and_the_rest_is_there_after_a_restart(
    serving: Serving, crowd: Crowd, tmp_path: Path
) -> None:
    client = serving(audit=tmp_path / "audit")
    enrolled(client, crowd)
    (first, second) = client.get("/v1/identities/p0").json()["items"]
    assert client.delete(f"/v1/items/{first['id']}").json() == {"identity": "p0", "removed": 1}
    assert client.delete("/v1/identities/p1").json() == {"identity": "p1", "removed": 2}
    for gone in ("/v1/identities/p1", f"/v1/items/{first['id']}"):
        assert (client.get(gone).status_code, client.delete(gone).status_code) == (404, 404)
    again = serving()
    assert again.get("/v1/identities").json()["identities"] == [
        {"identity": "p0", "items": 1},
        {"identity": "p2", "items": 2},
    ]
    assert again.get("/v1/identities/p0").json()["items"][0]["id"] == second["id"]
    lines = [json.loads(line) for line in (tmp_path / "audit").read_text().splitlines()]
    assert [line["action"] for line in lines] == ["enrol"] * 3 + ["delete"] * 2
    assert lines[0]["identity"] == "p0"
    assert "vector" not in (tmp_path / "audit").read_text()


def test_identities_are_listed_page_by_page(serving: Serving, crowd: Crowd) -> None:
    client = serving()
    for name in ("Zoë", "ada", "a/b", "bob & sons"):
        assert client.post("/v1/identities", json={"identity": name, "items": [crowd.item(0)]}).status_code == 201
    page = client.get("/v1/identities", params={"limit": 3}).json()
    rest = client.get("/v1/identities", params={"limit": 3, "after": page["next"]}).json()
    assert [one["identity"] for one in page["identities"] + rest["identities"]] == ["Zoë", "a/b", "ada", "bob & sons"]
    assert rest["next"] is None
    assert client.get("/v1/identities", params={"q": "ZO"}).json()["total"] == 1
    for name in ("a%2Fb", "Zo%C3%AB", "bob%20%26%20sons"):
        assert len(client.get(f"/v1/identities/{name}").json()["items"]) == 1


def test_a_kept_item_is_shown(serving: Serving, crowd: Crowd) -> None:
    client, item = serving(), crowd.item(0)
    (known,) = client.post("/v1/identities", json={"identity": "ada", "items": [item]}).json()["ids"]
    (field,) = client.get(f"/v1/items/{known}").json()["fields"]
    assert (field["field"], field["kind"]) == ("", "vector")
    np.testing.assert_allclose(field["data"], item, rtol=1e-6)


def test_a_form_says_the_same_as_json(serving: Serving, crowd: Crowd) -> None:
    client, (a, b) = serving(), (crowd.item(0), crowd.item(0))
    plain = client.post("/v1/verify", json={"a": a, "b": b, "prior": 0.3}).json()
    table = "\n".join(map(str, a)).encode()
    form = client.post("/v1/verify", files={"a": ("a.csv", table)}, data={"b": json.dumps(b), "prior": "0.3"}).json()
    assert form == plain
    parts = [("items", ("one.csv", table)), ("items", ("two.csv", b"1\n2\n"))]
    data = {"identity": "ada", "metadata": '{"site": "north"}', "keep": "true"}
    found = client.post("/v1/identities", files=parts, data=data).json()
    assert (found["added"], found["bad"][0]["name"]) == (1, "two.csv")
    (item,) = client.get("/v1/identities/ada").json()["items"]
    assert (item["name"], item["metadata"]) == ("one.csv", {"site": "north"})


def test_the_model_says_what_a_page_draws(serving: Serving, twin: Siamese) -> None:
    found = serving().get("/v1/model").json()
    (decision,) = found["decisions"]
    assert twin.decision is not None
    assert [knot["llr"] for knot in decision["knots"]] == [knot.llr for knot in twin.decision.knots]
    assert decision["points"][0]["fmr_low"] <= decision["points"][0]["fmr"] <= decision["points"][0]["fmr_high"]
    assert found["fields"] == [{"field": "", "kind": "vector", "dim": 16}]
    assert found["key"] is None


@pytest.mark.parametrize(
    ("which", "sides", "across", "alike"),
    [
        ("both together", ["another item"], 0, None),
        ("either", ["another item", "another pixels"], 0, 1),
        ("one alone", ["another pixels"], None, 0),
    ],
)
def test_items_of_two_branches_are_judged_by_the_decision_about_them(
    which: str, sides: list[str], across: int | None, alike: int | None
) -> None:
    from gemel.serve.app import application

    twin = crossing()
    if which != "both together":
        vectors = [pixels(i, j) for i in range(IDENTITIES) for j in range(2)]
        labels = [f"c{i}" for i in range(IDENTITIES) for _ in range(2)]
        twin = twin.calibrate(read(np.array(vectors, np.float32), labels=labels), branch="pixels")
    if which == "one alone":
        twin = twin.but(decisions=twin.decisions[1:])
    a, b = ({"pixels": pixels(ADA, j)} for j in (0, 1))
    photo = {"photo": {"base64": base64.b64encode(picture(ADA, 1).content).decode()}}
    with TestClient(application(Gallery(twin=twin))) as client:
        assert [each["sides"] for each in client.get("/v1/model").json()["decisions"]] == sides
        for one, place in ((photo, across), (b, alike)):
            answer = client.post("/v1/verify", json={"a": a, "b": one})
            if place is None:
                assert (answer.status_code, answer.json()["type"]) == (409, "urn:gemel:not-calibrated")
                assert ("--branch pixels" in answer.json()["detail"]) == (one is b)
            else:
                assert answer.json()["method"] == place
        if alike is not None:
            assert answer.json()["probability"] == pytest.approx(twin.verify(a, b).probability, abs=1e-5)


def test_without_a_decision_there_are_distances_and_a_way_out(tmp_path: Path, crowd: Crowd) -> None:
    from gemel.serve.app import application

    with TestClient(application(Gallery(twin=Siamese.from_vectors(16)))) as client:
        client.post("/v1/identities", json={"identity": "ada", "items": [crowd.item(0)]})
        answer = client.post("/v1/verify", json={"a": crowd.item(0), "b": crowd.item(0)})
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:gemel:not-calibrated")
        assert "gemel calibrate" in answer.json()["detail"]
        assert client.post("/v1/search", json={"item": crowd.item(0)}).json()["hits"][0]["identity"] == "ada"
        assert client.get("/v1/model").json()["decisions"] == []


BAD = {
    "no JSON": ({"content": b"{", "headers": {"content-type": "application/json"}}, 400),
    "no number of JSON": ({"content": b'{"a": [NaN]}', "headers": {"content-type": "application/json"}}, 400),
    "a list": ({"json": [1]}, 400),
    "nested deeply": ({"content": b"[" * 99_999, "headers": {"content-type": "application/json"}}, 400),
    "another media type": ({"content": b"a", "headers": {"content-type": "text/plain"}}, 415),
    "no media type": ({"content": b"a"}, 415),
    "a form without a boundary": ({"content": b"a", "headers": {"content-type": "multipart/form-data"}}, 400),
    "a form cut off": (
        {"content": b"--x\r\nContent-Disp", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        422,
    ),
    "neither side": ({"json": {"a": [0.0] * 16}}, 422),
    "both sides": ({"json": {"a": [0.0] * 16, "b": [0.0] * 16, "identity": "ada"}}, 422),
    "an unknown word": ({"json": {"a": [0.0] * 16, "b": [0.0] * 16, "colour": "red"}}, 422),
    "a rate of two": ({"json": {"a": [0.0] * 16, "b": [0.0] * 16, "fmr": 2}}, 422),
    "a rate as text": ({"json": {"a": [0.0] * 16, "b": [0.0] * 16, "fmr": "0.01"}}, 422),
    "a path": ({"json": {"a": "/etc/passwd", "b": [0.0] * 16}}, 422),
    "an object": ({"json": {"a": {"path": "/etc/passwd"}, "b": [0.0] * 16}}, 422),
    "no base64": ({"json": {"a": {"base64": "*"}, "b": [0.0] * 16}}, 422),
    "a number": ({"json": {"a": 1, "b": [0.0] * 16}}, 422),
    "numbers that are none": ({"json": {"a": ["x"] * 16, "b": [0.0] * 16}}, 422),
    "an infinity": (
        {"content": b'{"a": [1e999], "b": [1]}', "headers": {"content-type": "application/json"}},
        400,
    ),
    "nobody": ({"json": {"a": [0.0] * 16, "identity": "nobody"}}, 404),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_requests_end_in_a_sentence(name: str, serving: Serving) -> None:
    asked, status = BAD[name]
    answer = serving().post("/v1/verify", **asked)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status
    assert len(answer.json()["detail"]) > 10


@pytest.mark.parametrize("name", ["", " ", "..", "a/../b", "\0", "x" * 501])
def test_names_that_cannot_be_kept_or_addressed_are_refused(name: str, serving: Serving, crowd: Crowd) -> None:
    answer = serving().post("/v1/identities", json={"identity": name, "items": [crowd.item(0)]})
    assert answer.status_code == 422


def test_half_a_surrogate_pair_is_refused(serving: Serving, crowd: Crowd) -> None:
    body = json.dumps({"identity": "\ud800", "items": [crowd.item(0)]})
    answer = serving().post("/v1/identities", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400


def test_limits_are_kept(serving: Serving, crowd: Crowd) -> None:
    plain = {"content-type": "application/json"}
    client = serving(limits=Limits(body=4000, items=2, points=100, k=5))
    item = crowd.item(0)
    assert client.post("/v1/embed", json={"items": [item] * 3}).status_code == 422
    assert client.post("/v1/search", json={"item": item, "k": 6}).status_code == 422
    assert client.post("/v1/embed", content=b" " * 5000, headers=plain).status_code == 413

    def streamed() -> Iterator[bytes]:
        yield from [b" " * 1000] * 5

    assert client.post("/v1/embed", content=streamed(), headers=plain).status_code == 413
    assert client.post("/v1/embed", json={"items": [[1] * 400]}).status_code == 413


def test_other_addresses_and_methods(serving: Serving) -> None:
    client = serving()
    assert client.get("/v1/nothing").json()["type"] == "urn:gemel:not-found"
    answer = client.put("/v1/model")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert client.get("/docs").status_code == 404
    assert client.get("/page/../app.py").status_code == 404
    assert client.get("/page/..%2fapp.py").status_code == 404


def test_an_error_that_nobody_expected_is_logged_and_not_told(
    serving: Serving, crowd: Crowd, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = serving()

    def broken(*args: object, **named: object) -> None:
        raise RuntimeError("a secret of the server")

    monkeypatch.setattr(Gallery, "search", broken)
    answer = client.post("/v1/search", json={"item": crowd.item(0)})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "secret" not in answer.text
    assert "a secret of the server" in caplog.text


def test_it_counts_and_is_well(serving: Serving, crowd: Crowd) -> None:
    client = serving()
    enrolled(client, crowd, 1)
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready"}
    client.get("/v1/identities/p0")
    text = client.get("/metrics").text
    assert 'gemel_requests_total{method="GET",route="/v1/identities/{identity}",status="200"} 1.0' in text
    assert "gemel_enrolled_identities 1.0" in text
    assert "gemel_batch_items_count 1.0" in text
    assert "p0" not in text


def test_metadata_are_light_for_every_hit_brings_them_along(serving: Serving, crowd: Crowd) -> None:
    client = serving()
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"a": deep}
    for metadata, reason in (
        ({"note": "x" * 20_000}, "bytes"),
        ({"note": ["x" * 9_000, "x" * 9_000]}, "bytes"),
        (deep, "levels"),
        ({"note": json.loads("[" * 900 + "]" * 900)}, "levels"),
    ):
        answer = client.post("/v1/identities", json={"identity": "ada", "items": [crowd.item(0)], "metadata": metadata})
        assert (answer.status_code, reason in answer.json()["detail"]) == (422, True)
        where = {"item": crowd.item(0), "where": metadata}
        assert client.post("/v1/search", json=where).status_code == 422
    table = "\n".join(map(str, crowd.item(0))).encode()
    form: Any = {
        "files": {"items": ("a.csv", table)},
        "data": {"identity": "ada", "metadata": '{"a": "' + "x" * 20_000},
    }
    answer = client.post("/v1/identities", **form)
    assert (answer.status_code, "bytes" in answer.json()["detail"]) == (422, True)
    many = client.post("/v1/search", json={"item": crowd.item(0), "where": {"site": [0] * 101}})
    assert (many.status_code, "chosen from" in many.json()["detail"]) == (422, True)


def test_metadata_of_a_gallery_made_elsewhere_may_be_any_json(
    serving: Serving, crowd: Crowd, twin: Siamese, tmp_path: Path
) -> None:
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"a": deep}
    with Gallery(tmp_path / "people.db", twin) as gallery:
        gallery.enroll("ada", crowd.item(0), {"number": 1 << 70, "deep": deep})
    client = serving()
    assert client.post("/v1/search", json={"item": crowd.item(0)}).json()["hits"][0]["metadata"]["number"] == 1 << 70
    assert client.get("/v1/identities/ada").json()["items"][0]["metadata"]["deep"] == deep


def test_a_name_of_two_lines_is_not_taken_for_the_first(serving: Serving, crowd: Crowd) -> None:
    client = serving()
    enrolled(client, crowd, 1)
    answer = client.post("/v1/identities", json={"identity": "p0\n", "items": [crowd.item(0)]})
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:gemel:invalid")
    for method in ("GET", "DELETE"):
        assert client.request(method, "/v1/identities/p0%0A").status_code == 404
    assert client.get("/v1/identities").json()["total"] == 1


def test_a_gallery_that_does_not_answer_is_not_waited_for_without_end(
    serving: Serving, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serving(limits=Limits(patience=0.1))
    slow = threading.Event()
    monkeypatch.setattr(Gallery, "search", lambda *args, **named: slow.wait(20))
    answer = client.post("/v1/search", json={"item": crowd.item(0)})
    slow.set()
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:gemel:unavailable")
    assert client.post("/v1/embed", json={"items": [crowd.item(0)]}).status_code == 200


def test_what_failed_half_way_is_noted_and_what_was_refused_is_not(
    serving: Serving, crowd: Crowd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serving(audit=tmp_path / "audit")
    enrolled(client, crowd, 1)
    assert client.delete("/v1/identities/nobody").status_code == 404

    def broken(*args: object) -> None:
        raise GalleryError("the disk is full")

    monkeypatch.setattr(Gallery, "forget", broken)
    assert client.delete("/v1/identities/p0").status_code == 503
    lines = [json.loads(line) for line in (tmp_path / "audit").read_text().splitlines()]
    assert [(line["action"], line.get("failed")) for line in lines] == [("enrol", None), ("delete", "GalleryError")]
