"""The pair head: symmetric, equal to what is exported, a distance that a decision belongs to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import gemel
from gemel.errors import NotCalibrated, NotEnoughData
from gemel.items import Collection, Pairs, read
from gemel.learn.pairhead import PairNetwork, _onnx, _Pairs
from gemel.learn.train import train
from gemel.neighbors.staged import close_in_stages, nearest_in_stages
from gemel.recipe import Recipe
from gemel.siamese.duplication import duplicates, known_already
from gemel.siamese.pairhead import NetworkHead

QUICK = Recipe(width=16, depth=1, dim=8, steps=80, checks=4, lr=5e-3, precision="fp32", holdout=0.2, head=True)


def network(dim: int = 8) -> PairNetwork:
    torch.manual_seed(0)
    made = PairNetwork(dim, "cosine")
    for weights in made.more.parameters():
        torch.nn.init.normal_(weights, std=0.3)
    return made.eval()


def vectors(n: int, dim: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)


def pairs_that_differ_in_what_they_share(n: int = 600, seed: int = 0) -> Collection:
    """Two items are the same where their first number agrees, whatever the other seven say."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(2 * n, 8)).astype(np.float32)
    rows[:, 0] = rng.choice([-1, 1], 2 * n)
    a, b = np.arange(n), np.arange(n, 2 * n)
    return read(rows).with_(pairs=Pairs(a, b, same=rows[a, 0] == rows[b, 0]))


def test_it_says_the_same_either_way_round_and_what_pytorch_says() -> None:
    made = network()
    head = NetworkHead(_onnx(made, 8), gemel.distances.distance("cosine"))
    a, b = vectors(20), vectors(20, seed=1)
    np.testing.assert_allclose(head.paired(a, b), head.paired(b, a), atol=1e-5)
    with torch.no_grad():
        logit = made(torch.from_numpy(a), torch.from_numpy(b))[:, 0]
    np.testing.assert_allclose(head.paired(a, b), -torch.nn.functional.logsigmoid(logit), atol=1e-5)
    np.testing.assert_allclose(head.matrix(a, b)[3], head.paired(np.repeat(a[3:4], 20, 0), b), atol=1e-5)
    assert head.paired(a[:0], b[:0]).shape == (0,)
    assert (head.paired(a, b) > 0).all()


def test_it_starts_as_the_distance() -> None:
    torch.manual_seed(0)
    made = PairNetwork(8, "cosine").eval()
    a, b = torch.from_numpy(vectors(30)), torch.from_numpy(vectors(30, seed=1))
    far = made.distance.paired(a, b)
    assert torch.equal(torch.argsort(made(a, b)[:, 0]), torch.argsort(-far))


def test_a_second_stage_decides_among_what_the_first_proposes() -> None:
    first, second = gemel.distances.distance("euclidean"), gemel.distances.distance("manhattan")
    query, base = vectors(5), vectors(200, seed=1)
    found = nearest_in_stages(query, base, 3, first, second, pool=200)
    np.testing.assert_array_equal(found.index, np.argsort(second.matrix(query, base), axis=1)[:, :3])
    few = nearest_in_stages(query, base, 1, first, second, pool=1)
    np.testing.assert_array_equal(few.index[:, 0], first.matrix(query, base).argmin(1))
    assert nearest_in_stages(query, base[:2], 5, first, second).index.shape == (5, 2)
    close = close_in_stages(base, 4.0, first, second, pool=199)
    a, b = np.triu_indices(len(base), 1)
    near = second.paired(base[a], base[b]) <= 4.0
    assert set(zip(close.a, close.b, strict=True)) == set(zip(a[near], b[near], strict=True))
    assert (np.diff(close.distance) >= 0).all()


def test_a_twin_with_a_head_is_saved_asked_and_searched(tmp_path: Path) -> None:
    data = pairs_that_differ_in_what_they_share()
    twin = train(data, QUICK, progress=False)
    assert twin.head is not None
    assert twin.decision is not None
    assert twin.decision.method.head == twin.head.key == twin.method.head
    twin.save(tmp_path / "t.gemel")
    back = gemel.Siamese.load(tmp_path / "t.gemel")
    assert back.head is not None
    assert back.head.key == twin.head.key
    a, b = vectors(1)[0], vectors(1, seed=2)[0]
    assert back.verify(a, b).probability == pytest.approx(twin.verify(a, b).probability)
    assert "pair head" in back.describe()
    items = read(vectors(60), labels=[str(i) for i in range(60)])
    assert len(known_already(back, a, items, k=3)) == 3
    pairs = duplicates(back, items)
    assert (pairs.distance <= pairs.point.threshold).all()


def test_a_decision_without_the_head_is_not_one_with_it() -> None:
    twin = train(pairs_that_differ_in_what_they_share(), QUICK.but(head=False), progress=False)
    assert twin.decision is not None
    headed = twin.with_head(_onnx(network(), 8))
    with pytest.raises(NotCalibrated):
        headed.verify(vectors(1)[0], vectors(1)[0])
    with pytest.raises(NotCalibrated, match="head is"):
        headed.but(decisions=(twin.decision,)).verify(vectors(1)[0], vectors(1)[0])


def test_scores_weigh_by_how_many_are_high() -> None:
    a, value = np.arange(6), np.array([0.9, 0.6, 0.4, 0.3, 0.2, 0.1], np.float32)
    pairs = _Pairs(a, a[::-1].copy(), value)
    high = pairs.value > 0.5
    assert pairs.weight[high].sum() == pytest.approx(float(pairs.weight[~high].sum()))


def test_it_takes_both_kinds_of_pairs() -> None:
    data = pairs_that_differ_in_what_they_share(100)
    assert data.pairs is not None
    alone = data.with_(pairs=Pairs(data.pairs.a, data.pairs.b, same=np.ones(100, bool)))
    train(alone, QUICK.but(steps=5, checks=1, holdout=0.0), progress=False)  # the others of a batch differ
    with pytest.raises(NotEnoughData, match="one kind"):
        train(
            data.with_(pairs=Pairs(data.pairs.a, data.pairs.b, same=np.zeros(100, bool))),
            QUICK.but(steps=5, checks=1, holdout=0.0),
            progress=False,
        )


def test_what_was_looked_at_is_what_was_proposed() -> None:
    first, second = gemel.distances.distance("euclidean"), gemel.distances.distance("manhattan")
    base = vectors(200, seed=1)
    proposed = first.matrix(base, base).argsort(1)[:, 1:4]
    pairs = {tuple(sorted((row, int(col)))) for row in range(200) for col in proposed[row]}
    assert close_in_stages(base, 1.0, first, second, pool=3).looked_at == len(pairs)
