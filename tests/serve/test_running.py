"""A server in a process of its own: how it starts and ends, what slow and absent clients do, and kill -9 under load."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from gemel.gallery import Gallery
from gemel.serve.keys import Keys
from gemel.siamese import Siamese
from tests.serve.conftest import Crowd
from tests.serve.ports import free_port

ENDED = -signal.SIGTERM
"""How a process ends that finished first what it had to, and then did as it was told."""
COMMAND = (sys.executable, "-m", "gemel")


class Server:
    """`gemel serve` on a port of its own."""

    def __init__(self, target: Path, *more: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = target.with_suffix(f".{self.port}.log")
        command = [*COMMAND, "serve", str(target), "--port", str(self.port), *more]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        for _ in range(600):
            time.sleep(0.05)
            if self.process.poll() is not None:
                raise RuntimeError(self.log.read_text())
            try:
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                continue
        raise RuntimeError(f"no server after 30 seconds: {self.log.read_text()}")

    def end(self, how: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(30)


Started = Callable[..., Server]


@pytest.fixture
def started() -> Iterator[Started]:
    servers: list[Server] = []

    def start(target: Path, *more: str) -> Server:
        servers.append(Server(target, *more))
        return servers[-1]

    yield start
    for server in servers:
        server.end(signal.SIGKILL)


@pytest.fixture
def people(twin: Siamese, tmp_path: Path) -> Path:
    """An empty gallery."""
    Gallery(tmp_path / "people.db", twin).close()
    return tmp_path / "people.db"


def test_it_starts_serves_and_ends_without_pytorch(started: Started, people: Path, crowd: Crowd) -> None:
    server = started(people)
    body = {"identity": "ada", "items": [crowd.item(0)]}
    assert httpx.post(f"{server.url}/v1/identities", json=body).status_code == 201
    assert httpx.get(f"{server.url}/v1/model").json()["durable"] is True
    maps = Path(f"/proc/{server.process.pid}/maps")
    if maps.exists():
        assert "numpy" in maps.read_text()
        assert "torch" not in maps.read_text()
    assert server.end() == ENDED
    said = server.log.read_text()
    assert "No API keys" in said
    assert "POST /v1/identities 201" in said
    assert "Traceback" not in said
    assert json.loads(people.with_name("people.db.audit").read_text())["identity"] == "ada"


@pytest.mark.parametrize("head", [b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", b"GET /", "trailers"])
def test_a_head_without_end_is_cut_off(head: Any, started: Started, people: Path) -> None:
    """One line of it, its address, and what may follow a body."""
    server = started(people)
    before = b"POST /v1/embed HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\nX: "
    with socket.create_connection(("127.0.0.1", server.port), 20) as link:
        link.sendall(before if head == "trailers" else head)
        with pytest.raises(OSError, match=r"reset|[Bb]roken pipe|aborted"):
            link.sendall(b"a" * (16 << 20))
    large = {"X-Large": "a" * 30_000}
    assert httpx.get(f"{server.url}/healthz", headers=large).status_code == 200
    pieces = (b'{"items": [[', *(b" " for _ in range(20_000)), b"1]]}")
    headers = {"Content-Type": "application/json"}
    assert httpx.post(f"{server.url}/v1/embed", content=iter(pieces), headers=headers).json()["bad"]


def test_a_server_of_a_name_is_found_healthy_at_home_too(started: Started, people: Path) -> None:
    """Keys and a name do not keep the machine itself from asking whether it is ready: `started` does."""
    Keys(f"{people}.keys").add("door", "read")
    server = started(people, "--name", "gemel.example")
    for host, status in (("gemel.example", 200), ("localhost", 200), ("other.example", 421)):
        assert httpx.get(f"{server.url}/readyz", headers={"Host": host}).status_code == status


def test_a_model_folder_is_served_with_a_gallery_in_memory(started: Started, twin: Siamese, tmp_path: Path) -> None:
    server = started(twin.save(tmp_path / "vectors.gemel"))
    assert httpx.get(f"{server.url}/v1/model").json()["durable"] is False
    assert "gone when this ends" in server.log.read_text()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--host", "0.0.0.0"), "Without API keys, whoever reaches 0.0.0.0"),
        (("--keys", "nowhere.keys", "--host", "0.0.0.0"), "Without API keys"),
    ],
)
def test_without_keys_others_cannot_reach_it(people: Path, more: tuple[str, ...], words: str) -> None:
    done = subprocess.run([*COMMAND, "serve", str(people), *more], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert words in done.stderr


def request(values: dict[str, object]) -> tuple[bytes, bytes]:
    """The head and the body of a request to embed."""
    body = json.dumps(values).encode()
    head = "POST /v1/embed HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode(), body


def test_what_was_accepted_is_finished_when_it_is_told_to_end(started: Started, people: Path, crowd: Crowd) -> None:
    server = started(people)
    head, body = request({"items": [crowd.item(0)] * 60})
    links = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
    for link in links:
        link.sendall(head + body[:100])
    time.sleep(0.2)
    server.process.send_signal(signal.SIGTERM)
    while not refuses(server):
        time.sleep(0.05)
    for link in links:
        link.sendall(body[100:])
        assert link.recv(64).startswith(b"HTTP/1.1 200")
        link.close()
    assert server.end() == ENDED


def refuses(server: Server) -> bool:
    """Whether a server takes no new connection."""
    try:
        socket.create_connection(("127.0.0.1", server.port)).close()
    except ConnectionRefusedError:
        return True
    return False


def test_slow_and_absent_clients_hold_up_nobody(started: Started, people: Path, crowd: Crowd) -> None:
    server = started(people)
    head, body = request({"items": [crowd.item(0)]})
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(50)]
    for i, link in enumerate(slow):
        link.sendall(head + body[: i % len(body)])
    for _ in range(20):
        assert httpx.post(f"{server.url}/v1/embed", json={"items": [crowd.item(0)]}, timeout=10).status_code == 200
    for link in slow[::2]:
        link.close()
    slow[1].sendall(body[1:])
    assert slow[1].recv(64).startswith(b"HTTP/1.1 200")
    assert httpx.get(f"{server.url}/readyz").status_code == 200
    for link in slow:
        link.close()


def test_every_201_is_there_after_kill_9_under_load(started: Started, people: Path) -> None:
    rng, promised = np.random.default_rng(int(time.time())), set[str]()
    lock = threading.Lock()

    def enrolling(url: str, worker: int, turn: int) -> None:
        own = np.random.default_rng(1000 * turn + worker)
        with httpx.Client(base_url=url, timeout=10) as client:
            for i in range(10_000):
                name = f"{turn}-{worker}-{i}"
                body = {"identity": name, "items": [own.normal(size=16).tolist()]}
                try:
                    status = client.post("/v1/identities", json=body).status_code
                except httpx.TransportError:
                    return
                if status == 201:
                    with lock:
                        promised.add(name)

    for turn in range(3):
        server = started(people)
        threads = [threading.Thread(target=enrolling, args=(server.url, i, turn)) for i in range(4)]
        for thread in threads:
            thread.start()
        before = len(promised)
        while len(promised) < before + 50:
            time.sleep(0.01)
        time.sleep(float(rng.uniform(0, 0.3)))
        os.kill(server.process.pid, signal.SIGKILL)
        for thread in threads:
            thread.join()
    with Gallery(people) as again:
        there = set(again.identities())
    assert promised <= there
    assert len(promised) >= 150
    assert len(there - promised) <= 3 * 4  # one for each worker whose answer was cut off
