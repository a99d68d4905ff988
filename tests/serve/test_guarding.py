"""Who may ask what: keys, scopes, rates, hosts and origins; and what answers and logs must not hold."""

from __future__ import annotations

import hmac
import json
import logging
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gemel.errors import DataError, GalleryError
from gemel.serve import Limits, keys
from gemel.serve.keys import Keys
from tests.serve.conftest import Crowd, Serving

SCOPES = ("read", "write", "admin")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "people.db.keys"


@pytest.fixture
def tokens(file: Path) -> dict[str, str]:
    """A key for each scope."""
    return {scope: Keys(file).add(f"a {scope}er", scope) for scope in SCOPES}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


ROUTES = [
    ("POST", "/v1/verify", "read"),
    ("POST", "/v1/embed", "read"),
    ("POST", "/v1/identify", "read"),
    ("POST", "/v1/search", "read"),
    ("GET", "/v1/identities", "read"),
    ("POST", "/v1/identities", "write"),
    ("GET", "/v1/identities/ada", "read"),
    ("DELETE", "/v1/identities/ada", "admin"),
    ("GET", "/v1/items/x", "read"),
    ("DELETE", "/v1/items/x", "admin"),
    ("GET", "/v1/model", "read"),
    ("GET", "/metrics", "read"),
]


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_a_route_takes_a_key_of_its_scope(
    method: str, path: str, scope: str, serving: Serving, file: Path, tokens: dict[str, str]
) -> None:
    client = serving(keys=file)
    for wrong in ({}, bearer("gemel_"), bearer(tokens["read"][:-1]), {"Authorization": f"Basic {tokens['admin']}"}):
        answer = client.request(method, path, headers=wrong)
        assert (answer.status_code, answer.json()["type"]) == (401, "urn:gemel:no-key")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    for held in SCOPES:
        status = client.request(method, path, headers=bearer(tokens[held])).status_code
        assert (status == 403) == (SCOPES.index(held) < SCOPES.index(scope))
        assert status != 401


def test_every_route_is_in_that_list(serving: Serving) -> None:
    described = serving().get("/openapi.json").json()["paths"]
    there = {(method.upper(), path) for path, methods in described.items() for method in methods}
    listed = {(method, path.replace("ada", "{identity}").replace("/x", "/{id}")) for method, path, _ in ROUTES}
    assert there == listed - {("GET", "/metrics")}


def test_what_needs_no_key(serving: Serving, file: Path, tokens: dict[str, str]) -> None:
    client = serving(keys=file)
    for path in ("/healthz", "/readyz", "/openapi.json"):
        assert client.get(path).status_code == 200


def test_a_file_of_keys_without_keys_lets_nobody_in(serving: Serving, file: Path) -> None:
    assert serving(keys=file).get("/v1/model").status_code == 401


def test_a_revoked_key_is_refused_by_a_running_server(
    serving: Serving, file: Path, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "FRESH", 0.0)
    client = serving(keys=file)
    assert client.get("/v1/model", headers=bearer(tokens["read"])).json()["key"] == {
        "name": "a reader",
        "scope": "read",
    }
    Keys(file).revoke("a reader")
    assert client.get("/v1/model", headers=bearer(tokens["read"])).status_code == 401
    assert client.get("/v1/model", headers=bearer(tokens["write"])).status_code == 200


def test_keys_are_kept_as_hashes_for_their_owner_only(file: Path, tokens: dict[str, str]) -> None:
    held = file.read_text()
    assert all(token not in held and token.removeprefix("gemel_") not in held for token in tokens.values())
    assert file.stat().st_mode & 0o077 == 0
    assert len(set(tokens.values())) == 3
    assert all(len(token) > 40 for token in tokens.values())


def test_every_key_is_compared_in_constant_time(
    file: Path, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known, compared = Keys(file), list[bool]()

    def counted(a: str, b: str) -> bool:
        compared.append(same := a == b)
        return same

    monkeypatch.setattr(hmac, "compare_digest", counted)
    for token, found in ((tokens["read"], True), ("gemel_nothing", False)):
        compared.clear()
        assert (known.key(token) is not None) is found
        assert len(compared) == 3  # none is passed over once one fits


def test_bad_keys_files_and_names(file: Path) -> None:
    known = Keys(file)
    known.add("door", "read")
    with pytest.raises(DataError, match="already"):
        known.add("door", "write")
    with pytest.raises(DataError, match="needs a name"):
        known.add(" ", "read")
    with pytest.raises(DataError, match="there are: door"):
        known.revoke("gate")
    for wrong in (
        "[]",
        "{",
        '{"keys": [{"name": "x"}]}',
        '{"keys": [{"name":"x","scope":"root","sha256":"","created":""}]}',
    ):
        file.write_text(wrong)
        with pytest.raises(GalleryError, match="holds no API keys"):
            Keys(file)
    with pytest.raises(GalleryError, match="cannot be written"):
        Keys(file.parent / "nowhere" / "keys").add("door", "read")


def _made(file: Path, number: int) -> None:
    Keys(file).add(f"key {number}", "read")


def test_keys_that_are_made_at_once_are_all_kept(file: Path) -> None:
    pytest.importorskip("fcntl", reason="takes a system with locks of files")
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_made, [file] * 24, range(24)))
    assert len(Keys(file)) == 24


def test_a_damaged_file_of_keys_lets_nobody_in(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = Keys(file).add("door", "read")
    known = Keys(file)
    file.write_text("{")
    monkeypatch.setattr(known, "_looked", -keys.FRESH)  # a second later
    for _ in range(3):
        with pytest.raises(GalleryError, match="holds no API keys"):
            known.key(token)


def test_a_key_may_ask_so_often(serving: Serving, file: Path, tokens: dict[str, str]) -> None:
    client = serving(keys=file, limits=Limits(rate=0.5))
    statuses = [client.get("/v1/model", headers=bearer(tokens["read"])).status_code for _ in range(7)]
    assert statuses == [200] * 5 + [429] * 2  # ten seconds' worth at once
    answer = client.get("/v1/model", headers=bearer(tokens["read"]))
    assert int(answer.headers["retry-after"]) >= 1
    assert client.get("/v1/model", headers=bearer(tokens["admin"])).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[::2]:8000", ""])
def test_a_server_without_keys_answers_to_its_own_names_only(host: str, serving: Serving) -> None:
    client = serving(hosts=("127.0.0.1", "localhost", "[::1]"))
    assert client.get("/v1/model", headers={"Host": host}).status_code == 421
    for own in ("localhost:8000", "LOCALHOST", "[::1]:8000", "127.0.0.1"):
        assert client.get("/v1/model", headers={"Host": own}).status_code == 200


def test_pages_of_other_sites_are_refused(serving: Serving, crowd: Crowd) -> None:
    client = serving()
    table = "\n".join(map(str, crowd.item(0))).encode()
    form: Any = {"data": {"identity": "mallory"}, "files": {"items": ("a.csv", table)}}
    others = [{"Origin": site} for site in ("https://evil.example", "null", "http://127.0.0.1:3000")]
    for headers in (*others, {"Sec-Fetch-Site": "cross-site"}):
        answer = client.post("/v1/identities", headers=headers, **form)
        assert answer.status_code == 403
    assert client.get("/v1/identities").json()["total"] == 0
    own = client.post("/v1/identities", headers={"Origin": "http://127.0.0.1:8000"}, **form)
    assert own.status_code == 201
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("/healthz", headers=followed).status_code == 200  # a link to it


def test_every_answer_carries_what_keeps_a_browser_safe(serving: Serving) -> None:
    client = serving()
    for path in ("/healthz", "/v1/nothing", "/v1/model", "/openapi.json"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
        assert "server" not in headers


def test_logs_hold_no_names_items_or_keys(
    serving: Serving, crowd: Crowd, file: Path, tokens: dict[str, str], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    client = serving(keys=file, audit=tmp_path / "audit")
    item = crowd.item(0)
    admin = bearer(tokens["admin"])
    client.post("/v1/identities", json={"identity": "Ada Lovelace", "items": [item]}, headers=admin)
    client.get("/v1/identities/Ada%20Lovelace?q=Lovelace", headers=admin)
    client.post("/v1/verify", json={"a": item, "identity": "Ada Lovelace"}, headers=admin)
    client.delete("/v1/identities/Ada%20Lovelace", headers=admin)
    client.get("/v1/model", headers=bearer("gemel_wrong"))
    own = [record.getMessage() for record in caplog.records if record.name.startswith("gemel")]
    assert any(line.startswith("DELETE /v1/identities/{identity} 200") and line.endswith("a adminer") for line in own)
    text = "\n".join(own)
    held = (tmp_path / "audit").read_text()
    for secret in (*tokens.values(), "gemel_wrong", str(item[0]), str(item[3])):
        assert secret not in text
        assert secret not in held
    assert "Lovelace" not in text
    assert [json.loads(line)["key"] for line in held.splitlines()] == ["a adminer"] * 2


def test_the_audit_log_that_takes_no_line_is_told_of(
    serving: Serving, crowd: Crowd, caplog: pytest.LogCaptureFixture
) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("takes /dev/full, a disk without room")
    client = serving(audit=full)
    answer = client.post("/v1/identities", json={"identity": "ada", "items": [crowd.item(0)]})
    assert answer.status_code == 201
    assert "the audit log takes no line" in caplog.text


def test_what_is_held_at_once_is_bounded_and_let_go(serving: Serving, crowd: Crowd) -> None:
    client = serving(limits=Limits(body=100_000, held=50_000))
    large = {"items": [crowd.item(0)], "padding": "x" * 60_000}
    answer = client.post("/v1/embed", json=large)
    assert (answer.status_code, answer.json()["type"]) == (429, "urn:gemel:too-busy")
    assert client.post("/v1/embed", json={"items": [crowd.item(0)]}).status_code == 200
    assert client.app.held == 0  # type: ignore[union-attr]


def test_odd_methods_and_origins_are_no_trouble(serving: Serving) -> None:
    client = serving()
    for i in range(3):
        assert client.request(f"ODD{i}", "/v1/model").status_code == 405
    assert client.get("/v1/model", headers={"Origin": "http://[::1"}).status_code == 403
    text = client.get("/metrics").text
    assert "ODD" not in text
    assert 'method="OTHER"' in text
