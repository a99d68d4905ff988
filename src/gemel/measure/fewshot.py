"""N-way K-shot accuracy: random episodes, episodes within a group, and explicit trials.

The protocol is part of the result: random episodes over all classes are easier than ways drawn within one
group (one alphabet), and the two numbers are not comparable. A query that ties between c nearest classes counts
1 / c, so that a constant encoder scores chance. Knows no model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from gemel.distances import Distance, distance
from gemel.errors import DataError, NotEnoughData
from gemel.measure.intervals import Interval, mean_interval

if TYPE_CHECKING:
    from jaxtyping import Float, Int

Protocol = Literal["random", "within-group", "trials"]
Rule = Literal["distance", "centroid"]
FLOATS = 1 << 22
"""Most embedding values gathered at a time."""


@dataclass(frozen=True)
class FewShot:
    """How often the right one of N classes is named from K examples of each.

    Attributes:
        accuracy: share of queries answered rightly, 0 to 1; a tie between c classes counts 1 / c.
        interval: over samples of query identities (random), groups (within-group) or the trials' units.
        ways: classes per episode (N); chance is 1 / ways.
        shots: examples per class (K).
        episodes: number of episodes, one query each.
        protocol: random: ways from all classes; within-group: from one group; trials: as given.
        rule: distance: nearest by mean distance to the examples; centroid: by distance to their mean embedding.
        distance: name of the distance.
    """

    accuracy: float
    interval: Interval
    ways: int
    shots: int
    episodes: int
    protocol: Protocol
    rule: Rule
    distance: str


def few_shot(
    embeddings: Float[np.ndarray, "n d"],
    identity: Int[np.ndarray, " n"],
    *,
    ways: int,
    shots: int = 1,
    group: Int[np.ndarray, " n"] | None = None,
    distance_name: str = "cosine",
    rule: Rule = "distance",
    episodes: int = 10_000,
    seed: int = 0,
) -> FewShot:
    """Draw episodes and answer one query in each.

    An episode draws a group (when given, uniformly), `ways` classes in it, `shots` examples of each, and one more
    item of one of them as the query.

    Args:
        embeddings: one row per item.
        identity: of each item; -1 takes no part.
        group: when given, all ways of an episode come from one group; -1 takes no part.

    Raises:
        NotEnoughData: too few classes have `shots` + 1 items.
    """
    if len(embeddings) != len(identity) or (group is not None and len(group) != len(identity)):
        raise DataError("Embeddings, identities and groups must have one row per item.")
    classes = _classes(identity, group, ways, shots)
    drawn = _draw(classes, ways, shots, episodes, np.random.default_rng(seed))
    right = _answered(embeddings, drawn, distance(distance_name), rule)
    unit = identity[drawn.query] if group is None else group[drawn.query]
    protocol: Protocol = "random" if group is None else "within-group"
    return FewShot(
        float(right.mean()), mean_interval(right, unit), ways, shots, episodes, protocol, rule, distance_name
    )


def score_trials(
    query: Float[np.ndarray, "t d"],
    support: Float[np.ndarray, "t w k d"],
    answer: Int[np.ndarray, " t"],
    *,
    unit: Int[np.ndarray, " t"] | None = None,
    distance_name: str = "cosine",
    rule: Rule = "distance",
) -> FewShot:
    """Score trials that someone else laid out, such as the twenty official runs of Omniglot.

    Args:
        query: embedding of the query of each trial.
        support: embeddings of the `k` examples of the `w` classes of each trial.
        answer: position of the right class, 0 … w - 1.
        unit: what trials depend on together, such as the run; None when they are independent.
    """
    trials, ways, shots, _ = support.shape
    if len(query) != trials or len(answer) != trials or trials == 0:
        raise DataError(f"{trials} trials came with {len(query)} queries and {len(answer)} answers; give one each.")
    if answer.min() < 0 or answer.max() >= ways:
        raise DataError(f"Answers are positions among {ways} ways, and reach from {answer.min()} to {answer.max()}.")
    right = _right(_apart(query, support, distance(distance_name), rule), answer)
    interval = mean_interval(right, unit)
    return FewShot(float(right.mean()), interval, ways, shots, trials, "trials", rule, distance_name)


@dataclass(frozen=True)
class _Classes:
    """Items arranged by group and class; only classes with enough items, only groups with enough classes.

    Attributes:
        items: positions of the items, class by class.
        first, count: where the items of each class start, and how many there are.
        group_first, group_count: where the classes of each group start, and how many there are.
    """

    items: Int[np.ndarray, " n"]
    first: Int[np.ndarray, " c"]
    count: Int[np.ndarray, " c"]
    group_first: Int[np.ndarray, " g"]
    group_count: Int[np.ndarray, " g"]


def _classes(identity: Int[np.ndarray, " n"], group: Int[np.ndarray, " n"] | None, ways: int, shots: int) -> _Classes:
    group = np.zeros_like(identity) if group is None else group
    known = np.flatnonzero((identity >= 0) & (group >= 0))
    items = known[np.lexsort((identity[known], group[known]))]
    key = np.stack([group[items], identity[items]], axis=1)
    first = np.flatnonzero(np.append(True, (key[1:] != key[:-1]).any(axis=1))) if len(items) else np.zeros(0, np.int64)
    count = np.diff(np.append(first, len(items)))
    enough = count >= shots + 1
    first, count, family = first[enough], count[enough], group[items[first[enough]]]
    group_first = np.flatnonzero(np.append(True, family[1:] != family[:-1])) if len(family) else np.zeros(0, np.int64)
    group_count = np.diff(np.append(group_first, len(family)))
    wide = group_count >= ways
    if ways < 2 or shots < 1 or not wide.any():
        most = int(group_count.max(initial=0))
        raise NotEnoughData(
            f"{ways}-way {shots}-shot takes {max(ways, 2)} classes with {max(shots, 1) + 1} items in one group; "
            f"the largest group has {most}. Ask for fewer ways or shots, or add items."
        )
    return _Classes(items, first, count, group_first[wide], group_count[wide])


@dataclass(frozen=True)
class _Episodes:
    """Positions of items: one query per episode, its support, and which way is right."""

    query: Int[np.ndarray, " e"]
    support: Int[np.ndarray, "e w k"]
    answer: Int[np.ndarray, " e"]


def _draw(classes: _Classes, ways: int, shots: int, episodes: int, rng: np.random.Generator) -> _Episodes:
    family = rng.integers(len(classes.group_first), size=episodes)
    way = classes.group_first[family][:, None] + _subsets(classes.group_count[family], ways, rng)
    answer = rng.integers(ways, size=episodes)
    size = classes.count[way].reshape(-1)
    chosen = _subsets(size, shots + 1, rng).reshape(episodes, ways, shots + 1)
    rows, columns = np.arange(episodes)[:, None], np.arange(ways)
    spare = rng.integers(shots + 1, size=(episodes, ways))
    left_out = chosen[rows, columns, spare]
    chosen[rows, columns, spare] = chosen[:, :, shots]
    chosen[:, :, shots] = left_out
    item = classes.items[classes.first[way][:, :, None] + chosen]
    return _Episodes(item[np.arange(episodes), answer, shots], item[:, :, :shots], answer)


def _subsets(size: Int[np.ndarray, " e"], wanted: int, rng: np.random.Generator) -> Int[np.ndarray, "e w"]:
    """For each row, `wanted` different numbers below its size, every subset equally likely (Floyd 1987).

    Not every order is: whoever needs one of the numbers picks it at random.
    """
    chosen = np.full((len(size), wanted), -1)
    for step in range(wanted):
        last = size - wanted + step
        drawn = (rng.random(len(size)) * (last + 1)).astype(np.int64)
        taken = (chosen[:, :step] == drawn[:, None]).any(axis=1)
        chosen[:, step] = np.where(taken, last, drawn)
    return chosen


def _answered(
    embeddings: Float[np.ndarray, "n d"], drawn: _Episodes, measure: Distance, rule: Rule
) -> Float[np.ndarray, " e"]:
    step = max(1, FLOATS // max(1, drawn.support[0].size * embeddings.shape[1]))
    parts = []
    for start in range(0, len(drawn.query), step):
        rows = slice(start, start + step)
        apart = _apart(embeddings[drawn.query[rows]], embeddings[drawn.support[rows]], measure, rule)
        parts.append(_right(apart, drawn.answer[rows]))
    return np.concatenate(parts)


def _apart(
    query: Float[np.ndarray, "e d"], support: Float[np.ndarray, "e w k d"], measure: Distance, rule: Rule
) -> Float[np.ndarray, "e w"]:
    """How far each query is from each class, by the distance's definition."""
    if rule == "centroid":
        support = support.mean(axis=2, keepdims=True)
    episodes, ways, shots, dim = support.shape
    repeated = np.repeat(query, ways * shots, axis=0)
    return measure.paired(repeated, support.reshape(-1, dim)).reshape(episodes, ways, shots).mean(axis=2)


def _right(apart: Float[np.ndarray, "e w"], answer: Int[np.ndarray, " e"]) -> Float[np.ndarray, " e"]:
    nearest = apart == apart.min(axis=1, keepdims=True)
    return nearest[np.arange(len(answer)), answer] / nearest.sum(axis=1)
