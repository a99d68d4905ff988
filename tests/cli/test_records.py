"""Records from the shell: fused where identities are given, two branches where they are not; what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Shell, run

COLORS = {"red": (220, 20, 20), "green": (20, 220, 20), "blue": (20, 20, 220), "grey": (120, 120, 120)}
THINGS = "lamp chair table clock shelf mirror vase stool".split()
QUICK = "--width 8 --depth 2 --dim 16 --vocabulary 200 --length 16 --size 16 --steps 60 --lr 5e-3 --precision fp32"
FIELDS = ("--fields", "photo=photos/{sku}.png,title")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """160 products, five of each colour and thing, the thing being a position in the picture."""
    folder, rng = tmp_path_factory.mktemp("shop"), np.random.default_rng(0)
    (folder / "photos").mkdir()
    with (folder / "shop.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["sku", "title", "which"])
        for number in range(160):
            color, thing = list(COLORS)[number % 4], number // 4 % 8
            pixels = rng.integers(0, 60, (16, 16, 3), dtype=np.uint8)
            top, left = 4 * (thing // 2), 8 * (thing % 2)
            pixels[top : top + 4, left : left + 8] = COLORS[color]
            Image.fromarray(pixels).save(folder / "photos" / f"{number}.png")
            title = rng.permutation([color, THINGS[thing], "new" if rng.random() < 0.5 else "used"])
            rows.writerow([number, " ".join(title), f"{color} {THINGS[thing]}"])
    for out, more in (("fused", ("--identity", "which")), ("find", ())):
        ran = run(None, "train", folder / "shop.csv", *FIELDS, *more, "--out", folder / f"{out}.gemel", *QUICK.split())
        assert ran.code == 0
    return folder


def test_fused_records_are_json_and_a_field_may_be_missing(gemel: Shell, shop: Path) -> None:
    one = json.dumps({"photo": str(shop / "photos" / "0.png"), "title": "new red lamp"})
    assert gemel("verify", shop / "fused.gemel", one, one).code == 0
    assert gemel("verify", shop / "fused.gemel", one, '{"title": "blue used mirror"}').code in (0, 1, 3)
    ran = gemel("verify", shop / "fused.gemel", shop / "photos" / "0.png", one)
    assert ran.code == 2
    assert '{"photo": …, "title": …} is expected' in ran.err
    ran = gemel("verify", shop / "fused.gemel", one, '{"photo": "no.png"}')
    assert ran.code == 2
    assert "there is no such file" in ran.err
    assert "records of photo, title" in gemel("info", shop / "fused.gemel").out


def test_two_branches_take_a_picture_and_a_title(gemel: Shell, shop: Path) -> None:
    photo = shop / "photos" / "0.png"
    near, far = (
        json.loads(gemel("verify", shop / "find.gemel", photo, title, "--json").out)["distance"]
        for title in ("red lamp new", "blue mirror used")
    )
    assert near < far
    found = gemel("evaluate", shop / "find.gemel", shop / "shop.csv", *FIELDS)
    assert found.code == 0
    assert "photo → title: R@1" in found.out
    out = shop / "rows.npz"
    assert gemel("embed", shop / "find.gemel", shop / "photos", "--out", out).code == 0
    assert np.load(out)["embedding"].shape == (160, 16)


def test_two_pictures_are_judged_once_their_branch_is_calibrated(gemel: Shell, shop: Path, tmp_path: Path) -> None:
    same, far = shop / "photos" / "32.png", shop / "photos" / "7.png"
    asked = (shop / "photos" / "0.png", same, "--branch", "photo")
    ran = gemel("verify", shop / "find.gemel", *asked)
    assert ran.code == 2
    assert "gemel calibrate MODEL DATA --branch photo" in ran.err
    data, out = (shop / "shop.csv", *FIELDS, "--identity", "which"), tmp_path / "both.gemel"
    ran = gemel("calibrate", shop / "find.gemel", *data, "--branch", "photo", "--allow-overlap", "--out", out)
    assert ran.code == 0
    assert "Calibrated for photo with photo on 32 identities" in ran.out
    assert "Calibrated on" in ran.out
    assert "Calibrated for photo with photo" in gemel("info", out).out
    one = json.loads(gemel("verify", out, *asked, "--json").out)
    other = json.loads(gemel("verify", out, asked[0], far, *asked[2:], "--json").out)
    assert one["probability"] > other["probability"]
    assert json.loads(gemel("verify", out, *asked, "--score", "--json").out)["score"] == pytest.approx(
        one["probability"]
    )
    assert gemel("verify", out, "red lamp", "new red lamp", "--branch", "title").code == 2
    assert gemel("verify", out, asked[0], "red lamp").code in (0, 1)
    found = gemel("evaluate", out, *data, "--branch", "photo")
    assert found.code == 0
    assert "Probabilities cost" in found.out
    assert "calibration saw 160 items" in found.out
    assert "Not calibrated for its method" in gemel("evaluate", out, *data, "--branch", "title").out
    assert "--branch photo" in gemel("duplicates", out, *data).err
    found = gemel("duplicates", out, *data, "--branch", "photo")
    assert found.code == 0
    assert "pairs" in found.out


def test_two_branches_are_put_into_int8(gemel: Shell, shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.gemel"
    data = (shop / "shop.csv", *FIELDS, "--allow-overlap")
    assert gemel("calibrate", shop / "find.gemel", *data, "--int8").code == 2
    ran = gemel("calibrate", shop / "find.gemel", *data, "--int8", "--out", out)
    assert ran.code == 0
    assert "Compares photo with title by cosine distance of 16 dimensions, int8." in ran.out
    sizes = [
        [(model / f"branch-{side}.onnx").stat().st_size for side in (1, 2)] for model in (shop / "find.gemel", out)
    ]
    assert sizes[0][0] == sizes[1][0]  # of convolutions
    assert sizes[1][1] < sizes[0][1]
    assert gemel("verify", out, shop / "photos" / "0.png", "red lamp new").code in (0, 1)


def test_a_branch_that_is_not_there_is_refused(gemel: Shell, shop: Path) -> None:
    photo = shop / "photos" / "0.png"
    for words in (
        ("verify", photo, photo),
        ("evaluate", shop / "photos"),
        ("duplicates", shop / "photos"),
        ("calibrate", shop / "photos"),
    ):
        for model, reason in (("find", "no branch 'image'; it has photo and title"), ("fused", "no branches")):
            ran = gemel(words[0], shop / f"{model}.gemel", *words[1:], "--branch", "image")
            assert ran.code == 2
            assert reason in ran.err
    ran = gemel("verify", shop / "people.db", photo, "--claim", "ada", "--branch", "photo")
    assert ran.code == 2
    assert "A claim takes a gallery and one item" in ran.err


def test_what_is_not_known_is_asked_for(gemel: Shell, shop: Path) -> None:
    ran = gemel("train", shop / "shop.csv", "--fields", "photo=photos/{sku}.png,title,sku", "--out", shop / "x.gemel")
    assert ran.code == 2
    assert "--branches photo,title" in ran.err
    ran = gemel("train", shop, "--out", shop / "x.gemel")
    assert ran.code == 2
    assert "shop.csv may. Give that table" in ran.err
