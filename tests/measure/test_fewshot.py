"""Episodes: drawn as they say, answered as a loop answers them, at chance when nothing is known."""

from __future__ import annotations

import time

import numpy as np
import pytest

from gemel import distances, measure
from gemel.errors import DataError, NotEnoughData
from gemel.measure import fewshot


def embeddings(classes: int, each: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    identity = np.repeat(np.arange(classes), each)
    return rng.normal(size=(classes, 8))[identity] + noise * rng.normal(size=(len(identity), 8)), identity


def drawn(identity: np.ndarray, group: np.ndarray | None, ways: int, shots: int, episodes: int) -> fewshot._Episodes:
    classes = fewshot._classes(identity, group, ways, shots)
    return fewshot._draw(classes, ways, shots, episodes, np.random.default_rng(0))


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("shots", [1, 3])
def test_episodes_are_what_they_say(grouped: bool, shots: int) -> None:
    rng = np.random.default_rng(1)
    identity, group = rng.integers(-1, 30, size=400), rng.integers(-1, 3, size=400)
    found = drawn(identity, group if grouped else None, 5, shots, 500)
    for query, support, answer in zip(found.query, found.support, found.answer, strict=True):
        names = identity[support]
        assert support.shape == (5, shots)
        assert (names == names[:, :1]).all()
        assert len(set(names[:, 0])) == 5
        assert names[answer, 0] == identity[query]
        assert query not in support
        assert len(set(support.ravel())) == 5 * shots
        assert (identity[support] >= 0).all()
        if grouped:
            assert (group[support] == group[query]).all()


def test_every_class_item_and_answer_is_equally_likely() -> None:
    identity = np.repeat(np.arange(8), 5)
    found = drawn(identity, None, 6, 1, 20_000)
    for counts in (np.bincount(found.query), np.bincount(found.support.ravel()), np.bincount(found.answer)):
        expected = counts.mean()
        assert ((counts - expected) ** 2 / expected).sum() < len(counts) + 4 * (2 * len(counts)) ** 0.5


@pytest.mark.parametrize("rule", ["distance", "centroid"])
@pytest.mark.parametrize("name", list(distances.DISTANCES))
def test_answers_are_what_a_loop_gives(rule: str, name: str) -> None:
    rng = np.random.default_rng(2)
    query, support = rng.normal(size=(40, 6)), rng.normal(size=(40, 4, 3, 6))
    answer = rng.integers(4, size=40)
    right = 0
    for trial in range(40):
        apart = []
        for examples in support[trial]:
            against = [examples.mean(axis=0)] if rule == "centroid" else list(examples)
            each = [distances.distance(name).paired(query[[trial]], e[None])[0] for e in against]
            apart.append(sum(each) / len(each))
        right += apart.index(min(apart)) == answer[trial]
    found = measure.score_trials(query, support, answer, rule=rule, distance_name=name)
    assert found.accuracy == right / 40
    assert (found.ways, found.shots, found.episodes, found.protocol, found.rule) == (4, 3, 40, "trials", rule)


def test_the_two_rules_differ_where_a_class_is_spread() -> None:
    support = np.array([[[[-3.0], [3.0]], [[1.0], [1.0]]]])
    query = np.array([[0.0]])
    right = {
        rule: measure.score_trials(query, support, np.array([0]), rule=rule, distance_name="euclidean").accuracy
        for rule in ("distance", "centroid")
    }
    assert right == {"distance": 0, "centroid": 1}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (lambda identity, rng: np.eye(30)[identity], 1.0),
        (lambda identity, rng: rng.normal(size=(len(identity), 8)), 0.2),
        (lambda identity, rng: np.ones((len(identity), 8)), 0.2),
        (lambda identity, rng: np.eye(2)[np.arange(len(identity)) % 2], None),
    ],
    ids=["perfect", "random", "constant", "inverted"],
)
def test_rankers(rows, expected: float | None) -> None:
    identity = np.repeat(np.arange(30), 2)
    found = measure.few_shot(rows(identity, np.random.default_rng(0)), identity, ways=5, episodes=3000)
    if expected is None:  # the query's class is the only one on the other side in an eighth of cases or less
        assert found.accuracy < 0.05
    else:
        assert found.accuracy == pytest.approx(expected, abs=0.06)
        assert found.interval.low - 0.03 <= expected <= found.interval.high + 0.03


def test_ways_within_a_group_are_harder_and_named_so() -> None:
    rng = np.random.default_rng(3)
    identity = np.repeat(np.arange(60), 6)
    group = identity // 10
    rows = 2 * rng.normal(size=(6, 8))[group] + rng.normal(size=(60, 8))[identity] + rng.normal(size=(360, 8))
    anywhere = measure.few_shot(rows, identity, ways=5, episodes=4000)
    inside = measure.few_shot(rows, identity, group=group, ways=5, episodes=4000)
    assert (anywhere.protocol, inside.protocol) == ("random", "within-group")
    assert anywhere.accuracy > inside.accuracy + 0.1


def test_more_episodes_on_the_same_identities_are_not_more_evidence() -> None:
    rows, identity = embeddings(25, 8, 0.9)
    few, many = (measure.few_shot(rows, identity, ways=5, episodes=n).interval for n in (5_000, 20_000))
    assert many.high - many.low > 0.75 * (few.high - few.low)
    assert many.high - many.low > 0.02


def test_trials_of_one_run_depend_on_each_other() -> None:
    rng = np.random.default_rng(4)
    query, support = rng.normal(size=(60, 4)), rng.normal(size=(60, 3, 1, 4))
    answer = np.repeat(rng.integers(3, size=6), 10)
    query, support = np.repeat(query[::10], 10, axis=0), np.repeat(support[::10], 10, axis=0)
    alone = measure.score_trials(query, support, answer).interval
    runs = measure.score_trials(query, support, answer, unit=np.repeat(np.arange(6), 10)).interval
    assert runs.high - runs.low > 2 * (alone.high - alone.low)


def test_same_seed_same_episodes() -> None:
    rows, identity = embeddings(20, 4, 1.0)
    once, again, other = (measure.few_shot(rows, identity, ways=5, episodes=500, seed=s) for s in (1, 1, 2))
    assert once == again
    assert once != other


def test_ten_thousand_episodes_take_seconds() -> None:
    rows = np.random.default_rng(0).normal(size=(13_000, 256)).astype(np.float32)
    began = time.perf_counter()
    found = measure.few_shot(rows, np.repeat(np.arange(650), 20), ways=20)
    assert time.perf_counter() - began < 5
    assert found.accuracy == pytest.approx(0.05, abs=0.01)


def test_too_few_classes_are_refused() -> None:
    rows, identity = embeddings(6, 3, 1.0)
    with pytest.raises(NotEnoughData, match=r"20-way 1-shot takes 20 classes with 2 items .* has 6"):
        measure.few_shot(rows, identity, ways=20)
    with pytest.raises(NotEnoughData, match="5-way 3-shot"):
        measure.few_shot(rows, identity, ways=5, shots=3)
    with pytest.raises(DataError, match="reach from 0 to 2"):
        measure.score_trials(rows[:3], np.zeros((3, 2, 1, 8)), np.array([0, 1, 2]))
