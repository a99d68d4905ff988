"""Encoders in int8: smaller, near what they were, the same alone and among others, and with a decision of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnxruntime import InferenceSession

import gemel
from gemel.errors import ModelError, NotCalibrated
from gemel.items.branched import only
from gemel.learn.fit import exported
from gemel.learn.outset import outset
from gemel.learn.pairhead import _onnx
from gemel.learn.quantize import quantized
from gemel.learn.train import run, train
from gemel.siamese.branches import BranchEncoders
from tests.learn.test_pairhead import network
from tests.learn.test_records import QUICK as RECORD
from tests.learn.test_records import products
from tests.learn.test_texts import QUICK, texts

RECORDS = RECORD.but(width=64, dim=32, steps=60)
SMALL = QUICK.but(width=64, dim=64, steps=30)


@pytest.fixture(scope="module")
def trained() -> gemel.Siamese:
    """A transformer."""
    return train(texts(), SMALL.but(encoder="transformer"), progress=False)


@pytest.mark.parametrize("kind", ["recurrent", "transformer"])
def test_int8_is_smaller_near_and_calibrated_anew(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if kind == "transformer":
        twin = request.getfixturevalue("trained")
    else:
        twin = train(texts(), SMALL.but(encoder=kind), progress=False)
    others = texts(30, seed=7)
    small = quantized(twin.calibrate(others, refs=2, allow_overlap=True))
    assert small.method.precision == "int8"
    assert small.decisions == ()
    assert len(small.encoder.content) < 0.7 * len(twin.encoder.content)
    with pytest.raises(NotCalibrated):
        small.verify("red lamp", "lamp red")
    before, after = twin.embed(others).vectors, small.embed(others).vectors
    assert (before * after).sum(1).mean() > 0.98
    small = small.calibrate(others, allow_overlap=True)
    small.save(tmp_path / "s.gemel")
    back = gemel.Siamese.load(tmp_path / "s.gemel")
    assert back.verify("red lamp", "lamp red").probability == small.verify("red lamp", "lamp red").probability
    with pytest.raises(ModelError, match="already"):
        quantized(back)


def test_two_branches_are_rounded_and_calibrated_anew(tmp_path: Path) -> None:
    taught = products(200, 1).with_(identity=None)
    two = train(taught, RECORDS.but(encoder="shape=dense,name=transformer"), progress=False)
    unseen = products(40, 4, seed=1)
    data = products(60, 1, seed=4).with_(identity=None)
    small = quantized(two.calibrate(data, allow_overlap=True))
    before, after = two.encoder, small.encoder
    assert isinstance(before, BranchEncoders)
    assert isinstance(after, BranchEncoders)
    assert (small.method.precision, small.method.branches) == ("int8", ("shape", "name"))
    assert small.decisions == ()
    assert small.embedding_id != two.embedding_id
    for name, one in before.encoders.items():
        assert len(after.encoders[name].content) < 0.7 * len(one.content)
        whole, rounded = (twin.branch(name).embed(only(unseen, name)).vectors for twin in (two, small))
        assert (whole * rounded).sum(1).mean() > 0.98
    again = small.calibrate(data, allow_overlap=True).calibrate(unseen, branch="shape")
    again.save(tmp_path / "s.gemel")
    back = gemel.Siamese.load(tmp_path / "s.gemel")
    assert back.verify([0.0] * 6, "red lamp") == again.verify([0.0] * 6, "red lamp")
    shape = {"shape": [0.0] * 6}
    assert back.verify(shape, shape) == again.verify(shape, shape)
    np.testing.assert_array_equal(back.branch("name").embed(only(unseen, "name")).vectors, rounded)
    with pytest.raises(ModelError, match="already"):
        quantized(back)


def test_a_branch_that_would_gain_nothing_stays_as_it_is() -> None:
    recipe = RECORDS.but(encoder="shape=dense,name=recurrent", cell="gru")
    twin = exported(outset(products(60, 1).with_(identity=None), recipe), None)
    small = quantized(twin)
    before, after = twin.encoder, small.encoder
    assert isinstance(before, BranchEncoders)
    assert isinstance(after, BranchEncoders)
    assert len(after.encoders["shape"].content) < 0.7 * len(before.encoders["shape"].content)
    assert after.encoders["name"].content == before.encoders["name"].content
    neither = BranchEncoders(dict.fromkeys(before.encoders, before.encoders["name"]))
    with pytest.raises(ModelError, match="convolutions and GRUs"):
        quantized(twin.but(encoder=neither))


def test_an_embedding_does_not_depend_on_its_neighbours(trained: gemel.Siamese) -> None:
    small = quantized(trained)
    several = ["red lamp", "old wooden chair and a small table", "blue glass"] * 5
    among = small.embed(several).vectors
    alone = np.concatenate([small.embed(text).vectors for text in several])
    np.testing.assert_array_equal(among, alone)
    session = InferenceSession(small.encoder.content)  # which is why: a batch of them would round otherwise
    (together,) = session.run(None, dict(small.modality.prepare([small.modality.load(t) for t in several]).arrays))
    assert np.abs(together - alone).max() > 1e-3


def test_a_training_can_end_in_int8() -> None:
    twin = train(texts(), SMALL.but(encoder="transformer", int8=True), progress=False)
    assert twin.method.precision == "int8"
    assert twin.decision is not None
    assert twin.decision.method == twin.method


def test_what_has_nothing_to_round_is_refused() -> None:
    with pytest.raises(ModelError, match="no encoder"):
        quantized(gemel.Siamese.from_vectors(8))
    twin = exported(outset(texts(), SMALL.but(encoder="recurrent", cell="gru", vocabulary=100)), None)
    with pytest.raises(ModelError, match="convolutions and GRUs"):
        quantized(twin)


def test_it_is_refused_before_the_training_not_after_it(tmp_path: Path) -> None:
    begun = outset(texts(), SMALL.but(encoder="recurrent", cell="gru", vocabulary=100, int8=True, steps=10_000))
    with pytest.raises(ModelError, match="convolutions and GRUs"):
        run(begun, tmp_path, progress=False)
    assert not (tmp_path / "last.ckpt").exists()


def test_a_pair_head_stays(trained: gemel.Siamese, tmp_path: Path) -> None:
    twin = trained.with_head(_onnx(network(64), 64))
    small = quantized(twin)
    assert small.head is not None
    assert small.method.head == twin.method.head
    again = small.calibrate(texts(30, seed=7), allow_overlap=True)
    again.save(tmp_path / "s.gemel")
    assert gemel.Siamese.load(tmp_path / "s.gemel").verify("red lamp", "lamp red").same is not None
