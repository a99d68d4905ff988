"""First dimensions that training promised: each length is a twin of its own with its own decision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gemel
from gemel.errors import ModelError, NotCalibrated
from gemel.learn.train import train
from tests.learn.test_texts import QUICK, alike, texts


@pytest.fixture(scope="module")
def twin() -> gemel.Siamese:
    return train(texts(), QUICK.but(prefixes="4,8", dim=16), progress=False)


def test_every_promised_length_has_its_own_decision(twin: gemel.Siamese, tmp_path: Path) -> None:
    twin.save(tmp_path / "t.gemel")
    back = gemel.Siamese.load(tmp_path / "t.gemel")
    assert back.prefixes == (4, 8)
    thresholds = []
    for length in (4, 8, 16):
        part = gemel.Siamese.load(tmp_path / "t.gemel", dim=length)
        assert part.method.dim == length
        assert part.decision is not None
        assert part.decision.method == part.method
        vectors = twin.embed("red lamp").vectors[:, :length]
        np.testing.assert_allclose(part.embed("red lamp").vectors, vectors, atol=1e-6)
        verdict = part.verify("red lamp old", "old red lamp")
        assert verdict.threshold == part.decision.threshold()
        thresholds.append(verdict.threshold)
    assert len(set(thresholds)) == 3
    assert len({back.embedding_id, back.prefix(4).embedding_id, back.prefix(8).embedding_id}) == 3
    assert "4 or 8 dimensions are embeddings too" in back.describe()


def test_every_length_has_its_own_decision_against_references(twin: gemel.Siamese, tmp_path: Path) -> None:
    facing = twin.calibrate(texts(30, seed=7), refs=2, pool="minimum", allow_overlap=True)
    facing.save(tmp_path / "t.gemel")
    thresholds = []
    for length in (4, 8, 16):
        part = gemel.Siamese.load(tmp_path / "t.gemel", dim=length)
        verdict = part.verify("red lamp old", refs=["old red lamp", "red lamp offer"])
        assert verdict.distance == pytest.approx(
            min(part.distance("red lamp old", other) for other in ("old red lamp", "red lamp offer")), abs=1e-6
        )
        thresholds.append(verdict.threshold)
        assert part.decision == twin.prefix(length).decision
        assert "against 2 references (minimum)" in part.describe()
    assert len(set(thresholds)) == 3


def test_a_prefix_is_saved_as_a_twin(twin: gemel.Siamese, tmp_path: Path) -> None:
    twin.prefix(8).save(tmp_path / "p.gemel")
    back = gemel.Siamese.load(tmp_path / "p.gemel")
    assert back.embed("a lamp").vectors.shape == (1, 8)
    assert back.verify("red lamp", "red lamp").same
    assert back.prefixes == (4,)
    assert gemel.evaluate(back, texts(30, seed=7)).verification.auc > 0.7


def test_no_other_length_and_no_other_decision(twin: gemel.Siamese) -> None:
    with pytest.raises(ModelError, match=r"of 5 dimensions, but of 4, 8, 16\. .*--prefixes 5"):
        twin.prefix(5)
    alone = twin.but(decisions=())
    with pytest.raises(NotCalibrated):
        alone.prefix(8).verify("red lamp", "red lamp")
    with pytest.raises(NotCalibrated, match="dim is 8 and was 16"):
        alone.prefix(8).but(decisions=(twin.decision,)).verify("red lamp", "red lamp")
    assert twin.prefix(16) is twin


@pytest.mark.parametrize("cut", [None, 0.75])
def test_every_length_has_its_own_scores(cut: float | None, tmp_path: Path) -> None:
    data = gemel.read(alike(), scores=(0, 4))
    twin = train(data, QUICK.but(prefixes="8", dim=16, lr=2e-2, steps=60, cut=cut), progress=False)
    twin.save(tmp_path / "t.gemel")
    part = gemel.Siamese.load(tmp_path / "t.gemel", dim=8)
    assert part.grades is not None
    assert part.grades.method == part.method
    assert part.grades.cut == cut
    assert (part.decision is None) == (cut is None)
    far = part.distance("red lamp old", "old red lamp")
    assert part.score("red lamp old", "old red lamp") == pytest.approx(float(part.grades.at(far)))
    if cut is not None:
        assert gemel.evaluate(part, data).verification.auc > 0.5
