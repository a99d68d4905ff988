"""The shell: what each command prints, its exit code, and the sentence that bad input gets."""

from __future__ import annotations

import json
import random
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from gemel import Siamese
from tests.cli.conftest import Shell, write


def test_train_leaves_a_model_and_a_report_and_nothing_else(model: Path) -> None:
    assert model.is_dir()
    assert model.with_suffix(".report.html").exists()
    assert not model.with_name(model.name + ".training").exists()


def test_verify_says_same_and_different_by_its_exit_code(gemel: Shell, model: Path, pictures: Path) -> None:
    first, second = pictures / "p003" / "0018.png", pictures / "p003" / "0019.png"
    others = sorted(pictures.rglob("*.png"))
    other = others[int(np.argmax(Siamese.load(model).distance([first] * len(others), others)))]
    same, different = gemel("verify", model, first, second), gemel("verify", model, first, other)
    assert (same.code, different.code) == (0, 1)
    assert same.out.startswith("same: probability 0.")
    assert different.out.startswith("different: probability ")


def test_verify_in_json_agrees_with_words(gemel: Shell, model: Path, pictures: Path) -> None:
    a, b = pictures / "p003" / "0018.png", pictures / "p003" / "0019.png"
    words, values = gemel("verify", model, a, b).out, json.loads(gemel("verify", model, a, b, "--json").out)
    assert values["same"] is True
    assert f"{values['distance']:.4f}" in words
    assert values["distance"] <= values["threshold"]


def test_verify_can_stay_undecided(gemel: Shell, model: Path, pictures: Path) -> None:
    a = pictures / "p003" / "0018.png"
    ran = gemel("verify", model, a, pictures / "p003" / "0019.png", "--certainty", 0.9999999)
    assert ran.code == 3
    assert ran.out.startswith("undecided")


def test_a_lower_prior_lowers_the_probability(gemel: Shell, model: Path, pictures: Path) -> None:
    pair = (pictures / "p003" / "0018.png", pictures / "p003" / "0019.png", "--json")
    even, rare = gemel("verify", model, *pair), gemel("verify", model, *pair, "--prior", 0.001)
    assert json.loads(rare.out)["probability"] < json.loads(even.out)["probability"]


def test_an_fmr_that_the_data_cannot_support_is_refused(gemel: Shell, model: Path, pictures: Path) -> None:
    ran = gemel("verify", model, pictures / "p003" / "0018.png", pictures / "p003" / "0019.png", "--fmr", 1e-3)
    assert ran.code == 2
    assert "identities" in ran.err


def test_verify_imports_nothing_heavy(model: Path, pictures: Path) -> None:
    files = sorted((pictures / "p003").iterdir())[:2]
    words = [sys.executable, "-X", "importtime", "-m", "gemel", "verify", str(model), *map(str, files)]
    ran = subprocess.run(words, check=False, capture_output=True, text=True)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in ran.stderr.splitlines()}
    assert "onnxruntime" in imported
    assert not imported & {"torch", "lightning", "scipy", "sklearn", "pyarrow", "pandas", "pydantic", "matplotlib"}


def test_evaluate_embed_info_and_calibrate(gemel: Shell, model: Path, tmp_path: Path) -> None:
    others = write(tmp_path / "others", identities=30, items=5, seed=9)
    found = json.loads(gemel("evaluate", model, others, "--report", tmp_path / "r.html", "--json").out)
    assert 0 <= found["verification"]["eer"] < 0.5
    assert (tmp_path / "r.html").exists()
    assert json.loads(gemel("info", model, "--json").out)["recipe"]["steps"] == 40
    assert gemel("embed", model, others, "--out", tmp_path / "e.npz").code == 0
    with np.load(tmp_path / "e.npz") as arrays:
        assert arrays["embedding"].shape == (150, 16)
        assert arrays["identity"][0] == "p000"
    assert gemel("embed", model, others, "--out", tmp_path / "e.parquet").code == 0
    before = (model / "manifest.json").read_bytes()
    assert gemel("calibrate", model, others, "--out", tmp_path / "again.gemel").code == 0
    assert (model / "manifest.json").read_bytes() == before
    assert gemel("info", tmp_path / "again.gemel").code == 0


def test_calibrating_on_training_items_is_refused(gemel: Shell, model: Path, pictures: Path, tmp_path: Path) -> None:
    ran = gemel("calibrate", model, pictures, "--out", tmp_path / "x.gemel")
    assert ran.code == 2
    assert "training" in ran.err


def test_a_dry_run_trains_nothing(gemel: Shell, pictures: Path, tmp_path: Path) -> None:
    ran = gemel("train", pictures, "--out", tmp_path / "x.gemel", "--dry-run", "--steps", 50)
    assert ran.code == 0
    assert "about" in ran.out
    assert "steps = 50" in ran.out
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_in_json_has_the_costs(gemel: Shell, pictures: Path, tmp_path: Path) -> None:
    ran = gemel("train", pictures, "--out", tmp_path / "x.gemel", "--dry-run", "--steps", 50, "--json")
    values = json.loads(ran.out)
    assert values["recipe"]["steps"] == 50
    assert values["costs"].keys() == {"seconds", "seconds_per_step", "memory_bytes", "disk_bytes"}
    assert all(cost > 0 for cost in values["costs"].values())


class TestBadInput:
    """Every mistake ends in a sentence and exit code 2."""

    def refused(self, ran: object, *words: str) -> None:
        assert ran.code == 2, ran
        assert "Traceback" not in ran.err
        for word in words:
            assert word in ran.err

    def test_an_empty_folder(self, gemel: Shell, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        self.refused(gemel("train", tmp_path / "empty", "--out", tmp_path / "x.gemel"), "empty")

    def test_one_identity(self, gemel: Shell, tmp_path: Path) -> None:
        write(tmp_path / "one", identities=1, items=8)
        self.refused(gemel("train", tmp_path / "one", "--out", tmp_path / "x.gemel"), "at least two")

    def test_one_image_per_identity(self, gemel: Shell, tmp_path: Path) -> None:
        write(tmp_path / "single", identities=30, items=1)
        self.refused(gemel("train", tmp_path / "single", "--out", tmp_path / "x.gemel"), "two items")

    def test_text_renamed_to_jpg(self, gemel: Shell, model: Path, pictures: Path, tmp_path: Path) -> None:
        (tmp_path / "text.jpg").write_text("hello", encoding="utf-8")
        self.refused(gemel("verify", model, tmp_path / "text.jpg", pictures / "p000" / "0000.png"), "text.jpg")

    def test_a_missing_file(self, gemel: Shell, model: Path, pictures: Path, tmp_path: Path) -> None:
        self.refused(gemel("verify", model, tmp_path / "no.png", pictures / "p000" / "0000.png"), "no.png")

    def test_a_model_that_does_not_exist(self, gemel: Shell, tmp_path: Path) -> None:
        self.refused(gemel("verify", tmp_path / "no.gemel", "a.png", "b.png"), "no such folder")

    def test_no_threads_at_all(self, gemel: Shell) -> None:
        assert gemel("verify", "x.gemel", "a.png", "b.png", "--threads", 0).code == 2

    @pytest.mark.parametrize(
        "words",
        [
            ("evaluate", "x.gemel", "data", "--allow-bad", -1),
            ("train", "data", "--out", "x.gemel", "--allow-bad", 7),
            ("calibrate", "x.gemel", "data", "--prior", 2),
            ("calibrate", "x.gemel", "data", "--seed", -1),
            ("demo", "--steps", 0),
            ("demo", "--enrolments", 0),
            ("demo", "--out", __file__),
        ],
    )
    def test_a_value_that_cannot_be_is_refused_by_its_flag(self, gemel: Shell, words: tuple[object, ...]) -> None:
        self.refused(gemel(*words), "Invalid value", str(words[-2]))

    def test_a_folder_as_a_recipe(self, gemel: Shell, pictures: Path, tmp_path: Path) -> None:
        ran = gemel("train", pictures, "--out", tmp_path / "x.gemel", "--recipe", tmp_path)
        self.refused(ran, "directory")
        assert "unexpected" not in ran.err

    def test_a_folder_that_is_no_model(self, gemel: Shell, pictures: Path) -> None:
        self.refused(gemel("info", pictures), "pictures")

    def test_one_bad_file_in_twenty_trains_only_when_allowed(self, gemel: Shell, model: Path, tmp_path: Path) -> None:
        folder = write(tmp_path / "some", identities=40, items=6)
        files = sorted(folder.rglob("*.png"))[::20]
        for file in files:
            file.write_bytes(file.read_bytes()[:60])
        out = tmp_path / "x.gemel"
        recipe = model.parent / "quick.toml"
        ran = gemel("train", folder, "--out", out, "--recipe", recipe)
        self.refused(ran, files[0].name)
        assert not out.exists()
        ran = gemel("train", folder, "--out", out, "--recipe", recipe, "--allow-bad", 0.06)
        assert ran.code == 0, ran.err
        assert files[1].name in ran.err

    def test_a_wrong_target(self, gemel: Shell, pictures: Path, tmp_path: Path) -> None:
        self.refused(gemel("train", pictures, "--out", tmp_path / "model"), ".gemel")

    def test_a_recipe_with_a_typo(self, gemel: Shell, pictures: Path, tmp_path: Path) -> None:
        (tmp_path / "r.toml").write_text("temprature = 0.1\n", encoding="utf-8")
        ran = gemel("train", pictures, "--out", tmp_path / "x.gemel", "--recipe", tmp_path / "r.toml")
        self.refused(ran, "temperature")

    def test_errors_in_json(self, gemel: Shell, pictures: Path) -> None:
        ran = gemel("info", pictures, "--json")
        assert ran.code == 2
        assert json.loads(ran.out)["error"] == "ModelError"

    def test_a_bomb(self, gemel: Shell, model: Path, pictures: Path, tmp_path: Path) -> None:
        header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
        chunk = b"IHDR" + header
        png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
        (tmp_path / "bomb.png").write_bytes(png + struct.pack(">I", 1000) + b"IDAT" + b"x" * 1000)
        self.refused(gemel("verify", model, tmp_path / "bomb.png", pictures / "p000" / "0000.png"), "more pixels than")


def test_a_killed_training_resumes_to_the_same_model(gemel: Shell, pictures: Path, model: Path, tmp_path: Path) -> None:
    """kill -9 after some checkpoint; the resumed model equals the uninterrupted one, byte for byte."""
    recipe = tmp_path / "long.toml"
    recipe.write_text((model.parent / "quick.toml").read_text("utf-8").replace("steps = 40", "steps = 200"), "utf-8")
    words = ("train", str(pictures), "--recipe", str(recipe), "--out")
    assert gemel(*words, tmp_path / "whole.gemel").code == 0
    command = [sys.executable, "-m", "gemel", *words, str(tmp_path / "parts.gemel")]
    killed = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    checkpoint = tmp_path / "parts.gemel.training" / "last.ckpt"
    while not checkpoint.exists() and killed.poll() is None:
        time.sleep(0.01)
    time.sleep(random.Random().random() / 4)
    killed.kill()
    killed.communicate()
    assert not (tmp_path / "parts.gemel").exists()
    assert gemel(*words, tmp_path / "parts.gemel", "--resume").code == 0
    whole, parts = (tmp_path / f"{name}.gemel" for name in ("whole", "parts"))
    assert (whole / "encoder.onnx").read_bytes() == (parts / "encoder.onnx").read_bytes()
    assert (whole / "weights.safetensors").read_bytes() == (parts / "weights.safetensors").read_bytes()


@pytest.mark.parametrize(("presses", "codes"), [(1, {0}), (2, {0, 130})])
def test_ctrl_c_leaves_a_run_that_goes_on(
    pictures: Path, model: Path, tmp_path: Path, presses: int, codes: set[int]
) -> None:
    """Once: the best twin so far. Twice: none, unless the system merged the two signals into one.

    Either way the checkpoints stay, and the words say how to resume.
    """
    recipe = tmp_path / "long.toml"
    quick = (model.parent / "quick.toml").read_text(encoding="utf-8")
    recipe.write_text(quick.replace("steps = 40", "steps = 4000").replace("checks = 4", "checks = 100"), "utf-8")
    out = tmp_path / "x.gemel"
    words = [sys.executable, "-m", "gemel", "train", str(pictures), "--recipe", str(recipe), "--out", str(out)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        checkpoint = tmp_path / "x.gemel.training" / "last.ckpt"
        while not checkpoint.exists() and running.poll() is None:
            time.sleep(0.01)
        for _ in range(presses):
            running.send_signal(signal.SIGINT)
            time.sleep(0.005)
        _, said = running.communicate()
    assert running.returncode in codes, said
    assert out.exists() is (running.returncode == 0)
    assert checkpoint.exists()
    assert f"--out {out} --resume" in said


def test_there_may_be_nothing_to_resume(gemel: Shell, pictures: Path, tmp_path: Path) -> None:
    ran = gemel("train", pictures, "--out", tmp_path / "x.gemel", "--resume")
    assert ran.code == 2
    assert "nothing to resume" in ran.err


@pytest.mark.parametrize("command", ["train", "evaluate", "calibrate", "verify", "embed", "info", "demo"])
def test_every_command_has_help_with_an_example(gemel: Shell, command: str) -> None:
    ran = gemel(command, "--help")
    assert ran.code == 0
    assert f"gemel {command}" in ran.out
