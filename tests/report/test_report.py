"""The page: well-formed, self-contained, escaped, readable by ear, and with the numbers that were measured."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gemel.errors import DataError, NotEnoughData
from gemel.items import Collection, Labels, Pairs
from gemel.report import write_report
from gemel.report.words import between, distance, percent
from gemel.siamese import Siamese, evaluate
from gemel.siamese.seen import Seen
from tests.report.conftest import NASTY, Case, vectors


def test_the_page_is_well_formed_and_ids_are_unique(case: Case) -> None:
    ids = [element.get("id") for element in case.page.iter() if element.get("id")]
    assert case.text.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert not [name for name, count in Counter(ids).items() if count > 1]
    for element in case.page.iter():
        for reference in re.findall(r"#([\w-]+)", f"{element.get('href', '')} {element.get('clip-path', '')}"):
            assert reference in ids


def test_the_page_needs_nothing_beside_itself(case: Case) -> None:
    assert not re.search(r"https?:|//www|@import|url\((?!#)", case.text)
    assert "<script" not in case.text
    assert not {element.tag for element in case.page.iter()} & {"link", "script", "iframe", "object", "embed", "image"}
    assert all(element.get("src", "data:image/").startswith("data:image/") for element in case.page.iter())
    assert not [key for element in case.page.iter() for key in element.attrib if key.startswith("on")]


def test_names_from_the_data_are_text(images: Case, plain: Case) -> None:
    for case in (images, plain):
        assert NASTY in case.words
    assert "<b>" in images.words
    assert "/<b>" not in images.text


def test_pictures_are_shown_only_where_wanted_and_possible(images: Case, nameless: Case, plain: Case) -> None:
    assert images.text.count("data:image/") > 20
    assert "data:" not in nameless.text
    assert "data:" not in plain.text
    assert "who 1" in nameless.words


def test_every_figure_can_be_read_by_ear(case: Case) -> None:
    drawn = list(case.page.iter("svg"))
    assert len(drawn) >= 4
    assert all(svg.get("role") == "img" and len(svg.get("aria-label", "")) > 20 for svg in drawn)
    assert all(img.get("alt") for img in case.page.iter("img"))
    assert all(figure.find("figcaption") is not None for figure in case.page.iter("figure"))
    assert all(th.get("scope") for th in case.page.iter("th"))


def test_figures_take_their_colours_from_the_page(case: Case) -> None:
    """Legible in the light and in the dark: no colour of its own, in no figure."""
    for figure in re.findall(r"<svg.*?</svg>", case.text, flags=re.DOTALL):
        assert not re.search(r"#[0-9a-f]{6}\b|font-family|<style", figure)
        assert "var(--ink)" in figure
    assert "prefers-color-scheme: dark" in case.text


def test_the_numbers_are_those_that_evaluate_gives(images: Case) -> None:
    found = evaluate(images.twin, images.data)
    words, known = images.words, found.verification
    for printed in (f"{known.auc:.4f}", percent(known.eer), between(known.eer_interval), f"{known.min_cllr:.3f}"):
        assert printed in words
    for cost in found.costs:
        assert distance(cost.threshold) in words
        assert percent(cost.fmr) + between(cost.fmr_interval) in words
        assert percent(cost.fnmr) + between(cost.fnmr_interval) in words
    assert found.retrieval is not None
    assert found.few_shot is not None
    for rate in (found.retrieval.map_at_r, found.retrieval.recall[0].value, found.few_shot.accuracy):
        assert percent(rate) in words
    assert f"{known.same:,} same, {known.different:,} different" in words


def test_on_its_own_calibration_data_the_cross_fitted_rates_are_quoted(own: Case) -> None:
    """Trap 14: thresholds are not judged on the pairs that chose them."""
    assert own.twin.decision is not None
    assert "measured here" not in own.words
    for point in own.twin.decision.points:
        assert percent(point.fmr) + between(point.fmr_interval) in own.words
    assert "These very items also chose the thresholds" in own.words
    assert "figure-reliability" not in own.text


def test_items_seen_in_training_are_said_at_the_top(tmp_path: Path) -> None:
    data, twin = vectors(25, 4), Siamese.from_vectors(8)
    twin = twin.but(seen=Seen.of(trained=twin.embed(data).content))
    text = write_report(tmp_path / "r.html", twin, data).read_text(encoding="utf-8")
    assert "Warning: These very items were seen in training" in text


def test_without_a_decision_nothing_is_called_a_verdict(tmp_path: Path) -> None:
    text = write_report(tmp_path / "r.html", Siamese.from_vectors(8), vectors(25, 4)).read_text(encoding="utf-8")
    assert "no verdicts" in text
    assert "likely the same" not in text
    assert "called the same" not in text


@pytest.mark.parametrize("noise", [0.0001, 30.0])
def test_perfect_and_useless_twins_are_drawn_too(noise: float, tmp_path: Path) -> None:
    twin = Siamese.from_vectors(8, "euclidean").calibrate(vectors(12, 3, start=50, noise=noise))
    text = write_report(tmp_path / "r.html", twin, vectors(12, 3, noise=noise)).read_text(encoding="utf-8")
    assert not re.search(r"\b(nan|inf)\b", text, flags=re.IGNORECASE)
    assert ("cannot be told from guessing" in text) == (noise > 1)


def test_impostors_groups_and_unknown_items_have_their_place(tmp_path: Path) -> None:
    data = vectors(12, 4)
    identity, rows = data.identity, np.arange(len(data))
    assert identity is not None
    codes = np.where(rows % 4 == 3, -1, identity.codes)
    claimed = np.where((rows % 4 == 3) & (rows % 8 == 3), identity.codes, -1)
    data = data.with_(
        identity=Labels(codes, identity.names),
        impostor_of=Labels(claimed, identity.names),
        group=Labels(identity.codes % 2, ["even", "odd"]),
    )
    text = write_report(tmp_path / "r.html", Siamese.from_vectors(8), data).read_text(encoding="utf-8")
    assert "imitates" in text


def imitated(identities: int, items: int, *, start: int = 0) -> Collection:
    """The last item of each identity is an impostor's."""
    data = vectors(identities, items, start=start)
    assert data.identity is not None
    last, (codes, names) = np.arange(len(data)) % items == items - 1, (data.identity.codes, data.identity.names)
    return data.with_(
        identity=Labels(np.where(last, -1, codes), names), impostor_of=Labels(np.where(last, codes, -1), names)
    )


def test_random_pairs_and_impostors_are_told_apart(tmp_path: Path) -> None:
    twin, data = Siamese.from_vectors(8).calibrate(imitated(35, 5, start=100)), imitated(25, 5)
    case = Case(twin, data, write_report(tmp_path / "r.html", twin, data))
    found = evaluate(twin, data)
    assert found.skilled is not None
    for known in (found.random, found.skilled):
        assert known is not None
        assert percent(known.eer) + between(known.eer_interval) in case.words.replace(f"{percent(known.eer)} ", "")
    for point in (*found.costs, *twin.decisions[0].points):
        assert point.apart is not None
        for rate, interval in (
            (point.apart.random, point.apart.random_interval),
            (point.apart.skilled, point.apart.skilled_interval),
        ):
            assert percent(rate) + between(interval) in case.words
    assert "False matches, skilled" in case.words
    assert "false match rate 10%, impostors" in case.words
    assert re.search(r"(Of [\d,]+|None of the) pairs with an impostor", case.words)
    assert evaluate(twin, vectors(25, 5)).costs[0].apart is None
    mixed = write_report(tmp_path / "m.html", twin, vectors(25, 5)).read_text(encoding="utf-8")
    assert "False matches, skilled" not in mixed


def test_explicit_pairs_are_enough(tmp_path: Path) -> None:
    data, rng = vectors(20, 4), np.random.default_rng(0)
    assert data.identity is not None
    a, b = rng.integers(len(data), size=(2, 300))
    keep = a != b
    same = (data.identity.codes[a] == data.identity.codes[b])[keep]
    only = Collection(data.modality, data.sources, data.rows, pairs=Pairs(a[keep], b[keep], same=same))
    text = write_report(tmp_path / "r.html", Siamese.from_vectors(8), only).read_text(encoding="utf-8")
    assert "The hardest pairs" in text
    assert "Nearest neighbours" not in text


def test_bad_items_are_counted_and_rows_stay_with_their_names(tmp_path: Path) -> None:
    data = vectors(12, 4)
    sources = list(data.sources)
    sources[0] = np.full(8, np.nan, np.float32)
    text = write_report(tmp_path / "r.html", Siamese.from_vectors(8), replace(data, sources=sources)).read_text("utf-8")
    assert "47, and 1 that could not be read" in text


def test_a_report_lies_beside_a_model_not_in_it(tmp_path: Path, own: Case) -> None:
    model = own.twin.save(tmp_path / "twin.gemel")
    with pytest.raises(DataError, match="beside the model"):
        write_report(model / "report.html", own.twin, own.data)
    with pytest.raises(DataError, match="does not exist"):
        write_report(tmp_path / "no" / "report.html", own.twin, own.data)
    with pytest.raises(NotEnoughData):
        write_report(tmp_path / "r.html", own.twin, vectors(1, 3))


def test_the_same_seed_gives_the_same_page(plain: Case, tmp_path: Path) -> None:
    again = write_report(tmp_path / plain.path.name, plain.twin, plain.data)
    day = r"written on [\w ]+ by"
    assert re.sub(day, "", again.read_text(encoding="utf-8")) == re.sub(day, "", plain.text)
