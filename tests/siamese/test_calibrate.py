"""Calibration and evaluation on collections: the right pairs, and nothing that training saw without saying so."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gemel.errors import NotEnoughData, Overlap, TooManyBad
from gemel.items import Collection, Labels, Pairs, Triplets, read
from gemel.siamese import Siamese, evaluate
from gemel.siamese.decision import Decision
from gemel.siamese.known import known_pairs
from gemel.siamese.manifest import Origin
from gemel.siamese.seen import Seen


def vectors(identities: int = 30, each: int = 5, *, seed: int = 0) -> Collection:
    rng = np.random.default_rng(seed)
    center = rng.normal(size=(identities, 8))
    who = np.repeat(np.arange(identities), each)
    rows = center[who] + 0.3 * rng.normal(size=(len(who), 8))
    return read(rows.astype(np.float32), labels=[f"id{i:02}" for i in who])


@pytest.fixture
def twin() -> Siamese:
    return Siamese.from_vectors(8)


def test_items_that_training_saw_are_refused_by_name(twin: Siamese) -> None:
    data = vectors()
    found = twin.embed(data)
    taught = twin.but(seen=Seen.of(trained=found.content[[7, 40]]))
    with pytest.raises(Overlap, match=r"2 items \(array row 7, array row 40\).*allow_overlap"):
        taught.calibrate(data)
    anyway = taught.calibrate(data, allow_overlap=True)
    assert anyway.decision is not None
    assert anyway.seen.in_training(found.content).sum() == 2
    assert anyway.seen.in_calibration(found.content).all()


def test_thresholds_for_one_among_many_take_strangers(twin: Siamese) -> None:
    for identities, protocol, found in ((29, "open", False), (30, "open", True), (30, "closed", False)):
        one = twin.but(origin=Origin(recipe={"protocol": protocol})).calibrate(vectors(identities))
        assert one.decision is not None
        assert (one.decision.open_set is not None) == found
        assert Decision.from_json(json.loads(json.dumps(one.decision.json()))) == one.decision


def test_evaluation_says_what_was_seen_before(twin: Siamese) -> None:
    data = vectors()
    content = twin.embed(data).content
    used = twin.but(seen=Seen.of(trained=content[:3])).calibrate(data.take(np.arange(10, 60)))
    found = evaluate(used, data)
    assert (found.trained_on, found.calibrated_on) == (3, 50)
    assert "training saw 3 items (array row 0" in found.summary()
    assert "calibration saw 50 items" in found.summary()
    fresh = evaluate(used, vectors(seed=9))
    assert (fresh.trained_on, fresh.calibrated_on, fresh.notes) == (0, 0, ())


def test_identities_give_every_pair(twin: Siamese) -> None:
    data = vectors(6, 3)
    pairs = known_pairs(data, twin.embed(data))
    assert int(pairs.same.sum()) == 6 * 3
    assert len(pairs.same) == 18 * 17 // 2
    assert ((pairs.identity_a == pairs.identity_b) == pairs.same).all()


def test_explicit_pairs_are_taken_as_they_are_and_rest_on_chains(twin: Siamese) -> None:
    data = vectors(4, 2).with_(identity=None)
    given = Pairs(np.array([0, 1, 4, 0]), np.array([1, 2, 5, 7]), same=np.array([True, True, True, False]))
    pairs = known_pairs(data.with_(pairs=given), twin.embed(data))
    np.testing.assert_array_equal(pairs.a, given.a)
    np.testing.assert_array_equal(pairs.same, given.same)
    assert pairs.identity_a[0] == pairs.identity_a[1] == pairs.identity_b[1] == pairs.identity_a[3]
    assert len({int(pairs.identity_a[0]), int(pairs.identity_a[2]), int(pairs.identity_b[3])}) == 3


def test_triplets_are_two_pairs_each(twin: Siamese) -> None:
    data = vectors(4, 2).with_(identity=None)
    triplets = Triplets(np.array([0, 2]), np.array([1, 3]), np.array([4, 6]))
    pairs = known_pairs(data.with_(triplets=triplets), twin.embed(data))
    assert sorted(zip(pairs.a.tolist(), pairs.b.tolist(), pairs.same.tolist(), strict=True)) == [
        (0, 1, True),
        (0, 4, False),
        (2, 3, True),
        (2, 6, False),
    ]


def test_a_forgery_is_different_from_whom_it_imitates_and_nothing_else(twin: Siamese) -> None:
    data = vectors(6, 3)
    assert data.identity is not None
    codes, claimed = data.identity.codes.copy(), np.full(len(data), -1)
    codes[[2, 5]], claimed[[2, 5]] = -1, [0, 1]
    names = data.identity.names
    forged = data.with_(identity=Labels(codes, names), impostor_of=Labels(claimed, names))
    pairs = known_pairs(forged, twin.embed(forged))
    touching = (pairs.a == 2) | (pairs.b == 2)
    assert not pairs.same[touching].any()
    assert {int(x) for x in np.concatenate([pairs.a[touching], pairs.b[touching]])} == {0, 1, 2}
    assert (pairs.identity_a[touching] == 0).all()
    assert (pairs.identity_b[touching] == 0).all()


def test_an_item_and_its_copy_are_never_a_pair(twin: Siamese) -> None:
    rows = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)
    rows[1] = rows[0]
    data = read(rows, labels=["a", "a", "a", "b", "b", "b"])
    pairs = known_pairs(data, twin.embed(data))
    assert pairs.identical == 1
    assert not ((pairs.a == 0) & (pairs.b == 1)).any()
    assert int(pairs.same.sum()) == 5


def test_a_limit_samples_both_kinds(twin: Siamese) -> None:
    data = vectors()
    pairs = known_pairs(data, twin.embed(data), limit=50)
    assert (int(pairs.same.sum()), int((~pairs.same).sum())) == (50, 50)
    same = np.tile([True, False], 40)
    given = Pairs(np.arange(80), np.arange(80) + 40, same=same)
    some = known_pairs(data.with_(pairs=given), twin.embed(data), limit=10)
    assert (int(some.same.sum()), int((~some.same).sum())) == (10, 10)


def test_calibration_is_a_new_value_and_repeatable(twin: Siamese) -> None:
    one, two = twin.calibrate(vectors(), prior=0.1, seed=3), twin.calibrate(vectors(), prior=0.1, seed=3)
    assert twin.decision is None
    assert one.decision == two.decision
    assert one.decision is not None
    assert one.decision.prior == 0.1
    assert one.decision.method == twin.method


def test_too_little_is_refused(twin: Siamese) -> None:
    with pytest.raises(NotEnoughData, match="at least 5 identities"):
        twin.calibrate(vectors(3))
    with pytest.raises(NotEnoughData, match="neither identities nor pairs"):
        twin.calibrate(vectors().with_(identity=None))
    bad = read([np.full(8, np.nan)] * 2 + list(np.ones((8, 8))), labels=list("aabbccddee"))
    with pytest.raises(TooManyBad, match="2 of 10 items"):
        twin.calibrate(bad.with_(modality=twin.modality))
    with pytest.raises(NotEnoughData, match="no same pairs"):
        evaluate(twin, vectors(10, 1))


def test_evaluation_measures_what_identities_allow(twin: Siamese) -> None:
    found = evaluate(twin.calibrate(vectors()), vectors(seed=4))
    assert found.verification.auc > 0.9
    assert found.retrieval is not None
    assert found.few_shot is not None
    assert (found.few_shot.ways, found.few_shot.shots) == (20, 1)
    assert [cost.name for cost in found.costs][:2] == ["bayes", "eer"]
    assert found.cllr is not None
    assert found.cllr >= found.verification.min_cllr - 1e-9
    json.dumps(found.json(), allow_nan=False)


def test_evaluation_without_a_decision_or_identities_says_so(twin: Siamese) -> None:
    data = vectors(4, 3)
    bare = evaluate(twin, data)
    assert (bare.cllr, bare.costs) == (None, ())
    assert "Not calibrated" in bare.summary()
    assert bare.few_shot is None
    given = Pairs(np.array([0, 3, 0]), np.array([1, 4, 6]), same=np.array([True, True, False]))
    pairs = evaluate(twin, data.with_(identity=None, pairs=given))
    assert (pairs.retrieval, pairs.few_shot) == (None, None)
    assert "No neighbours" in pairs.summary()


def test_exact_copies_are_not_found_as_neighbours(twin: Siamese) -> None:
    rows = np.random.default_rng(0).normal(size=(12, 8)).astype(np.float32)
    rows[1::2] = rows[::2]
    labels = list("aabbccddeeff")
    extra = np.random.default_rng(1).normal(size=(12, 8)).astype(np.float32)
    data = read(np.concatenate([rows, extra]), labels=labels + labels)
    found = evaluate(twin, data).retrieval
    assert found is not None
    assert found.recall[0].value < 1


def test_where_only_same_pairs_are_given_random_ones_are_assumed_to_differ(twin: Siamese) -> None:
    data = vectors()  # of every four items of an identity, a chain of three pairs
    assert data.identity is not None
    start = np.flatnonzero(data.identity.codes[:-1] == data.identity.codes[1:])
    given = data.with_(identity=None, pairs=Pairs(start, start + 1, same=np.ones(len(start), bool)))
    pairs = known_pairs(given, twin.embed(given), limit=500)
    assert pairs.assumed
    assert (int(pairs.same.sum()), int((~pairs.same).sum())) == (len(start), 500)
    codes = data.identity.codes
    assert (codes[pairs.a] == codes[pairs.b])[pairs.same].all()
    assert (codes[pairs.a] != codes[pairs.b])[~pairs.same].all()
    calibrated = twin.calibrate(given)
    assert calibrated.decision is not None
    assert calibrated.decision.counts.assumed
    assert "an assumption" in calibrated.describe()
    assert any("an assumption" in note for note in evaluate(calibrated, given).notes)
    assert Decision.from_json(calibrated.decision.json()) == calibrated.decision
    labelled = twin.calibrate(data)
    assert labelled.decision is not None
    assert not labelled.decision.counts.assumed
    assert "assumption" not in labelled.describe()


def test_what_is_in_no_pair_is_of_no_side_and_assumed_to_differ_from_nothing() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    data = read(rows).with_(pairs=Pairs(np.arange(20), np.arange(20) + 20, same=np.ones(20, bool)))
    pairs = known_pairs(data, Siamese.from_vectors(4).embed(data))
    assert (~pairs.same).sum() == 20 * 19
    assert (np.sort([pairs.a, pairs.b], axis=0) // 20 == [[0], [1]]).all()


def test_given_pairs_are_measured_as_they_are(twin: Siamese) -> None:
    data = vectors()
    assert data.identity is not None
    rng = np.random.default_rng(3)
    a, b = rng.integers(len(data), size=(2, 600))
    a, b = a[a != b], b[a != b]
    codes = data.identity.codes
    pairs = Pairs(a, b, same=codes[a] == codes[b])
    found = evaluate(twin.calibrate(vectors(seed=8)), data.with_(identity=None, pairs=pairs))
    assert found.average_precision is not None
    assert found.f1 is not None
    assert 0 < found.f1 <= 1
    assert f"average precision {found.average_precision:.2%}   F1 at the decision {found.f1:.2%}" in found.summary()
    assert evaluate(twin, data).average_precision is None


def test_copies_of_what_is_the_same_are_not_assumed_to_differ() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 4)).astype(np.float32)
    copies = rows[20:30]  # the second items of ten pairs once more, under other ids
    data = read(np.concatenate([rows, copies])).with_(
        pairs=Pairs(np.arange(20), np.arange(20) + 20, same=np.ones(20, bool))
    )
    twin = Siamese.from_vectors(4)
    pairs = known_pairs(data, twin.embed(data))
    wrong = {(i, 40 + i) for i in range(10)}
    different = set(zip(pairs.a[~pairs.same].tolist(), pairs.b[~pairs.same].tolist(), strict=True))
    assert different
    assert not different & (wrong | {(b, a) for a, b in wrong})


def test_what_depends_on_how_many_are_the_same_is_measured_on_all_pairs() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 4)).astype(np.float32)
    a, b = rng.integers(300, size=(2, 4000))
    a, b = a[a != b], b[a != b]
    data = read(rows).with_(pairs=Pairs(a, b, same=rng.random(len(a)) < 0.05))
    twin = Siamese.from_vectors(4)
    few, all_of_them = (evaluate(twin, data, limit=limit) for limit in (200, 100_000))
    assert few.average_precision == all_of_them.average_precision
    assert all_of_them.average_precision is not None
    assert all_of_them.average_precision < 0.2
