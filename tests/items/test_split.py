"""Nothing that hangs together is torn apart; what leaks through given splits is named (trap 21)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.errors import DataError, NotEnoughData, Overlap, RecipeError
from gemel.items import (
    UNKNOWN,
    Collection,
    Labels,
    Pairs,
    Triplets,
    VectorModality,
    decode,
    fingerprints,
    keep_apart,
    overlap,
    read,
    split,
)
from gemel.items.allot import evenly, quotas
from gemel.items.components import components
from tests.items.conftest import picture

SHARES = {"train": 0.6, "stop": 0.2, "calibrate": 0.1, "test": 0.1}


def made(identity: Any = None, **fields: Any) -> Collection:
    n = len(next(v for v in [identity, *fields.values()] if isinstance(v, list | np.ndarray)))
    labels = {k: Labels.of(v) for k, v in fields.items() if k in ("group", "split", "impostor_of")}
    rest = {k: v for k, v in fields.items() if k not in labels}
    return Collection(
        VectorModality(1),
        [[float(i)] for i in range(n)],
        np.arange(n),
        identity=None if identity is None else Labels.of(identity),
        names=[f"i{i}" for i in range(n)],
        **labels,
        **rest,
    )


def names(part: Collection, what: str = "identity") -> set[str | None]:
    labels = getattr(part, what)
    return {labels.value(i) for i in range(len(part))} - {None}


def rows(parts: Any) -> list[int]:
    return sorted(int(r) for part in parts.values() for r in part.rows)


def brute_components(n: int, edges: list[tuple[int, int]]) -> list[int]:
    label = list(range(n))
    for _ in range(n):
        for a, b in edges:
            label[a] = label[b] = min(label[a], label[b])
    return label


@given(st.integers(1, 15), st.data())
def test_components_against_brute_force(n: int, data: st.DataObject) -> None:
    node = st.integers(0, n - 1)
    edges = data.draw(st.lists(st.tuples(node, node), max_size=20))
    a, b = np.array([e[0] for e in edges], int), np.array([e[1] for e in edges], int)
    expected = brute_components(n, edges)
    got = components(n, a, b)
    assert len(set(zip(got.tolist(), expected, strict=True))) == len(set(expected)) == got.max() + 1


@given(st.integers(4, 500), st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_quotas_sum_and_spread(n: int, weights: list[int]) -> None:
    counts = quotas(n, [w / sum(weights) for w in weights])
    assert counts.sum() == n
    assert counts.min() >= 1
    sequence = evenly(counts)
    np.testing.assert_array_equal(np.bincount(sequence, minlength=len(counts)), counts)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 30), min_size=60, max_size=200), st.integers(0, 3), st.booleans())
def test_open_identities_are_disjoint_and_nothing_is_lost(who: list[int], seed: int, grouped: bool) -> None:
    items = made(who, group=[w % 3 for w in who]) if grouped else made(who)
    if len(set(who)) < 4:
        return
    parts = split(items, shares=SHARES, seed=seed)
    assert rows(parts) == list(range(len(who)))
    found = [names(part) for part in parts.values()]
    assert sum(map(len, found)) == len(set.union(*found))
    assert all(found)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 8), min_size=40, max_size=100), st.integers(0, 3))
def test_closed_identities_are_shared_and_each_is_trained(who: list[int], seed: int) -> None:
    parts = split(made(who), protocol="closed", shares=SHARES, seed=seed)
    assert rows(parts) == list(range(len(who)))
    assert names(parts["train"]) == {str(w) for w in who}


def test_the_same_seed_gives_the_same_splits() -> None:
    items = made(np.repeat(np.arange(50), 3).tolist())
    one, two, other = (split(items, seed=s) for s in (1, 1, 2))
    for name in one:
        np.testing.assert_array_equal(one[name].rows, two[name].rows)
    assert any(not np.array_equal(one[name].rows, other[name].rows) for name in one)


def test_open_splits_are_balanced_over_groups() -> None:
    who = np.repeat(np.arange(200), 2)
    parts = split(made(who.tolist(), group=(who // 20).tolist()), shares={"train": 0.8, "test": 0.2})
    assert parts["test"].group is not None
    np.testing.assert_array_equal(parts["test"].group.counts(), np.full(10, 8))


def test_by_group_keeps_groups_apart() -> None:
    who = np.repeat(np.arange(40), 2)
    items = made(who.tolist(), group=(who // 4).tolist())
    for protocol in ("open", "closed"):
        parts = split(items, protocol=protocol, by="group")
        found = [names(part, "group") for part in parts.values()]
        assert sum(map(len, found)) == 10


def test_by_time_the_later_is_held_out() -> None:
    time = np.arange(40.0)
    closed = split(made([0, 1] * 20, time=time), protocol="closed", shares={"train": 0.5, "test": 0.5}, by="time")
    assert closed["train"].time is not None
    assert closed["test"].time is not None
    assert closed["train"].time.max() < closed["test"].time.min()
    opened = split(made(np.repeat(range(10), 4).tolist(), time=time), shares={"train": 0.5, "test": 0.5}, by="time")
    assert names(opened["train"]) == {str(i) for i in range(5)}


@given(st.integers(0, 5))
def test_impostors_go_with_whom_they_imitate(seed: int) -> None:
    identity = [i // 4 if i % 4 < 3 else None for i in range(80)]
    claimed = [None if i % 4 < 3 else i // 4 for i in range(80)]
    parts = split(made(identity, impostor_of=claimed), seed=seed)
    for part in parts.values():
        assert names(part, "impostor_of") == names(part)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29), st.booleans()), min_size=20, max_size=40))
def test_chains_of_same_pairs_are_never_torn(links: list[tuple[int, int, bool]]) -> None:
    a, b, same = (np.array(column) for column in zip(*links, strict=True))
    items = made(pairs=None, time=np.zeros(30)).with_(pairs=Pairs(a, b, same=same), time=None)
    expected = brute_components(30, [(x, y) for x, y, s in links if s])
    if len(set(expected)) < 3:
        return
    parts = split(items)
    owner = {int(r): name for name, part in parts.items() for r in part.rows}
    for x in range(30):
        assert owner[x] == owner[expected[x]]
    kept = sum(len(part.pairs or ()) for part in parts.values())
    assert parts.dropped_pairs == len(links) - kept
    assert all(not s for x, y, s in links if owner[x] != owner[y])


def test_anchors_stay_with_their_positives() -> None:
    n = 30
    triplets = Triplets(np.arange(0, n, 2), np.arange(1, n, 2), np.roll(np.arange(1, n, 2), 1))
    parts = split(made(pairs=None, time=np.zeros(n)).with_(triplets=triplets))
    owner = {int(r): name for name, part in parts.items() for r in part.rows}
    assert all(owner[i] == owner[i + 1] for i in range(0, n, 2))


def test_exact_duplicates_under_two_names_stay_together() -> None:
    who = list(range(20))
    content = np.arange(20)
    content[7] = content[3]
    for seed in range(5):
        for protocol in ("open", "closed"):
            parts = split(made(who), protocol=protocol, shares={"train": 0.5, "test": 0.5}, content=content, seed=seed)
            owner = {int(r): name for name, part in parts.items() for r in part.rows}
            assert owner[3] == owner[7]


def test_given_splits_are_taken_as_they_are_and_leaks_are_said() -> None:
    who = ["a", "a", "b", "b", "c", "c"]
    items = made(who, split=["train", "test", "train", "train", "test", "test"])
    parts = split(items)
    assert parts.given
    assert list(parts["train"].rows) == [0, 2, 3]
    assert parts.shared["train and test"].identities == ("a",)
    assert any("share 1 identity (a)" in note for note in parts.notes)
    closed = split(items, protocol="closed", content=np.array([0, 1, 2, 3, 4, 0]))
    assert closed.shared["train and test"].duplicates == ("i5",)


def test_same_pairs_across_given_splits_are_a_leak() -> None:
    pairs = Pairs(np.array([0, 1]), np.array([2, 3]), same=np.array([True, False]))
    parts = split(made(split=["train", "train", "test", "test"], pairs=pairs), shares=None)
    assert parts.dropped_pairs == 2
    assert any("1 same pair between different given splits" in note for note in parts.notes)


def test_splits_that_are_lacking_are_cut_from_train() -> None:
    who = np.repeat(np.arange(40), 3).tolist()
    given_split = ["test" if w >= 30 else "train" for w in who]
    parts = split(made(who, split=given_split), shares={"train": 0.8, "stop": 0.1, "calibrate": 0.1})
    assert set(parts) == {"train", "stop", "calibrate", "test"}
    assert names(parts["test"]) == {str(i) for i in range(30, 40)}
    assert [parts[name].counts().identities for name in ("train", "stop", "calibrate")] == [24, 3, 3]
    assert rows(parts) == list(range(120))


def test_what_cannot_be_split_is_refused_in_words() -> None:
    with pytest.raises(NotEnoughData, match="1 identity that can be kept apart, for 3 splits"):
        split(made(["a", "a", "a"]))
    with pytest.raises(NotEnoughData, match="no identity and no pair"):
        split(made(time=np.zeros(5)))
    for wrong, message in (
        ({"protocol": "ajar"}, "open or closed"),
        ({"by": "colour"}, "identity, group, time"),
        ({"by": "group"}, "has no group"),
        ({"shares": {"train": 0.5}}, "sum to 1"),
    ):
        with pytest.raises(RecipeError, match=message):
            split(made(["a", "b", "c", "d"]), **wrong)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no split 'test'"):
        split(made(list("abcd")))["test"]


def test_unlabelled_items_belong_to_nobody() -> None:
    parts = split(made([*range(20), *[None] * 20]))
    assert rows(parts) == list(range(40))


def test_overlap_names_the_offenders(people: Path) -> None:
    picture(99).save(people / "p3" / "copy.png")
    (people / "p3" / "copy.png").write_bytes((people / "p0" / "0.png").read_bytes())
    faces = read(people)
    one = faces.take([i for i in range(13) if faces.name(i) < "p2"])
    two = faces.take([i for i in range(13) if faces.name(i) >= "p2"])
    keep_apart(one, two)
    for ids in ((fingerprints(one), fingerprints(two)), (decode(one).content, decode(two).content)):
        assert overlap(one, two, content=ids).duplicates == (str(Path("p3/copy.png")),)
        with pytest.raises(Overlap, match=r"copy\.png"):
            keep_apart(one, two, content=ids)
    with pytest.raises(Overlap, match="4 identities"):
        keep_apart(faces, read(people))
    again = overlap(faces, read(people))
    assert len(again.duplicates) == 13
    other_half = faces.take(np.arange(0, 13, 2)), faces.take(np.arange(1, 13, 2))
    keep_apart(*other_half, protocol="closed")
    with pytest.raises(Overlap, match="training and test"):
        keep_apart(*other_half)


def test_an_impostor_of_a_trained_identity_is_an_overlap() -> None:
    items = made(["a", "b", None], impostor_of=[None, None, "a"])
    assert overlap(items.take([0]), items.take([1, 2])).identities == ("a",)
    assert items.identity is not None
    assert items.identity.codes[2] == UNKNOWN
