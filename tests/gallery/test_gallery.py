"""Laws of the gallery: the enrolled are found, strangers are unknown, the forgotten are gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from gemel.errors import DataError, GalleryError, NotCalibrated, TooManyBad, UnreadableItem
from gemel.gallery import Gallery, Hits, MemoryStore, Meta, PostgresStore, SQLiteStore, Store
from gemel.siamese import Siamese

DIM, PEOPLE = 16, 30


def vectors(center: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    return (center + 0.25 * rng.normal(size=(n, DIM))).astype(np.float32)


@pytest.fixture(scope="module")
def centers() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(PEOPLE + 20, DIM))


class Silent(MemoryStore):
    """A store that leaves searching to the gallery."""

    def search(self, q: np.ndarray, k: int, where: str | None = None) -> Hits | None:
        return None


STORES: dict[str, Callable[..., Store]] = {
    "store searches": lambda _, *meta: MemoryStore(*meta),
    "gallery searches": lambda _, *meta: Silent(*meta),
    "file": lambda fixture, *meta: SQLiteStore.create(fixture("tmp_path") / "people.db", Meta(*meta, 0), {}),
    "database": lambda fixture, *meta: PostgresStore.create(fixture("postgres").fresh(), Meta(*meta, 0), {}),
}


@pytest.fixture(params=STORES.values(), ids=STORES)
def people(request: pytest.FixtureRequest, twin: Siamese, centers: np.ndarray) -> Iterator[Gallery]:
    store = request.param(request.getfixturevalue, twin.embedding_id, DIM, "cosine")
    gallery = Gallery(twin=twin, store=store)
    rng = np.random.default_rng(2)
    for i in range(PEOPLE):
        gallery.enroll(f"p{i:02}", vectors(centers[i], 3, rng), {"number": i})
    yield gallery
    gallery.close()


def test_an_enrolled_item_identifies_itself(people: Gallery, centers: np.ndarray) -> None:
    rng = np.random.default_rng(2)
    for i in range(PEOPLE):
        for item in vectors(centers[i], 3, rng):
            match = people.identify(item)
            assert match is not None
            assert match.identity == f"p{i:02}"
            assert match.distance <= 1e-6 <= match.threshold
            assert match.probability > 0.5


def test_another_item_of_the_enrolled_is_found_and_a_stranger_is_not(people: Gallery, centers: np.ndarray) -> None:
    rng = np.random.default_rng(3)
    found = [people.identify(vectors(centers[i], 1, rng)[0]) for i in range(PEOPLE)]
    right = [match is not None and match.identity == f"p{i:02}" for i, match in enumerate(found)]
    assert np.mean(right) >= 0.8
    assert all(match is None or ok for match, ok in zip(found, right, strict=True))
    strangers = [people.identify(vectors(center, 1, rng)[0]) for center in centers[PEOPLE:]]
    assert strangers == [None] * 20


def test_the_threshold_tightens_as_the_gallery_grows(twin: Siamese, centers: np.ndarray) -> None:
    gallery, rng = Gallery(twin=twin), np.random.default_rng(4)
    item = vectors(centers[0], 1, rng)[0]
    seen = []
    for i in range(20):
        gallery.enroll(f"p{i}", vectors(centers[i], 1, rng) if i else item)
        match = gallery.identify(item)
        assert match is not None
        seen.append((match.threshold, match.probability))
    thresholds, probabilities = (np.array(column) for column in zip(*seen, strict=True))
    assert (np.diff(thresholds) < 0).all()
    assert (np.diff(probabilities) < 0).all()
    assert thresholds[0] == pytest.approx(gallery.verify("p0", item).threshold)


def test_more_items_of_one_identity_do_not_tighten(twin: Siamese, centers: np.ndarray) -> None:
    gallery, rng = Gallery(twin=twin), np.random.default_rng(5)
    item = vectors(centers[0], 1, rng)[0]
    gallery.enroll("ada", item)
    before = gallery.identify(item)
    gallery.enroll("ada", vectors(centers[0], 9, rng))
    after = gallery.identify(item)
    assert before is not None
    assert after is not None
    assert before.threshold == after.threshold


def test_a_calibration_that_can_never_be_sure_says_so(people: Gallery, centers: np.ndarray) -> None:
    with pytest.raises(NotCalibrated, match="never sure enough to name one of 30"):
        people.identify(centers[0].astype(np.float32), prior=1e-12)


def test_a_claim_is_checked_against_that_identity_only(people: Gallery, centers: np.ndarray) -> None:
    item = vectors(centers[4], 1, np.random.default_rng(6))[0]
    assert people.verify("p04", item).same is True
    assert people.verify("p05", item).same is False
    near = min(people.twin.distance(item, hit) for hit in vectors_of(people, "p04"))
    assert people.verify("p04", item).distance == pytest.approx(near, abs=1e-6)
    with pytest.raises(DataError, match=r"'p4' is not enrolled. Did you mean 'p\d4'"):
        people.verify("p4", item)


def vectors_of(people: Gallery, identity: str) -> list[np.ndarray]:
    return [row.vector for row in people.items(identity)]


def test_search_gives_items_with_what_was_kept(people: Gallery, centers: np.ndarray) -> None:
    hits = people.search(centers[7].astype(np.float32), k=5)
    assert [hit.identity for hit in hits[:3]] == ["p07"] * 3
    assert hits[0].metadata == {"number": 7}
    assert [hit.distance for hit in hits] == sorted(hit.distance for hit in hits)
    assert len(people.search(centers[0].astype(np.float32), k=1000)) == 3 * PEOPLE


def test_who_is_enrolled_under_two_names_is_found(twin: Siamese, centers: np.ndarray) -> None:
    people, rng = Gallery(twin=twin), np.random.default_rng(8)
    assert people.duplicates() == []
    for i in range(6):
        people.enroll(f"p{i}", vectors(centers[i], 3, rng))
    double = vectors(centers[2], 2, rng)
    people.enroll("alias", double)
    (found,) = people.duplicates(prior=0.01)
    assert (found.identity, found.other) == ("p2", "alias")
    near = min(twin.distance(row.vector, item) for row in people.items("p2") for item in double)
    assert found.distance == pytest.approx(near, abs=1e-6)
    assert found.probability > 0.5
    people.enroll("third", vectors(centers[2], 2, rng))
    assert people.clusters(prior=0.01) == [("p2", "alias", "third")]


def test_the_false_positive_rate_can_be_chosen(people: Gallery, twin: Siamese, centers: np.ndarray) -> None:
    assert twin.decision is not None
    assert twin.decision.open_set is not None
    item = people.items("p03")[0].vector
    match = people.identify(item, fpir=0.1)
    assert match is not None
    assert (match.identity, match.point) == ("p03", "fpir=0.1")
    assert match.threshold == twin.decision.open_set.threshold(0.1, 3 * PEOPLE)
    strangers = [people.identify(one, fpir=0.1) for one in vectors(centers[-1], 20, np.random.default_rng(9))]
    assert sum(one is not None for one in strangers) <= 6
    with pytest.raises(NotCalibrated, match="strangers in the calibration cannot show"):
        people.identify(item, fpir=0.001)
    few = Gallery(twin=Siamese.from_vectors(DIM).but(decisions=(replace(twin.decision, open_set=None),)))
    few.enroll("ada", item)
    with pytest.raises(NotCalibrated, match="at least 30 identities"):
        few.identify(item, fpir=0.1)


def test_forget_forgets(people: Gallery, centers: np.ndarray) -> None:
    item = vectors_of(people, "p03")[0].copy()
    assert people.forget("p03") == 3
    assert "p03" not in people
    assert len(people) == PEOPLE - 1
    match = people.identify(item)
    assert match is None or match.identity != "p03"
    assert all(hit.identity != "p03" for hit in people.search(item, k=1000))
    with pytest.raises(DataError, match="not enrolled"):
        people.forget("p03")


def test_rename_keeps_the_items(people: Gallery) -> None:
    item = vectors_of(people, "p02")[1].copy()
    people.rename("p02", "ada")
    match = people.identify(item)
    assert match is not None
    assert match.identity == "ada"
    assert "p02" not in people
    with pytest.raises(DataError, match="'p01' is enrolled already"):
        people.rename("ada", "p01")
    with pytest.raises(DataError, match="not enrolled"):
        people.rename("p02", "eve")


def test_enrolling_reports_bad_items_and_knows_what_it_has(twin: Siamese, centers: np.ndarray) -> None:
    gallery, good = Gallery(twin=twin), vectors(centers[0], 2, np.random.default_rng(7))
    came = gallery.enroll("ada", [good[0], [1.0], good[1], good[0]])
    assert (came.added, came.already) == (2, 1)
    assert [(bad.row, bad.reason) for bad in came.bad] == [(1, "has shape [1] where [16] is expected")]
    again = gallery.enroll("ada", good)
    assert (again.added, again.already) == (0, 2)
    assert len(gallery.search(good[0], k=9)) == 2
    assert gallery.enroll("bob", good[0]).added == 1
    with pytest.raises(UnreadableItem, match="has shape"):
        gallery.enroll("eve", [[1.0]])
    with pytest.raises(TooManyBad, match="Not one of 2"):
        gallery.enroll("eve", [[1.0], [2.0, 3.0]])
    with pytest.raises(DataError, match="at least one item"):
        gallery.enroll("eve", [])
    deep: object = []
    for _ in range(100_000):
        deep = [deep]
    for wrong in ({"when": object()}, {"share": float("nan")}, {"deep": deep}):
        with pytest.raises(DataError, match="Metadata are plain JSON values"):
            gallery.enroll("eve", good, wrong)
    with pytest.raises(DataError, match="needs a name"):
        gallery.enroll(" ", good)
    assert gallery.identities() == ("ada", "bob")


def test_an_empty_gallery_knows_nobody(twin: Siamese, centers: np.ndarray) -> None:
    gallery, item = Gallery(twin=twin), centers[0].astype(np.float32)
    assert gallery.identify(item) is None
    assert gallery.search(item) == []
    assert len(gallery) == 0


def test_without_a_decision_it_searches_but_does_not_judge(centers: np.ndarray) -> None:
    gallery, item = Gallery(twin=Siamese.from_vectors(DIM)), centers[0].astype(np.float32)
    gallery.enroll("ada", item)
    assert gallery.search(item)[0].identity == "ada"
    for ask in (lambda: gallery.identify(item), lambda: gallery.verify("ada", item)):
        with pytest.raises(NotCalibrated, match="gemel calibrate"):
            ask()


def test_it_belongs_to_one_encoder_and_survives_recalibration(twin: Siamese, centers: np.ndarray) -> None:
    store = MemoryStore(twin.embedding_id, DIM, "cosine")
    Gallery(twin=twin, store=store).enroll("ada", centers[0])
    assert Gallery(twin=Siamese.from_vectors(DIM), store=store).identities() == ("ada",)
    for other in (Siamese.from_vectors(DIM + 1), Siamese.from_vectors(DIM, "euclidean")):
        with pytest.raises(GalleryError, match="another encoder"):
            Gallery(twin=other, store=store)
    with pytest.raises(DataError, match="needs a twin"):
        Gallery()


def test_one_probe_at_a_time(people: Gallery, centers: np.ndarray) -> None:
    with pytest.raises(DataError, match="one item at a time"):
        people.identify(centers[:3])
    with pytest.raises(UnreadableItem):
        people.identify([1.0, 2.0])
