"""Anything may come: files that are cut, bombs, of another kind; whatever OpenAPI allows, and what it does not.

The answer is a sentence and a 4xx, and the process is as it was.
"""

from __future__ import annotations

import base64
import gc
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from gemel.gallery import Gallery
from gemel.items import AudioModality, ImageModality, RecordModality, SeriesModality, TextModality, VectorModality
from gemel.items.modality import Modality
from gemel.serve import Limits, Settings
from gemel.serve.app import application
from gemel.serve.bodies import Upload
from gemel.serve.incoming import Reader
from gemel.serve.problems import Problem
from gemel.serve.schemas import MODELS
from gemel.siamese import Method, Siamese

MODALITIES: dict[str, Modality] = {
    "image": ImageModality(height=16, width=16, channels=1),
    "text": TextModality().fit([np.frombuffer(b"the quick brown fox jumps over the lazy dog", np.uint8)]),
    "series": SeriesModality(channels=2, columns=("x", "y"), stamps="t", rate=10),
    "audio": AudioModality(rate=8000),
    "vector": VectorModality(4),
}


class Mean:
    """An encoder without weights: means of whatever was prepared."""

    sha256 = "mean"

    def __call__(self, arrays: Any) -> np.ndarray:
        flat = [np.asarray(array, np.float32).reshape(len(array), -1) for array in arrays.values()]
        parts = [part[:, :4] if part.shape[1] >= 4 else np.resize(part, (len(part), 4)) for part in flat]
        return np.asarray(sum(parts), np.float32)


@pytest.fixture(params=[*MODALITIES, "record"])
def client(request: pytest.FixtureRequest) -> Iterator[TestClient]:
    """A server for each kind of item; the kind is its `name`."""
    kind = request.param
    modality = RecordModality(dict(MODALITIES)) if kind == "record" else MODALITIES[kind]
    twin = Siamese(modality=modality, encoder=Mean(), method=Method("euclidean", 4))
    limits = Limits(pixels=1_000_000, seconds=10, characters=1000, points=10_000, body=8 << 20)
    with TestClient(application(Gallery(twin=twin), Settings(name=kind, limits=limits))) as served:
        yield served


def png(width: int, height: int, rows: bytes = b"") -> bytes:
    """A PNG whose header claims a size, whatever follows."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)).save(file, kind)
    return file.getvalue()


def archive() -> bytes:
    """A zip of a megabyte that is a gigabyte."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
        for i in range(8):
            zipped.writestr(f"{i}", bytes(1 << 24))
    return file.getvalue()


def npy(claims: tuple[int, ...]) -> bytes:
    """A NumPy file whose header claims a shape, with sixteen numbers."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": claims})
    return file.getvalue() + bytes(128)


def wav(claims: int, rate: int = 8000, channels: int = 1) -> bytes:
    """A WAV file whose header claims so many bytes of samples, with a hundred of them."""
    head = struct.pack(
        "<4sI4s4sIHHIIHH", b"RIFF", 36 + claims, b"WAVE", b"fmt ", 16, 1, channels, rate, 2 * rate, 2, 16
    )
    return head + struct.pack("<4sI", b"data", claims) + bytes(200)


FILES: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "one byte": lambda: b"\xff",
    "noise": lambda: np.random.default_rng(0).bytes(50_000),
    "zeros": lambda: bytes(1 << 20),
    "a JPEG cut off": lambda: picture("JPEG")[:200],
    "a PNG cut off": lambda: picture("PNG")[:-40],
    "a PNG 10,000 pixels wide": lambda: png(10_000, 10_000, bytes(1 << 20)),
    "a PNG of 65,500 by 65,500": lambda: png(65_500, 65_500),
    "a PNG of two billion": lambda: png(2**31 - 1, 1),
    "a zip that pretends": archive,
    "a script": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n",
    "a page": lambda: b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "a huge array": lambda: npy((1 << 40,)),
    "an array of odd shape": lambda: npy((1 << 30, 1 << 30)),
    "a pickle": lambda: b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }" + b" " * 60,
    "a sound that claims hours": lambda: wav(2**31 - 100),
    "a sound of one sample a second": lambda: wav(200, rate=1),
    "a sound of a thousand channels": lambda: wav(200, channels=1000),
    "a table that spans ages": lambda: b"t,x,y\n0,1,2\n1e300,3,4\n",
    "a table of a thousand columns": lambda: (",".join(["1"] * 1000) + "\n").encode() * 20,
    "a table without numbers": lambda: b"a,b\nc,d\n",
}


def asked_of(client: TestClient) -> str:
    return str(client.get("/v1/model").json()["modality"])


def tiled(side: int) -> bytes:
    """A TIFF of one pixel, in a tile of that side."""
    tags = [(256, 1), (257, 1), (258, 8), (259, 8), (262, 1), (277, 1), (322, side), (323, side), (324, 200), (325, 8)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    return head.ljust(200, b"\0") + zlib.compress(bytes(side * side))


def layered(more: int) -> bytes:
    """A progressive JPEG of a thousand by a thousand pixels whose last layer comes again and again."""
    file = io.BytesIO()
    Image.new("L", (1000, 1000), 128).save(file, "JPEG", progressive=True)
    whole = file.getvalue()
    last, end = whole.rfind(b"\xff\xda"), whole.rfind(b"\xff\xd9")
    return whole[:end] + whole[last:end] * more + whole[end:]


def two_faced() -> bytes:
    """A TIFF of one pixel to whoever looks for the usual formats, an IM of 81 million to whoever takes the first."""
    lines = b": x\nImage type: Greyscale image\nImage size (x*y): 9000*9000\n\x1a"
    tags = [(256, 1), (257, 1), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1), (279, 1)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return (b"II*\0" + struct.pack("<I", 400) + lines).ljust(400, b"\0") + struct.pack("<H", 9) + entries + bytes(4)


def sound(frames: int, rate: int, channels: int, kind: str) -> bytes:
    writer = pytest.importorskip("soundfile")
    file = io.BytesIO()
    writer.write(file, np.zeros((frames, channels), np.int16), rate, format=kind, subtype="PCM_16")
    return file.getvalue()


LARGE: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "a tile of which a pixel is seen": ("image", lambda: tiled(2000), "2,000 × 2,000 pixels"),
    "a JPEG of a hundred layers": ("image", lambda: layered(100), "layers"),
    "fast silence of many channels": ("audio", lambda: sound(655_350, 655_350, 8, "FLAC"), "5,242,800 samples"),
    "a slow sound that becomes a fast one": ("audio", lambda: sound(9, 1, 64, "WAV"), "4,608,000 samples"),
}


@pytest.mark.parametrize(
    ("client", "name"), [(kind, name) for name, (kind, _, _) in LARGE.items()], indirect=["client"]
)
def test_files_that_become_large(name: str, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemel.serve.incoming.SAMPLES", 4_000_000)
    _, make, reason = LARGE[name]
    (bad,) = client.post("/v1/embed", files={"items": ("a", make())}).json()["bad"]
    assert reason in bad["reason"]


@pytest.mark.parametrize("client", ["series"], indirect=True)
def test_a_series_is_no_longer_than_the_limit_once_it_is_read(client: TestClient) -> None:
    spans = b"t,x,y\n0,1,2\n600,3,4\n"  # 6,000 points, 10,000 numbers being the limit
    rows = b"t,x,y\n" + b"".join(b"%d,1,2\n" % i for i in range(5_001))
    for content, reason in ((spans, "spans 6e+03 points"), (rows, "5,001 points; at most 5,000")):
        (bad,) = client.post("/v1/embed", files={"items": ("a.csv", content)}).json()["bad"]
        assert reason in bad["reason"]
    assert client.post("/v1/embed", files={"items": ("a.csv", b"t,x,y\n0,1,2\n400,3,4\n")}).json()["bad"] == []


@pytest.mark.parametrize("client", ["text"], indirect=True)
def test_accents_without_end_are_refused(client: TestClient) -> None:
    for text, reason in (("fox a" + "\u0301\u0316" * 60, "120 accents on one letter"), ("fo\u0301x e\u0316\u0301", "")):
        bad = client.post("/v1/embed", json={"items": [text]}).json()["bad"]
        assert reason in bad[0]["reason"] if reason else bad == []


@pytest.mark.parametrize("client", ["image"], indirect=True)
def test_a_file_is_decoded_as_what_it_was_looked_at(client: TestClient) -> None:
    answer = client.post("/v1/embed", files={"items": ("a.tif", two_faced())}).json()
    assert answer["bad"] == []


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_not_what_is_expected(name: str, client: TestClient) -> None:
    content, kind = FILES[name](), asked_of(client)
    files: Any = {"items": ("a.jpg", content)}
    if kind == "record":
        encoded = {"base64": base64.b64encode(content).decode()}
        answers = [
            client.post("/v1/embed", json={"items": [{field: encoded}]}) for field in ("image", "series", "audio")
        ]
    else:
        answers = [client.post("/v1/embed", files=files)]
    for answer in answers:
        assert answer.status_code in ((200,) if kind == "text" else (200, 400, 413, 422)), answer.text
        if answer.status_code == 200 and kind != "text":
            assert answer.json()["bad"], answer.text
        assert len(answer.text) < 5000


BODIES: dict[str, Callable[[], bytes]] = {
    "eight million commas": lambda: b'{"items": [' + b"," * (7 << 20) + b"]}",
    "empty lists": lambda: b'{"items": [' + b"[]," * (1 << 20) + b"[]]}",
    "lists in lists": lambda: b'{"items": ' + b"[" * (1 << 20) + b"]" * (1 << 20) + b"}",
    "a number of a million digits": lambda: b'{"items": [' + b"9" * (1 << 20) + b"]}",
    "a key twice": lambda: b'{"items": [], "items": [[1]]}',
    "keys without end": lambda: json.dumps({f"k{i}": 1 for i in range(9000)}).encode(),
    "not UTF-8": lambda: b'{"items": ["\xff\xfe"]}',
    "a long text": lambda: json.dumps({"items": ["x" * (4 << 20)]}).encode(),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies_that_are_made_to_hurt(name: str, client: TestClient) -> None:
    headers = {"content-type": "application/json"}
    answer = client.post("/v1/embed", content=BODIES[name](), headers=headers)
    assert 400 <= answer.status_code < 500 or answer.json()["bad"]
    assert len(answer.text) < 5000


def form(value: bytes, charset: str = "utf-8") -> dict[str, Any]:
    part = b'--XX\r\nContent-Disposition: form-data; name="items"\r\n\r\n' + value + b"\r\n--XX--\r\n"
    return {"content": part, "headers": {"content-type": f"multipart/form-data; boundary=XX; charset={charset}"}}


@pytest.mark.parametrize("charset", ["punycode", "idna", "utf-7", "unicode_escape", "UTF-16", "hex", "nothing"])
def test_a_form_is_in_utf_8(charset: str, client: TestClient) -> None:
    answer = client.post("/v1/embed", **form(b"fox +2AA- \\ud800", charset))
    assert (answer.status_code, answer.json()["type"]) == (415, "urn:gemel:wrong-media-type")
    assert client.post("/v1/embed", **form(b"the fox", "UTF-8")).status_code in (200, 422)


def test_json_in_a_form_holds_no_more_than_json_alone(client: TestClient) -> None:
    content = b"[" + b"[]," * 100_000 + b"[]]"
    answers = [client.post("/v1/embed", **form(content))]
    if asked_of(client) == "record":
        answers.append(client.post("/v1/embed", files={"items": ("a.json", content)}))
    for answer in answers:
        assert (answer.status_code == 413) or "values" in answer.json()["bad"][0]["reason"]


def test_memory_is_back_where_it_was(client: TestClient) -> None:
    status = Path("/proc/self/statm")
    if not status.exists():
        pytest.skip("takes /proc, which says how much memory a process has")

    def held() -> int:
        gc.collect()
        return int(status.read_text().split()[1]) * 4096

    def flood() -> None:
        for make in (*FILES.values(), *BODIES.values()):
            content = make()
            client.post("/v1/embed", content=content, headers={"content-type": "application/json"})
            client.post("/v1/embed", files={"items": ("a", content)})

    flood()
    before = held()
    flood()
    flood()
    assert held() - before < 64 << 20


@pytest.mark.parametrize("path", sorted(MODELS))
def test_the_examples_of_openapi_can_be_sent_as_they_stand(path: str, client: TestClient) -> None:
    described = client.get("/openapi.json").json()["paths"][path]["post"]
    example = described["requestBody"]["content"]["application/json"]["example"]
    answer = client.post(path, json=example)
    assert answer.status_code in (200, 201, 409), answer.text  # 409: this twin has no decision
    assert not answer.json().get("bad")


def test_sounds_of_rare_kinds_are_not_opened() -> None:
    writer = pytest.importorskip("soundfile")
    file = io.BytesIO()
    writer.write(file, np.zeros(100, np.int16), 8000, format="VOC", subtype="PCM_16")
    with pytest.raises(Problem, match="a kind that is not taken"):
        Reader(AudioModality(rate=8000), Limits()).item(Upload(file.getvalue(), "a.voc"), "item")


schemathesis = pytest.importorskip("schemathesis", reason="takes schemathesis")


@pytest.mark.filterwarnings("ignore:Do not use the `random` module")  # schemathesis does
def test_whatever_openapi_describes_is_never_answered_with_5xx(client: TestClient) -> None:
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    schema = schemathesis.openapi.from_asgi("/openapi.json", client.app)
    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=15,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            nonlocal tried
            tried += 1
            case.call_and_validate(session=client, checks=checks)

        ask()
    assert tried > 100
