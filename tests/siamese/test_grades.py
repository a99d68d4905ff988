"""Twins of graded pairs predict scores; whether two are the same they say only once a cut is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gemel.errors import DataError, ModelError, NotCalibrated, NotEnoughData
from gemel.items import Collection, Pairs, read
from gemel.siamese import Siamese, evaluate, grade
from gemel.siamese.grades import Grades, fit_grades
from gemel.siamese.operating import Method

METHOD = Method(distance="cosine", dim=8)


def graded(pairs: int = 300, *, seed: int = 0) -> Collection:
    """Pairs of vectors at all angles; the score is the cosine, noisy, as a share of 1."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(pairs, 8))
    b = a + rng.uniform(0, 3, (pairs, 1)) * rng.normal(size=(pairs, 8))
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    score = np.clip(np.round(cosine + 0.05 * rng.normal(size=pairs), 1), 0, 1)
    data = read(np.concatenate([a, b]).astype(np.float32), labels=[str(i) for i in range(2 * pairs)])
    return data.with_(identity=None, pairs=Pairs(np.arange(pairs), pairs + np.arange(pairs), score=score))


@pytest.fixture(scope="module")
def calibrated() -> Siamese:
    return Siamese.from_vectors(8).calibrate(graded())


def test_scores_follow_those_of_people(calibrated: Siamese) -> None:
    other = graded(seed=1)
    found = grade(calibrated, other)
    assert found.graded.spearman > 0.95
    assert found.graded.mse is not None
    assert found.graded.mse < 0.01
    assert other.pairs is not None
    vectors = calibrated.embed(other).vectors
    predicted = np.asarray(calibrated.score(list(vectors[:300]), list(vectors[300:])))
    assert np.mean((predicted - other.pairs.score) ** 2) == pytest.approx(found.graded.mse, abs=1e-6)
    assert "Spearman 0.9" in found.summary()
    assert found.json()["graded"]["pairs"] == 300
    assert "training saw" not in found.summary()
    assert "calibration saw 600 items" in grade(calibrated, graded()).summary()


def test_scores_alone_give_no_verdict(calibrated: Siamese) -> None:
    one = np.ones(8, np.float32)
    assert calibrated.decision is None
    with pytest.raises(NotCalibrated, match=r"calibrated on scores.*--cut"):
        calibrated.verify(one, one)
    with pytest.raises(NotEnoughData, match="--cut"):
        evaluate(calibrated, graded(seed=1))
    assert "no cut is named" in calibrated.describe()
    assert "Not calibrated" not in calibrated.describe()


def test_a_cut_makes_verdicts_and_keeps_scores() -> None:
    twin, one = Siamese.from_vectors(8).calibrate(graded(), cut=0.7), np.ones(8, np.float32)
    assert twin.verify(one, one).same
    assert twin.grades is not None
    assert twin.score(one, one) == pytest.approx(twin.grades.score[0])
    found = evaluate(twin, graded(seed=1))
    scores = graded(seed=1).pairs
    assert scores is not None
    assert scores.score is not None
    assert found.verification.same == int((scores.score >= 0.7).sum())
    assert found.verification.auc > 0.95
    assert "the same from 0.7 on" in twin.describe()


@pytest.mark.parametrize("cut", [0.0, -0.5, 3.5])
def test_a_cut_is_a_share_of_the_highest_score(cut: float) -> None:
    with pytest.raises(DataError, match=r"above 0.*at most at 1"):
        Siamese.from_vectors(8).calibrate(graded(), cut=cut)


def test_a_cut_needs_scores() -> None:
    data = read(np.eye(8, dtype=np.float32), labels=["a", "b"] * 4)
    with pytest.raises(DataError, match="pairs with scores"):
        Siamese.from_vectors(8).calibrate(data, cut=0.5)
    with pytest.raises(DataError, match=r"evaluate\(\)"):
        grade(Siamese.from_vectors(8), data)


def test_scores_come_back_from_disk(calibrated: Siamese, tmp_path: Path) -> None:
    loaded = Siamese.load(calibrated.save(tmp_path / "t.gemel"))
    assert loaded.grades == calibrated.grades
    assert loaded.decision is None
    with pytest.raises(ModelError, match="damaged"):
        Grades.from_json({"method": {}})


def test_the_fit_never_rises_and_is_right_on_average() -> None:
    rng = np.random.default_rng(0)
    distance = rng.random(2000)
    score = np.clip(1 - distance**2 + 0.1 * rng.normal(size=2000), 0, 1)
    fitted = fit_grades(distance, score, method=METHOD)
    at = np.linspace(-1, 2, 200)
    assert (np.diff(fitted.at(at)) <= 0).all()
    np.testing.assert_allclose(fitted.at(np.linspace(0.1, 0.9, 9)), 1 - np.linspace(0.1, 0.9, 9) ** 2, atol=0.05)
    assert fit_grades(np.zeros(40), np.repeat([0.0, 1.0], 20), method=METHOD).at(0.0) == pytest.approx(0.5)
    with pytest.raises(NotEnoughData, match="at least 20 pairs"):
        fit_grades(distance[:19], score[:19], method=METHOD)


def test_scores_of_another_method_are_not_used(calibrated: Siamese) -> None:
    other = calibrated.but(method=Method(distance="euclidean", dim=8))
    one = np.ones(8, np.float32)
    assert other.score(one, one) == 1
    assert grade(other, graded(seed=1)).graded.mse is None
