"""The encoder of statistics: it begins where a whitening within identities ends, and a few identities suffice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gemel
from gemel.errors import NotEnoughData, RecipeError
from gemel.items import Collection, Pairs, read
from gemel.learn import whitening
from gemel.learn.outset import outset
from gemel.learn.train import train
from gemel.learn.whitening import _same, _within
from gemel.measure import eer, pairs_of
from gemel.recipe import Recipe

QUICK = Recipe(encoder="statistics", steps=5, checks=1, precision="fp32", holdout=0.0, protocol="closed")


def hums(people: int = 4, items: int = 20, seed: int = 0) -> Collection:
    """Who hums is how much each of four channels varies; how high all are is another thing each time."""
    rng = np.random.default_rng(seed)
    series, labels = [], []
    for person in range(people):
        own = rng.uniform(0.5, 2, 4)
        for _ in range(items):
            noise = rng.normal(size=(int(rng.integers(60, 90)), 4))
            series.append((noise * own + rng.normal(0, 3)).astype(np.float32))
            labels.append(f"p{person}")
    return read(series, labels=labels)


def error_of(vectors: np.ndarray, data: Collection) -> float:
    assert data.identity is not None
    pairs = pairs_of(data.identity.codes)
    return float(eer(np.linalg.norm(vectors[pairs.a] - vectors[pairs.b], axis=1), pairs.same))


def test_no_direction_varies_much_among_the_same() -> None:
    begun = outset(hums(), QUICK)
    network, data = begun.learner.encoder.eval(), begun.training
    found = network.head.linear(network.backbone(**data.whole(np.arange(len(data))).inputs)).detach().double().numpy()
    pairs = pairs_of(data.identity)
    gap = found[pairs.a[pairs.same]] - found[pairs.b[pairs.same]]
    within = gap.T @ gap / (2 * len(gap))
    spread = np.linalg.eigvalsh(within)
    assert spread.max() == pytest.approx(1 / 0.9, rel=0.1)  # how high all hum varied most, and does no longer
    assert (spread <= 1 / 0.9).all()  # no direction varies more; less where it varied little from the start
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-3)
    assert (np.diff(found.var(0)) < 1e-6).all()  # first those along which the whole varies most


def test_four_people_teach_what_tells_others_apart() -> None:
    others = hums(12, seed=1)
    twin = train(hums(), QUICK, progress=False)
    straight = np.stack([np.r_[each.mean(0), each.std(0)] for each in (others.load(i) for i in range(len(others)))])
    assert error_of(twin.embed(others).vectors, others) < 0.5 * error_of(straight, others)


def test_pairs_teach_it_too_and_dimensions_are_the_first_directions(tmp_path: Path) -> None:
    data = hums()
    assert data.identity is not None
    pairs = pairs_of(data.identity.codes)
    told = data.with_(identity=None, pairs=Pairs(pairs.a, pairs.b, same=pairs.same))
    twin = train(told, QUICK.but(dim=3), progress=False)
    twin.save(tmp_path / "h.gemel")
    others = hums(12, seed=1)
    back = gemel.Siamese.load(tmp_path / "h.gemel")
    assert error_of(back.embed(others).vectors, others) < 0.35
    assert back.method.dim == 3


def test_of_many_pairs_some_of_everywhere_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given pairs stand by identity: the first of them would be of one."""
    monkeypatch.setattr(whitening, "MOST", 50)
    data = hums()
    assert data.identity is not None
    pairs = pairs_of(data.identity.codes)
    told = data.with_(identity=None, pairs=Pairs(pairs.a, pairs.b, same=pairs.same))
    a, b = _same(outset(told, QUICK).training, seed=0)
    assert 25 <= len(a) <= 50
    assert len(np.unique(data.identity.codes[a])) == 4
    assert (data.identity.codes[a] == data.identity.codes[b]).all()


def test_pairs_in_parts_vary_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whitening, "TOGETHER", 7)
    chance = np.random.default_rng(0)
    known, (a, b) = chance.normal(size=(30, 5)), chance.integers(30, size=(2, 50))
    gap = known[a] - known[b]
    np.testing.assert_allclose(_within(known, a, b), gap.T @ gap / 100)


def test_what_it_cannot_begin_with_is_refused() -> None:
    with pytest.raises(RecipeError, match="dim = 9 is more than the 8 numbers"):
        outset(hums(), QUICK.but(dim=9))
    with pytest.raises(NotEnoughData, match="no two training items are known to be"):
        outset(read([hums(1, 6).load(i) for i in range(6)]), QUICK.but(loss="simclr", jitter=0.1))


def test_a_twin_to_start_from_keeps_its_last_layer() -> None:
    first = train(hums(), QUICK, progress=False)
    begun = outset(hums(seed=2), Recipe(steps=5, holdout=0.0), start=first)
    before = first.embed(hums(seed=2)).vectors
    whole = begun.training.whole(np.arange(len(begun.training)))
    after = whole.pooled(begun.learner.encoder.eval()(**whole.inputs).detach()).numpy()
    np.testing.assert_allclose(after, before, atol=1e-5)


def test_it_is_named_where_a_few_identities_teach_a_network() -> None:
    open_set = Recipe(holdout=0.0, protocol="open")
    assert any("4 identities are few" in note for note in outset(hums(), open_set).notes)
    several = [(hums(), QUICK), (hums(), Recipe(holdout=0.0, protocol="closed")), (hums(10), open_set)]
    assert not any("are few" in note for data, recipe in several for note in outset(data, recipe).notes)
