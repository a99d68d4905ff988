"""Duplicates of a collection: pairs, copies, clusters, what chance would give, and whether something new is known."""

from __future__ import annotations

import numpy as np
import pytest

from gemel.errors import NotCalibrated, TooManyBad, UnreadableItem
from gemel.items import Collection, read
from gemel.siamese import Siamese, duplicates
from gemel.siamese.duplication import known_already


def vectors(identities: int, each: int, *, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    center = rng.normal(size=(identities, 16))
    return (np.repeat(center, each, axis=0) + 0.2 * rng.normal(size=(identities * each, 16))).astype(np.float32)


@pytest.fixture(scope="module")
def twin() -> Siamese:
    rows = vectors(40, 4, seed=1)
    return Siamese.from_vectors(16).calibrate(read(rows, labels=[f"p{i // 4}" for i in range(len(rows))]))


def bare(rows: np.ndarray) -> Collection:
    return read(rows, labels=[str(i) for i in range(len(rows))])


def test_pairs_and_clusters_are_those_of_a_full_comparison(twin: Siamese) -> None:
    rows = vectors(12, 3)
    found = duplicates(twin, bare(rows))
    assert twin.decision is not None
    a, b = np.triu_indices(len(rows), 1)
    far = twin.metric.paired(rows[a], rows[b])
    near = far <= twin.decision.threshold()
    assert set(zip(found.a.tolist(), found.b.tolist(), strict=True)) == set(zip(a[near], b[near], strict=True))
    assert found.compared == len(a)
    np.testing.assert_allclose(found.probability, twin.decision.probability(found.distance))
    for items in found.clusters():
        assert len(items) > 1
    joined = {frozenset(items.tolist()) for items in found.clusters()}
    assert frozenset({0, 1, 2}) in joined
    assert [len(items) for items in found.clusters()] == sorted(map(len, found.clusters()), reverse=True)


def test_exact_copies_hang_on_their_first(twin: Siamese) -> None:
    rows = vectors(5, 1)[[0, 1, 2, 0, 0, 3, 4, 2]]
    found = duplicates(twin, bare(rows), fmr=0.1)
    assert {(0, 3), (0, 4), (2, 7)} <= set(zip(found.a.tolist(), found.b.tolist(), strict=True))
    assert (3, 4) not in set(zip(found.a.tolist(), found.b.tolist(), strict=True))
    assert found.clusters()[0].tolist() == [0, 3, 4]
    assert found.compared == 10


def test_what_chance_would_give_is_said(twin: Siamese) -> None:
    strangers = duplicates(twin, bare(vectors(120, 1)), fmr=0.1)
    assert strangers.by_chance == pytest.approx(strangers.point.fmr * 120 * 119 / 2)
    assert "different ones come this close" in strangers.summary()
    assert "lower false match rate" in strangers.summary()


def test_a_lower_prior_finds_less(twin: Siamese) -> None:
    data = bare(vectors(60, 2))
    counts = [len(duplicates(twin, data, prior=prior)) for prior in (0.9, 0.5, 0.01)]
    assert counts == sorted(counts, reverse=True)


def test_a_prior_that_the_calibration_cannot_support_is_said(twin: Siamese) -> None:
    found = duplicates(twin, bare(vectors(20, 2)), prior=1e-12)
    assert len(found) == 0
    assert "too few pairs to be so sure" in found.summary()
    assert "come this close" not in found.summary()


def test_bad_items_keep_their_places(twin: Siamese) -> None:
    rows = vectors(4, 2)
    rows[3] = np.nan
    found = duplicates(twin, bare(rows), allow_bad=0.5)
    assert [bad.row for bad in found.bad] == [3]
    assert (4, 5) in set(zip(found.a.tolist(), found.b.tolist(), strict=True))
    assert 3 not in {*found.a.tolist(), *found.b.tolist()}
    assert found.cluster[3] == -1
    assert "1 item could not be read" in found.summary()
    with pytest.raises(TooManyBad):
        duplicates(twin, bare(rows))


def test_the_table_has_a_row_per_pair(twin: Siamese) -> None:
    found = duplicates(twin, bare(vectors(6, 2)))
    table = found.table()
    assert list(table) == ["a", "b", "distance", "probability", "cluster"]
    assert {len(column) for column in table.values()} == {len(found)}
    assert min(table["cluster"]) >= 0


def test_something_new_is_compared_with_what_is_known(twin: Siamese) -> None:
    rows = vectors(20, 2)
    near = known_already(twin, rows[7] + np.float32(0.01), bare(rows), k=3)
    assert [hit.verdict.distance for hit in near] == sorted(hit.verdict.distance for hit in near)
    assert near[0].name == bare(rows).name(7)
    assert near[0].verdict.same is True
    assert near[0].json()["same"] is True
    stranger = np.full(16, 1.0, np.float32) * np.resize([1, -1], 16).astype(np.float32)
    assert known_already(twin, stranger, bare(rows), k=1)[0].verdict.same is False
    with pytest.raises(UnreadableItem):
        known_already(twin, np.full(16, np.nan, np.float32), bare(rows))


def test_without_a_decision_nothing_is_the_same() -> None:
    bare_twin = Siamese.from_vectors(16)
    with pytest.raises(NotCalibrated):
        duplicates(bare_twin, bare(vectors(3, 2)))
    with pytest.raises(NotCalibrated):
        known_already(bare_twin, vectors(1, 1)[0], bare(vectors(3, 2)))
