"""The shell with several references of one identity, and with forgeries."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gemel import Siamese
from tests.cli.conftest import Shell
from tests.report.conftest import SIDE, flat_pixels


def write(folder: Path, *, seed: int, people: int = 24) -> Path:
    """Six pictures of each person, and three that imitate them."""
    rng = np.random.default_rng(seed)
    for person in range(people):
        pattern = rng.integers(40, 215, size=(SIDE, SIDE))
        for name, count, noise in ((f"p{person:02}", 6, 60), (f"p{person:02}_forg", 3, 90)):
            own = folder / name
            own.mkdir(parents=True)
            for item in range(count):
                noisy = np.clip(pattern + rng.integers(-noise, noise, size=pattern.shape), 0, 255)
                Image.fromarray(noisy.astype(np.uint8)).save(own / f"{item}.png")
    return folder


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("people") / "data", seed=0)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    return flat_pixels().save(tmp_path / "p.gemel")


@pytest.fixture
def model(gemel: Shell, bare: Path, people: Path) -> Path:
    for words in ((), ("--refs", 3, "--pool", "minimum", "--normalise", 1)):
        ran = gemel("calibrate", bare, people, "--impostors", "_forg", *words)
        assert ran.code == 0, ran.err
    return bare


def test_calibrate_verify_and_evaluate_against_references(
    gemel: Shell, model: Path, people: Path, tmp_path: Path
) -> None:
    twin = Siamese.load(model)
    files = sorted((people / "p03").glob("*.png"))
    ran = gemel("verify", model, files[5], "--refs", *files[:3], "--json")
    verdict = twin.verify(str(files[5]), refs=[str(file) for file in files[:3]])
    values = json.loads(ran.out)
    assert (ran.code, values["same"]) == (0, True)
    assert values["distance"] == pytest.approx(verdict.distance)
    other = gemel("verify", model, "--refs", people / "p04" / "0.png", *files[:3])
    assert (other.code, other.out[:9]) == (1, "different")
    info = gemel("info", model).out
    assert "Calibrated against 3 references (minimum, normalised) on 24 identities" in info
    assert "false match, random" in info
    fresh = write(tmp_path / "fresh", seed=1)
    measured = json.loads(gemel("evaluate", model, fresh, "--impostors", "_forg", "--refs", 3, "--json").out)
    assert measured["method"]["pooling"] == "minimum"
    assert measured["skilled"]["eer"] > measured["random"]["eer"]
    assert len(measured["costs"]) == len(twin.decisions[1].points)
    words = gemel("evaluate", model, fresh, "--impostors", "_forg", "--refs", 2, "--pool", "trimmed", "--normalise", 0)
    assert "trials against 2 references (trimmed)" in words.out
    assert "Not calibrated for its method" in words.out


def test_a_rate_is_asked_against_either_kind(gemel: Shell, bare: Path, tmp_path: Path) -> None:
    many = write(tmp_path / "many", seed=2, people=32)
    assert gemel("calibrate", bare, many, "--impostors", "_forg").code == 0
    pair = sorted((many / "p03").glob("*.png"))[:2]
    points = [
        json.loads(gemel("verify", bare, *pair, "--fmr", 0.1, *against, "--json").out)["point"]
        for against in ((), ("--against", "random"), ("--against", "skilled"))
    ]
    assert points == ["fmr_skilled=1e-1", "fmr_random=1e-1", "fmr_skilled=1e-1"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("verify", "A", "A", "A"), "Compare with one item; 2 came.*--refs"),
        (("verify", "A", "--refs", "A", "A"), "no decision for 2 references, only for .*3 references.*--refs 2"),
        (("verify", "A", "--refs", "A", "BAD", "A"), r"bad\.png"),
        (("verify", "A", "--refs", "A", "A", "A"), "distance 0 from each other"),
        (("verify", "A", "--refs", "A", "--score"), "--score says how similar two items are"),
        (("verify", "A", "--refs"), "Compare A with another item"),
        (("calibrate", "DATA", "--refs", 6), "6 references .* 7 items .*of 24 identities .*, 0 have so many"),
        (("calibrate", "DATA", "--normalise", 1), "say with refs how many"),
        (("evaluate", "DATA", "--refs", 3, "--report", "r.html"), "A report is about pairs"),
    ],
)
def test_wrong_input_says_what_to_do(
    gemel: Shell, model: Path, people: Path, tmp_path: Path, words: tuple[object, ...], said: str
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    stands = {"A": people / "p00" / "0.png", "BAD": bad, "DATA": people}
    command, *rest = (stands.get(word, word) if isinstance(word, str) else word for word in words)
    more = ("--impostors", "_forg") if command != "verify" else ()
    ran = gemel(command, model, *rest, *more)
    assert ran.code == 2
    assert re.search(said, " ".join(ran.err.split())), ran.err
