"""Sounds from the shell: read by the names of their files, trained, compared; what cannot be is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.cli.conftest import Shell, run

RATE = 8000
QUICK = "--width 8 --depth 2 --dim 16 --steps 60 --lr 5e-3 --precision fp32 --prepare trim,level"


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty birds, each with a tone of its own, six calls each, in one folder."""
    folder, rng = tmp_path_factory.mktemp("calls"), np.random.default_rng(0)
    (folder / "calls").mkdir()
    for bird in range(20):
        hertz = 250 * 1.12**bird
        for take in range(6):
            time = np.arange(int(rng.integers(1500, 2500))) / RATE
            samples = rng.uniform(0.1, 0.5) * np.sin(2 * np.pi * hertz * time) + 0.01 * rng.normal(size=len(time))
            soundfile.write(folder / "calls" / f"bird{bird}_{take}.wav", samples, RATE)
    (folder / "calls" / "broken_7.wav").write_bytes(b"RIFF no sound")
    names = ("--names", "{identity}_{}")
    ran = run(
        None, "train", folder / "calls", *names, "--out", folder / "b.gemel", *QUICK.split(), "--allow-bad", "0.1"
    )
    assert ran.code == 0
    return folder


def test_the_same_bird_is_recognised(gemel: Shell, calls: Path) -> None:
    def call(bird: int, take: int) -> Path:
        return calls / "calls" / f"bird{bird}_{take}.wav"

    model = calls / "b.gemel"
    assert gemel("verify", model, call(3, 0), call(3, 1)).code == 0
    assert gemel("verify", model, call(3, 0), call(15, 1)).code == 1
    assert "Compares sounds by" in gemel("info", model).out
    assert (calls / "b.report.html").exists()


def test_what_is_no_sound_or_has_no_identity_is_said(gemel: Shell, calls: Path) -> None:
    ran = gemel("verify", calls / "b.gemel", calls / "calls" / "broken_7.wav", calls / "calls" / "bird1_1.wav")
    assert ran.code == 2
    assert "is no sound that can be read" in ran.err
    ran = gemel("train", calls / "calls", "--out", calls / "x.gemel")
    assert ran.code == 2
    assert "no pair of which anything is known" in ran.err
    assert "--names" in ran.err
