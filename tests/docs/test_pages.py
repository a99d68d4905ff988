"""The code of the how-to pages runs as it stands, from top to bottom, and does what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.serve.ports import free_port

DOCS = Path(__file__).parents[2] / "docs"


def code_of(page: str) -> str:
    """Every Python block of a page, one after the other."""
    return "\n".join(re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL))


def test_a_worn_machine_is_flagged_and_a_healthy_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code_of("machines.md"), "machines.md", "exec"), {})
    shares = {int(day): int(share) for day, share in re.findall(r"day (\d): (\d+)%", capsys.readouterr().out)}
    assert shares[2] <= 15
    assert shares[3] >= 50


def test_a_signer_is_accepted_and_a_forger_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code_of("signatures.md"), "signatures.md", "exec"), {})
    said = capsys.readouterr().out
    assert "Calibrated against 5 references (minimum, normalised to the power 0.5) on 30 identities" in said
    verdicts = re.findall(r"^(\w+): (accepted|refused)", said, re.MULTILINE)
    assert verdicts == [("5", "accepted"), ("6", "accepted"), ("forged", "refused"), ("stranger", "refused")]


def test_a_server_answers_as_its_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("fastapi", reason="takes the serving part: pip install 'gemel[serve]'")
    monkeypatch.chdir(tmp_path)
    code = code_of("serving.md").replace("8765", str(free_port()))
    exec(compile(code, "serving.md", "exec"), {})
    *said, problem = capsys.readouterr().out.splitlines()
    wanted = re.findall(r"  # (201 2|ada|None|True|False|bob|2)", code)
    assert said == [wanted[0], *wanted]
    assert "has shape [1] where [16] is expected" in problem
