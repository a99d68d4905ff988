"""The twin: rows never misalign, order and batches change nothing, a verdict only where a decision applies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gemel.errors import DataError, ModelError, NotCalibrated, RecipeError, TooManyBad, UnreadableItem
from gemel.items import Collection, ImageModality, VectorModality, read
from gemel.siamese import Siamese


def files(data: Collection, n: int) -> list[str]:
    return [data.source(i) for i in range(n)]


def test_every_kind_of_item_gives_the_same_embedding(twin: Siamese, folder: Path) -> None:
    path = folder / "p03" / "1.png"
    with Image.open(path) as image:
        image.load()
        kinds = [path, str(path), path.read_bytes(), image, np.asarray(image)]
        alone = [twin.embed(kind).vectors[0] for kind in kinds]
        together = twin.embed(kinds).vectors
    for row in (*alone, *together):
        np.testing.assert_allclose(row, alone[0], atol=1e-5)


def test_a_stack_is_several_items(twin: Siamese) -> None:
    stack = np.random.default_rng(0).integers(0, 255, size=(6, 12, 12, 1)).astype(np.uint8)
    found = twin.embed(stack)
    np.testing.assert_allclose(found.vectors, twin.embed(list(stack)).vectors, atol=1e-6)
    assert len(found) == 6
    assert len(twin.embed([])) == 0


@pytest.mark.parametrize("batch", [1, 3, 16, 500])
def test_batches_change_nothing(twin: Siamese, images: Collection, batch: int) -> None:
    steps: list[tuple[int, int]] = []
    found = twin.embed(images, batch=batch, progress=lambda done, total: steps.append((done, total)))
    np.testing.assert_allclose(found.vectors, twin.embed(images).vectors, atol=1e-5)
    np.testing.assert_array_equal(found.index, np.arange(len(images)))
    assert steps[-1] == (len(images), len(images))
    assert len(steps) == -(-len(images) // batch)


def test_order_follows_the_items(twin: Siamese, images: Collection) -> None:
    order = np.random.default_rng(0).permutation(len(images))
    whole, mixed = twin.embed(images), twin.embed(images.take(order))
    np.testing.assert_allclose(mixed.vectors, whole.vectors[order], atol=1e-5)
    np.testing.assert_array_equal(mixed.content, whole.content[order])


@pytest.mark.parametrize("batch", [1, 2, 64])
def test_bad_items_lose_only_themselves(twin: Siamese, images: Collection, tmp_path: Path, batch: int) -> None:
    (tmp_path / "text.png").write_text("no image")
    good = files(images, 12)
    items = [tmp_path / "none.png", *good[:5], b"", *good[5:], tmp_path / "text.png"]
    found = twin.embed(items, batch=batch)
    assert [bad.row for bad in found.bad] == [0, 6, 14]
    assert found.bad[0].name == str(tmp_path / "none.png")
    assert found.bad[0].reason == "there is no such file"
    np.testing.assert_array_equal(found.index, [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13])
    np.testing.assert_allclose(found.vectors, twin.embed(good).vectors, atol=1e-5)
    with pytest.raises(TooManyBad, match="3 of 15 items"):
        found.require(0.1, "here")
    assert found.require(0.2, "here") is found


def test_all_bad_gives_no_rows(twin: Siamese) -> None:
    found = twin.embed([b"", b"x"])
    assert found.vectors.shape == (0, 5)
    assert len(found.bad) == 2


def test_an_embedding_that_is_not_finite_is_a_bad_item(make_onnx: Callable[..., bytes], weight: np.ndarray) -> None:
    steep = np.zeros_like(weight)
    steep[:2] = 3e38
    modality = ImageModality(height=12, width=12, channels=1)
    huge = Siamese.from_onnx(make_onnx(steep), modality=modality)
    white, balanced = np.full((12, 12), 255, np.uint8), np.full((12, 12), 255, np.uint8)
    balanced[0, 0] = 0
    found = huge.embed([white, balanced])
    assert [(bad.row, bad.reason) for bad in found.bad] == [(0, "its embedding is not finite")]
    np.testing.assert_array_equal(found.index, [1])


def test_several_windows_become_their_mean() -> None:
    from gemel.items.modality import Prepared
    from gemel.siamese.embedding import encoded
    from gemel.siamese.onnx import Verbatim

    class Windows(VectorModality):
        def prepare(self, raws, *, rng=None):  # type: ignore[no-untyped-def]
            rows = np.array([[1, 3], [3, 5], [7, 7]], np.float32)
            return Prepared({"vector": rows}, np.array([0, 0, 2]))

    raws = [np.zeros(2, np.float32)] * 3
    out = encoded(raws, Windows(2), Verbatim(), 2)
    np.testing.assert_array_equal(out[[0, 2]], [[2, 4], [7, 7]])
    assert np.isnan(out[1]).all()


def test_distance_is_the_methods(twin: Siamese, images: Collection) -> None:
    a, b = files(images, 2)
    x, y = twin.embed([a, b]).vectors
    assert twin.distance(a, b) == pytest.approx(np.linalg.norm(x - y), rel=1e-6)
    assert twin.distance(a, b) == pytest.approx(twin.distance(b, a), rel=1e-5)
    assert twin.distance(a, a) <= 1e-6


def test_lists_are_compared_row_by_row(twin: Siamese, images: Collection) -> None:
    some = files(images, 6)
    found = twin.distance(some[:3], [some[3], b"bad", some[5]])
    np.testing.assert_allclose(
        found[[0, 2]], [twin.distance(some[0], some[3]), twin.distance(some[2], some[5])], rtol=1e-4
    )
    assert np.isnan(found[1])
    with pytest.raises(DataError, match="Lists of 2 and 3"):
        twin.distance(some[:2], some[:3])
    with pytest.raises(DataError, match="one item with one"):
        twin.distance(some[0], some[:3])


def test_a_bad_side_is_named(twin: Siamese, images: Collection) -> None:
    with pytest.raises(UnreadableItem, match=r"nowhere\.png: there is no such file"):
        twin.distance("nowhere.png", images.source(0))
    with pytest.raises(UnreadableItem, match="The second item"):
        twin.distance(images.source(0), b"text")


def test_score_falls_with_distance(twin: Siamese, calibrated: Siamese, images: Collection) -> None:
    items = files(images, 40)
    for each in (twin, calibrated):
        far = np.asarray(each.distance(items[:20], items[20:]))
        score = np.asarray(each.score(items[:20], items[20:]))
        assert ((score >= 0) & (score <= 1)).all()
        assert (np.diff(score[np.argsort(far)]) <= 1e-9).all()
    assert twin.score(items[0], items[0]) == pytest.approx(1, abs=1e-5)
    verdict = calibrated.verify(items[0], items[9])
    assert calibrated.score(items[0], items[9]) == pytest.approx(verdict.probability, abs=1e-6)


def test_without_a_decision_there_is_no_verdict(twin: Siamese, images: Collection) -> None:
    with pytest.raises(NotCalibrated, match="gemel calibrate"):
        twin.verify(images.source(0), images.source(1))


@pytest.mark.parametrize("change", [{"precision": "int8"}, {"distance": "cosine"}, {"head": "0123"}, {"dim": 4}])
def test_a_decision_of_another_method_is_not_applied(
    calibrated: Siamese, images: Collection, change: dict[str, object], tmp_path: Path
) -> None:
    other = calibrated.but(method=replace(calibrated.method, **change))
    with pytest.raises(NotCalibrated, match=f"another method of comparing .*{next(iter(change))}"):
        other.verify(images.source(0), images.source(1))
    with pytest.raises(NotCalibrated):
        Siamese.load(other.save(tmp_path / "o.gemel")).verify(images.source(0), images.source(1))


def test_a_verdict_tells_same_from_different(calibrated: Siamese, other_half: Collection) -> None:
    same = calibrated.verify(other_half.source(0), other_half.source(1))
    different = calibrated.verify(other_half.source(0), other_half.source(20))
    assert same.same is True
    assert different.same is False
    assert same.probability > 0.5 > different.probability
    assert same.distance <= same.threshold == different.threshold < different.distance
    assert same.point == "bayes"
    with pytest.raises(TypeError, match="undecided"):
        bool(same)


def test_prior_and_certainty_move_a_verdict_as_they_should(calibrated: Siamese, other_half: Collection) -> None:
    a, b = other_half.source(0), other_half.source(1)
    rare, even = calibrated.verify(a, b, prior=0.001), calibrated.verify(a, b)
    assert rare.probability < even.probability
    assert rare.threshold < even.threshold
    unsure = calibrated.verify(a, b, certainty=min(1.0, even.probability + 1e-6))
    assert unsure.same is None
    assert calibrated.verify(a, b, certainty=even.probability - 1e-6).same is True
    for wrong in (0.4, 1.1):
        with pytest.raises(DataError, match="certainty"):
            calibrated.verify(a, b, certainty=wrong)
    with pytest.raises(DataError, match="prior"):
        calibrated.verify(a, b, prior=0.0)
    with pytest.raises(NotCalibrated, match="fmr=1e-3"):
        calibrated.verify(a, b, fmr=0.001)


def test_embedding_id_is_that_of_what_makes_an_embedding(
    twin: Siamese, calibrated: Siamese, make_onnx: Callable[..., bytes], weight: np.ndarray
) -> None:
    assert calibrated.embedding_id == twin.embedding_id
    assert twin.but(method=replace(twin.method, distance="cosine")).embedding_id == twin.embedding_id
    grown = ImageModality(height=12, width=12, channels=1, resize="pad")
    others = [
        twin.but(modality=grown),
        twin.but(method=replace(twin.method, precision="int8")),
        twin.but(encoder=Siamese.from_onnx(make_onnx(weight * 2), modality=twin.modality).encoder),
    ]
    assert len({twin.embedding_id, *(other.embedding_id for other in others)}) == 4


def test_another_modality_is_refused(twin: Siamese) -> None:
    with pytest.raises(ModelError, match="compares images; array holds vectors"):
        twin.embed(read(np.zeros((3, 4), np.float32)))


def test_the_wrong_width_is_refused(twin: Siamese, images: Collection) -> None:
    with pytest.raises(ModelError, match="returns 5 dimensions"):
        twin.but(method=replace(twin.method, dim=7)).embed(images.source(0))


def test_vectors_are_compared_as_they_are() -> None:
    twin = Siamese.from_vectors(2, "euclidean")
    assert twin.distance([0, 0], (3, 4)) == 5
    np.testing.assert_allclose(twin.distance(np.zeros((2, 2)), np.array([[3, 4], [0, 1]])), [5, 1])
    found = twin.embed([[1, 2], [1, 2, 3], [np.nan, 0]])
    np.testing.assert_array_equal(found.index, [0])
    assert twin.score([0, 0], [0, 0]) == 1
    with pytest.raises(RecipeError, match="euclidean"):
        Siamese.from_vectors(2, "hamming")
