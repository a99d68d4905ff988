"""Neighbours against plain loops over fully sorted lists; ties, duplicates, blocks and galleries."""

from __future__ import annotations

import numpy as np
import pytest

from gemel import distances, measure
from gemel.errors import NotEnoughData
from gemel.measure import retrieval


def loop(queries: measure.Searched, gallery: measure.Searched, name: str, ks: tuple[int, ...]) -> dict[str, float]:
    """Means over queries with a relevant item; equal distances put irrelevant items first."""
    recall, precision, average = [], [], []
    for row, identity in enumerate(queries.identity):
        if identity < 0:
            continue
        listing = []
        for col, other in enumerate(gallery.identity):
            itself = queries.ids is not None and gallery.ids is not None and queries.ids[row] == gallery.ids[col]
            if other >= 0 and not itself:
                apart = distances.distance(name).matrix(queries.embeddings[[row]], gallery.embeddings[[col]])[0, 0]
                listing.append((np.float32(apart), identity == other))
        hits = [relevant for _, relevant in sorted(listing)]
        total = sum(hits)
        if total:
            recall.append([any(hits[:k]) for k in ks])
            precision.append(sum(hits[:total]) / total)
            average.append(sum(sum(hits[: i + 1]) / (i + 1) * hits[i] for i in range(total)) / total)
    means = dict(zip([f"R@{k}" for k in ks], np.mean(recall, axis=0), strict=True))
    return means | {"R-precision": np.mean(precision), "MAP@R": np.mean(average), "queries": len(precision)}


def found(result: measure.Retrieval) -> dict[str, float]:
    means = {f"R@{entry.k}": entry.value for entry in result.recall}
    return means | {"R-precision": result.r_precision, "MAP@R": result.map_at_r, "queries": result.queries}


def searched(n: int, seed: int, *, ids: bool, dim: int = 3) -> measure.Searched:
    """Coarse embeddings, so that there are ties and exact duplicates; some identities unknown or single."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 3, size=(n, dim)).astype(np.float32)
    return measure.Searched(rows, rng.integers(-1, n // 3, size=n), rng.permutation(n) if ids else None)


@pytest.mark.parametrize("name", list(distances.DISTANCES))
@pytest.mark.parametrize("cells", [1, 200, 1 << 22])
def test_searching_the_queries_is_what_loops_find(name: str, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "CELLS", cells)
    for seed in range(3):
        items = searched(36, seed, ids=True)
        result = measure.retrieval_of(items.embeddings, items.identity, distance_name=name, ks=(1, 3, 100))
        assert found(result) == pytest.approx(loop(items, items, name, (1, 3, 100)))
        assert result.queries + result.skipped == result.gallery == (items.identity >= 0).sum()


@pytest.mark.parametrize("ids", [False, True])
def test_searching_a_gallery_is_what_loops_find(ids: bool) -> None:
    queries, gallery = searched(20, 5, ids=ids), searched(33, 6, ids=ids)
    result = measure.retrieval_of(
        queries.embeddings, queries.identity, ids=queries.ids, gallery=gallery, distance_name="manhattan", ks=(2,)
    )
    assert found(result) == pytest.approx(loop(queries, gallery, "manhattan", (2,)))


def test_map_at_r_is_the_example_of_its_paper() -> None:
    """Musgrave et al. 2020, figure 5: R = 10; only the first of ten is right, then the first and the last."""
    angle = np.arange(1, 31) / 100
    gallery = np.stack([np.cos(angle), np.sin(angle)], axis=1)

    def score(right: list[int]) -> measure.Retrieval:
        identity = np.ones(30, np.int64)
        identity[right] = 0
        identity[20:30] = np.where(np.arange(10) < 10 - len(right), 0, 1)
        return measure.retrieval_of(
            np.array([[1.0, 0.0]]), np.array([0]), gallery=measure.Searched(gallery, identity), ks=(1,)
        )

    assert score([0]).map_at_r == pytest.approx(0.1)
    assert score([0, 9]).map_at_r == pytest.approx((1 + 2 / 10) / 10)
    assert score([0, 1]).map_at_r == pytest.approx(0.2)
    assert score(list(range(10))).map_at_r == 1


def test_perfect_random_and_inverted_rankers() -> None:
    identity = np.repeat(np.arange(40), 5)
    rng = np.random.default_rng(0)
    perfect = measure.retrieval_of(np.eye(40)[identity], identity)
    assert (perfect.recall[0].value, perfect.r_precision, perfect.map_at_r) == (1, 1, 1)
    random = measure.retrieval_of(rng.normal(size=(200, 8)), identity)
    assert random.r_precision == pytest.approx(4 / 199, abs=0.02)
    assert 4 / 199 in random.r_precision_interval
    scattered = np.tile(np.eye(5), (40, 1))
    inverted = measure.retrieval_of(scattered, identity)
    assert (inverted.recall[0].value, inverted.r_precision, inverted.map_at_r) == (0, 0, 0)


def test_a_constant_encoder_scores_nothing() -> None:
    found = measure.retrieval_of(np.ones((40, 4)), np.repeat(np.arange(10), 4))
    assert (found.recall[0].value, found.r_precision, found.map_at_r) == (0, 0, 0)


def test_an_item_is_excluded_by_its_id_and_its_duplicate_is_not() -> None:
    rows, identity = np.array([[1.0, 0], [1, 0], [0, 1]]), np.array([0, 0, 1])
    found = measure.retrieval_of(rows, identity, ks=(1,))
    assert (found.recall[0].value, found.queries, found.skipped) == (1, 2, 1)


def test_nothing_to_find_is_refused() -> None:
    with pytest.raises(NotEnoughData, match="two items or more"):
        measure.retrieval_of(np.eye(3), np.arange(3))
    with pytest.raises(NotEnoughData):
        measure.retrieval_of(np.eye(3), np.full(3, -1))
