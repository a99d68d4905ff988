"""Laws of a collection: subsets keep what is known, links are remapped, counts add up."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.errors import DataError
from gemel.items import Collection, Labels, Pairs, Triplets, VectorModality


def made(n: int, seed: int = 0) -> Collection:
    rng = np.random.default_rng(seed)
    a, b, c = rng.integers(0, n, (3, 3 * n))
    names = [f"id{i}" for i in range(4)]
    return Collection(
        modality=VectorModality(1),
        sources=[[float(i)] for i in range(n)],
        rows=np.arange(n),
        identity=Labels(rng.integers(-1, 4, n), names),
        group=Labels(rng.integers(0, 2, n), ["g", "h"]),
        time=rng.random(n),
        pairs=Pairs(a, b, same=rng.random(3 * n) < 0.5),
        triplets=Triplets(a, b, c),
        names=[f"item{i}" for i in range(n)],
    )


@given(st.integers(1, 12), st.data())
def test_taking_keeps_what_is_known_and_drops_loose_links(n: int, data: st.DataObject) -> None:
    whole = made(n)
    rows = data.draw(st.lists(st.integers(0, n - 1), unique=True))
    part = whole.take(rows)
    assert [part.name(i) for i in range(len(part))] == [f"item{r}" for r in rows]
    assert [part.load(i)[0] for i in range(len(part))] == rows
    assert part.identity is not None
    assert whole.identity is not None
    assert [part.identity.value(i) for i in range(len(part))] == [whole.identity.value(r) for r in rows]
    assert part.time is not None
    assert whole.time is not None
    np.testing.assert_array_equal(part.time, whole.time[rows])
    assert whole.pairs is not None
    assert part.pairs is not None
    expected = [
        (a, b, s)
        for a, b, s in zip(whole.pairs.a, whole.pairs.b, whole.pairs.same, strict=True)  # type: ignore[arg-type]
        if a in rows and b in rows
    ]
    back = np.array(rows, int)
    got = zip(back[part.pairs.a], back[part.pairs.b], part.pairs.same, strict=True)  # type: ignore[arg-type]
    assert list(got) == expected
    assert whole.triplets is not None
    assert part.triplets is not None
    kept = [t for t in zip(*dataclasses.astuple(whole.triplets), strict=True) if set(t) <= set(rows)]
    assert list(zip(*(back[x] for x in dataclasses.astuple(part.triplets)), strict=True)) == kept


@given(st.integers(2, 12), st.data())
def test_taking_twice_is_taking_once(n: int, data: st.DataObject) -> None:
    whole = made(n)
    first = data.draw(st.permutations(range(n)))[: n - 1]
    second = data.draw(st.permutations(range(n - 1)))
    twice, once = whole.take(first).take(second), whole.take(np.array(first)[second])
    np.testing.assert_array_equal(twice.rows, once.rows)
    assert twice.pairs is not None
    assert once.pairs is not None
    np.testing.assert_array_equal(twice.pairs.a, once.pairs.a)


def test_a_mask_takes_too() -> None:
    whole = made(6)
    mask = np.arange(6) % 2 == 0
    np.testing.assert_array_equal(whole.take(mask).rows, [0, 2, 4])


@given(st.integers(1, 30), st.integers(0, 5))
def test_counts_add_up(n: int, seed: int) -> None:
    whole = made(n, seed)
    counts = whole.counts()
    assert whole.identity is not None
    sizes = whole.identity.counts()
    assert counts.items == n
    assert counts.unlabelled + sizes.sum() == n
    assert counts.singletons == (sizes == 1).sum()
    assert counts.identities == (sizes > 0).sum()
    assert whole.summary()


def test_a_field_of_another_length_is_refused() -> None:
    with pytest.raises(DataError, match="one per item"):
        made(4).with_(group=Labels(np.zeros(3, int), ["g"]))


@given(st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "c"]), st.integers(0, 2))))
def test_labels_of_values_give_them_back(values: list[str | int | None]) -> None:
    labels = Labels.of(values)
    assert [labels.value(i) for i in range(len(values))] == [None if v is None else str(v) for v in values]


def test_the_summary_says_what_is_missing() -> None:
    base = made(4).with_(pairs=None, triplets=None, group=None)
    one = base.with_(identity=Labels.of(["a"] * 4))
    assert "only one identity" in one.summary()
    alone = base.with_(identity=Labels.of(["a", "b", "c", "d"]))
    assert "no *same* pair" in alone.summary()
    assert "identities unknown" in base.with_(identity=None).summary()


def test_names_are_printable() -> None:
    odd = made(1).with_(names=["caf\udce9"])
    odd.name(0).encode("utf-8")
