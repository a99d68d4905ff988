"""The commands of the Dockerfile, run in a clean virtual environment. No image is built: that takes an engine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from gemel.gallery import Gallery
from gemel.siamese import Siamese
from tests.serve.ports import free_port

ROOT = Path(__file__).parents[2]


def steps() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile and what follows each."""
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    told = [line.split(None, 1) for line in lines if line and not line.startswith("#")]
    return [(word, rest.strip()) for word, rest in told]


def listed(word: str, command: str = "") -> list[str]:
    """The words of an instruction that is written as a list."""
    (found,) = [rest.removeprefix(command) for kind, rest in steps() if kind == word]
    return list(json.loads(found[found.index("[") :]))


def test_it_is_small_and_nobody_is_root() -> None:
    kinds = [kind for kind, _ in steps()]
    assert kinds.index("USER") < kinds.index("ENTRYPOINT")
    assert [rest for kind, rest in steps() if kind == "USER"] == ["gemel"]
    assert all("slim" in rest for kind, rest in steps() if kind == "FROM")


def test_its_commands_serve_a_gallery(tmp_path: Path, twin: Siamese) -> None:
    app, data = tmp_path / "app", tmp_path / "data"
    for folder in (app, data):
        folder.mkdir()
    for kind, rest in steps():
        if kind == "COPY":
            *sources, target = rest.split()
            for source in sources:
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, app / target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(ROOT / source, app / target)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    own = {**os.environ, "PATH": f"{tmp_path / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    own.pop("PYTHONPATH", None)
    (install,) = [rest for kind, rest in steps() if kind == "RUN" and "pip install" in rest]
    done = subprocess.run(install, shell=True, cwd=app, env=own, capture_output=True, text=True)
    if done.returncode and not reaches_an_index(own):
        pytest.skip("takes a package index")
    assert done.returncode == 0, done.stderr
    assert not list((tmp_path / "venv").glob("lib/*/site-packages/torch"))
    Gallery(data / "people.db", twin).close()
    gemel, command = listed("ENTRYPOINT"), [word.replace("/data", str(data)) for word in listed("CMD")]
    refused = subprocess.run([*gemel, *command], env=own, capture_output=True, text=True, timeout=60)
    assert "Without API keys" in refused.stderr
    add = [*gemel, "key", "add", str(data / "people.db"), "door", "--scope", "write"]
    token = subprocess.run(add, env=own, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    port = str(free_port())
    server = subprocess.Popen([*gemel, *command, "--port", port], env=own, stderr=subprocess.DEVNULL)
    try:
        health = [word.replace("8000", port) for word in listed("HEALTHCHECK")]
        for _ in range(300):
            time.sleep(0.1)
            if subprocess.run(health, env=own, stderr=subprocess.DEVNULL).returncode == 0:
                break
        url = f"http://127.0.0.1:{port}"
        body = {"identity": "ada", "items": [[0.5] * 16]}
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx.post(f"{url}/v1/identities", json=body, headers=headers).status_code == 201
        assert httpx.get(f"{url}/v1/model").status_code == 401
        assert httpx.get(f"{url}/page/style.css").status_code == 200
    finally:
        server.terminate()
        server.wait(30)


def reaches_an_index(env: dict[str, str]) -> bool:
    """Whether pip finds anything at all."""
    probe = ["python", "-m", "pip", "index", "versions", "idna"]
    return subprocess.run(probe, env=env, capture_output=True).returncode == 0
