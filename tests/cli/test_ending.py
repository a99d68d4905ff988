"""How a command ends: whatever happens, the exit code says which kind of thing it was."""

from __future__ import annotations

import json
from typing import NoReturn

import pytest

from gemel.cli.ending import TRACEBACK
from tests.cli.conftest import Shell


def fails(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def load(*given: object, **how: object) -> NoReturn:
        raise error

    monkeypatch.setattr("gemel.siamese.twin.Siamese.load", load)


def test_an_unexpected_error_is_no_verdict(gemel: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    fails(monkeypatch, ZeroDivisionError("one\nby zero"))
    ran = gemel("verify", "x.gemel", "a", "b")
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert "ZeroDivisionError: one by zero" in ran.err
    assert f"{TRACEBACK}=1" in ran.err
    monkeypatch.setenv(TRACEBACK, "1")
    assert "Traceback" in gemel("verify", "x.gemel", "a", "b").err


def test_an_unexpected_error_in_json(gemel: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    fails(monkeypatch, ZeroDivisionError("one by zero"))
    ran = gemel("verify", "x.gemel", "a", "b", "--json")
    assert ran.code == 2
    assert json.loads(ran.out)["error"] == "ZeroDivisionError"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1), BrokenPipeError(32, "Broken pipe")])
def test_only_verdicts_end_in_1(gemel: Shell, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    fails(monkeypatch, error)
    assert gemel("verify", "x.gemel", "a", "b").code in (2, 130)


def test_an_interrupted_command_says_so(gemel: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    fails(monkeypatch, KeyboardInterrupt())
    words, values = gemel("info", "x.gemel"), gemel("info", "x.gemel", "--json")
    assert (words.code, values.code) == (130, 130)
    assert "Interrupted" in words.err
    assert json.loads(values.out)["error"] == "Interrupted"


def test_wrong_usage_in_words_and_in_json(gemel: Shell) -> None:
    words, values = gemel("info", "--modle"), gemel("info", "--modle", "--json")
    assert (words.code, values.code) == (2, 2)
    assert "--modle" in words.err
    assert "--modle" in json.loads(values.out)["message"]
