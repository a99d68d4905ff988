"""Verdicts against several references; random pairs and impostors apart."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gemel.errors import DataError, ModelError, NotCalibrated, NotEnoughData, UnreadableItem
from gemel.items import Collection, Labels, read
from gemel.measure import eer
from gemel.siamese import Siamese, evaluate
from gemel.siamese.decision import Decision
from gemel.siamese.known import known_pairs
from gemel.siamese.seen import Seen
from gemel.siamese.trials import known_trials

DIM = 6


def signers(identities: int = 40, genuine: int = 8, forged: int = 4, *, seed: int = 0) -> Collection:
    """Vectors of signers, who vary by more or less, and of forgers, who come close."""
    rng = np.random.default_rng(seed)
    each = genuine + forged
    who, place = np.repeat(np.arange(identities), each), np.tile(np.arange(each), identities)
    spread = np.exp(rng.normal(-1, 0.5, identities))[who, None]
    away = np.where(place >= genuine, 1.6, 1.0)[:, None]
    rows = rng.normal(size=(identities, DIM))[who] + spread * away * rng.normal(size=(len(who), DIM))
    names = tuple(f"who {i}" for i in range(identities))
    identity = Labels(np.where(place < genuine, who, -1), names)
    claimed = Labels(np.where(place < genuine, -1, who), names)
    return read(rows.astype(np.float32)).with_(identity=identity, impostor_of=claimed if forged else None)


def rows_of(data: Collection, who: int, count: int) -> list[np.ndarray]:
    assert data.identity is not None
    return [data.source(int(i)) for i in np.flatnonzero(data.identity.codes == who)[:count]]


@pytest.fixture(scope="module")
def plain() -> Siamese:
    return Siamese.from_vectors(DIM, "euclidean").calibrate(signers())


@pytest.fixture(scope="module")
def facing(plain: Siamese) -> Siamese:
    return plain.calibrate(signers(seed=1), refs=5, pool="trimmed", normalise=1.0, prior=0.3)


def test_a_verdict_against_references_is_that_of_its_own_decision(facing: Siamese) -> None:
    data = signers(seed=2)
    *refs, one = rows_of(data, 3, 6)
    decision = facing.decisions[1]
    method = decision.method
    assert (method.references, method.pooling, method.normalised) == (5, "trimmed", True)
    assert decision.prior == 0.3
    far = np.array([np.linalg.norm(one - r) for r in refs])
    among = np.mean([np.linalg.norm(a - b) for i, a in enumerate(refs) for b in refs[:i]])
    verdict = facing.verify(one, refs=refs)
    assert verdict.distance == pytest.approx(np.sort(far)[:4].mean() / among, rel=1e-5)
    assert verdict.probability == pytest.approx(float(decision.probability(verdict.distance)))
    assert verdict.threshold == decision.threshold()
    assert verdict.same == (verdict.distance <= verdict.threshold)
    for mixed in (refs[::-1], tuple(refs), np.stack(refs), read(np.stack(refs))):
        assert facing.verify(one, refs=mixed).distance == pytest.approx(verdict.distance, rel=1e-6)


def test_one_reference_is_a_pair(facing: Siamese, plain: Siamese) -> None:
    a, b = rows_of(signers(seed=2), 0, 2)
    assert facing.verify(a, refs=[b]) == facing.verify(a, b) == plain.verify(a, b)
    assert facing.verify(a, refs=b) == facing.verify(a, b)


def test_verdicts_are_as_good_as_promised(facing: Siamese) -> None:
    data = signers(200, seed=3)
    (promised,) = (point for point in facing.decisions[1].points if point.name == "bayes")
    accepted: dict[str, list[bool]] = {"same": [], "random": [], "skilled": []}
    for who in range(200):
        *refs, mine = rows_of(data, who, 6)
        forged = data.source(12 * who + 8)
        items = {"same": mine, "random": rows_of(data, (who + 1) % 200, 1)[0], "skilled": forged}
        for kind, one in items.items():
            accepted[kind].append(bool(facing.verify(one, refs=refs).same))
    assert promised.apart is not None
    assert 1 - np.mean(accepted["same"]) == pytest.approx(promised.fnmr, abs=0.08)
    assert np.mean(accepted["random"]) == pytest.approx(promised.apart.random, abs=0.08)
    assert np.mean(accepted["skilled"]) == pytest.approx(promised.apart.skilled, abs=0.12)


def test_saved_and_loaded_nothing_changes(facing: Siamese, tmp_path: Path) -> None:
    loaded = Siamese.load(facing.save(tmp_path / "s.gemel"))
    *refs, one = rows_of(signers(seed=2), 1, 6)
    assert loaded.decisions == facing.decisions
    assert loaded.verify(one, refs=refs) == facing.verify(one, refs=refs)
    assert loaded.verify(one, refs[0]) == facing.verify(one, refs[0])
    json.dumps(loaded.json(), allow_nan=False)
    assert len(loaded.json()["references"]) == 1
    assert "Calibrated against 5 references (trimmed, normalised) on 40 identities" in loaded.describe()
    assert "Calibrated on 40 identities" in loaded.describe()


def test_so_many_references_have_one_decision_and_others_have_theirs(facing: Siamese, plain: Siamese) -> None:
    more = facing.calibrate(signers(seed=4), refs=3).calibrate(signers(seed=5), refs=5)
    methods = [(d.method.references, d.method.pooling, d.method.normalised) for d in more.decisions]
    assert methods == [(1, "single", False), (3, "mean", False), (5, "mean", False)]
    assert more.decision == plain.decision
    again = more.calibrate(signers(seed=6))
    assert again.decision != plain.decision
    assert set(more.decisions[1:]) <= set(again.decisions)
    for seed in (0, 1, 4, 5, 6):  # whatever a decision that is still there was fitted on has been seen
        assert again.seen.in_calibration(again.embed(signers(seed=seed)).content).all()


def test_the_number_that_was_not_calibrated_is_refused(facing: Siamese, plain: Siamese) -> None:
    *refs, one = rows_of(signers(seed=2), 1, 7)
    how = r'gemel calibrate MODEL DATA --refs 4 .*twin\.calibrate\(data, refs=4, pool="mean", normalise=0.5\)'
    with pytest.raises(NotCalibrated, match=rf"no decision for 4 references, only for .*5 references.*{how}"):
        facing.verify(one, refs=refs[:4])
    with pytest.raises(NotCalibrated, match="no decision for 5 references"):
        plain.verify(one, refs=refs[:5])
    bare = Siamese.from_vectors(DIM).calibrate(signers(), refs=2)
    with pytest.raises(NotCalibrated, match=r"no decision for two items, only against 2 references \(mean\)"):
        bare.verify(one, refs[0])
    assert bare.decision is None
    with pytest.raises(NotCalibrated):
        facing.but(method=replace(facing.method, precision="int8")).verify(one, refs=refs[:5])


def test_wrong_items_are_refused_by_name(facing: Siamese, tmp_path: Path) -> None:
    *refs, one = rows_of(signers(seed=2), 1, 6)
    for wrong in ({}, {"b": refs[0], "refs": refs}, {"refs": []}):
        with pytest.raises(DataError, match=r"one item, b, or .*refs=\[…\]"):
            facing.verify(one, **wrong)
    with pytest.raises(UnreadableItem, match=r"^Reference 3: "):
        facing.verify(one, refs=[*refs[:2], np.full(DIM, np.nan), *refs[3:]])
    with pytest.raises(UnreadableItem, match=r"^The first item: "):
        facing.verify(np.zeros(2), refs=refs)
    with pytest.raises(DataError, match="distance 0 from each other"):
        facing.verify(one, refs=[refs[0]] * 5)


def test_an_unreadable_file_among_references_is_named(calibrated: Siamese, images: Collection, tmp_path: Path) -> None:
    facing = calibrated.calibrate(images, refs=3, allow_overlap=True)
    files = [images.source(i) for i in range(4)]
    (tmp_path / "bad.png").write_bytes(b"no picture")
    assert facing.verify(files[3], refs=files[:3]).same is not None
    with pytest.raises(UnreadableItem, match=r"bad\.png"):
        facing.verify(files[3], refs=[files[0], str(tmp_path / "bad.png"), files[1]])
    with pytest.raises(UnreadableItem, match=r"gone\.png"):
        facing.verify(files[3], refs=[files[0], files[1], tmp_path / "gone.png"])


def test_wrong_choices_are_refused(plain: Siamese) -> None:
    data = signers()
    with pytest.raises(DataError, match="refs = 1 must be 2 or more"):
        plain.calibrate(data, refs=1)
    with pytest.raises(DataError, match=r"'median'.*mean, minimum, trimmed"):
        plain.calibrate(data, refs=3, pool="median")
    for call in (plain.calibrate, lambda data, **how: evaluate(plain, data, **how)):
        with pytest.raises(DataError, match="say with refs how many"):
            call(data, normalise=1.0)
        with pytest.raises(NotEnoughData, match="knows no identities"):
            call(data.with_(identity=None, impostor_of=None), refs=3)
    with pytest.raises(NotEnoughData, match=r"8 references .* 9 items .*of 40 identities in .*, 0 have"):
        plain.calibrate(data, refs=8)
    with pytest.raises(NotEnoughData, match=r"of 4 identities .*, 4 have so many, and at least 5 must"):
        plain.calibrate(signers(4), refs=5)
    with pytest.raises(DataError, match=r"cut = 0\.5 is about pairs with scores"):
        plain.calibrate(data, refs=3, cut=0.5)


def test_copies_take_part_once(plain: Siamese) -> None:
    data = signers(6, 4, 0)
    rows = np.stack(list(data.sources))
    rows[1] = rows[0]
    data = replace(data, sources=list(rows))
    found = plain.embed(data)
    trials = known_trials(data, found, plain.method.facing(3))
    assert trials.identical == 1
    assert trials.references is not None
    assert 1 not in trials.references
    assert 1 not in trials.b
    assert set(trials.identity_a[trials.same].tolist()) == set(range(1, 6))  # the first has three items left


def test_trials_rest_on_the_references_identity_and_on_the_items(plain: Siamese) -> None:
    data = signers(10)
    assert data.identity is not None
    assert data.impostor_of is not None
    trials = known_trials(data, plain.embed(data), plain.method.facing(5))
    assert trials.references is not None
    codes, claimed = data.identity.codes, data.impostor_of.codes
    np.testing.assert_array_equal(codes[trials.references[trials.a]], np.repeat(trials.identity_a[:, None], 5, 1))
    np.testing.assert_array_equal(trials.identity_b, np.where(trials.skilled, claimed[trials.b], codes[trials.b]))
    assert ((trials.identity_a == trials.identity_b) == (trials.same | trials.skilled)).all()


@pytest.mark.parametrize("refs", [None, 4])
def test_rates_of_either_kind_are_those_of_a_loop(plain: Siamese, refs: int | None) -> None:
    fitted = plain.calibrate(signers(seed=1), refs=refs) if refs else plain
    data = signers(30, seed=7)
    found = evaluate(fitted, data, refs=refs)
    embeddings = fitted.embed(data)
    known = known_trials(data, embeddings, found.method) if refs else known_pairs(data, embeddings)
    far = known.distances(embeddings.vectors, fitted.metric).astype(float)
    kinds = {"random": ~known.same & ~known.skilled, "skilled": known.skilled}
    assert data.impostor_of is not None
    fakes = data.impostor_of.codes[known.b] >= 0 if refs else data.impostor_of.codes[known.a] >= 0
    fakes |= data.impostor_of.codes[known.b] >= 0
    np.testing.assert_array_equal(known.skilled, fakes)
    for name, rows in kinds.items():
        measured = getattr(found, name)
        both = known.same | rows
        assert measured.eer == pytest.approx(eer(far[both], known.same[both]))
        assert measured.different == rows.sum()
        assert measured.eer in measured.eer_interval
        for cost in found.costs:
            assert getattr(cost.apart, name) == pytest.approx(np.mean(far[rows] <= cost.threshold))
            assert getattr(cost.apart, name) in getattr(cost.apart, f"{name}_interval")
    for cost in found.costs:
        assert cost.fmr == pytest.approx(np.mean(far[~known.same] <= cost.threshold))
        assert cost.fnmr == pytest.approx(np.mean(far[known.same] > cost.threshold))
    assert found.skilled is not None
    assert found.random is not None
    assert found.skilled.eer > found.random.eer
    assert f"{found.skilled.different:,} skilled ones alone: AUC" in found.summary()
    json.dumps(found.json(), allow_nan=False)


def test_evaluation_compares_as_calibrated_unless_told(facing: Siamese) -> None:
    data = signers(30, seed=8)
    usual, told = evaluate(facing, data, refs=5), evaluate(facing, data, refs=5, pool="mean", normalise=0.0)
    assert usual.method == facing.decisions[1].method
    assert [cost.name for cost in usual.costs] == [point.name for point in facing.decisions[1].points]
    assert (told.method.pooling, told.method.normalised, told.costs) == ("mean", False, ())
    assert evaluate(facing, data, refs=3).method == facing.method.facing(3)
    assert "trials against 5 references (trimmed, normalised)" in usual.summary()
    assert evaluate(facing, data).method == facing.method


def test_thresholds_for_a_rate_of_either_kind(plain: Siamese) -> None:
    decision = plain.decision
    assert decision is not None
    names = ["bayes", "eer", "fmr_random=1e-1", "fmr_skilled=1e-1"]
    assert [point.name for point in decision.points] == names
    random, skilled = decision.asked(0.1, "random"), decision.asked(0.1, "skilled")
    assert random.apart is not None
    assert skilled.apart is not None
    assert random.apart.random == pytest.approx(0.1, abs=0.02)
    assert skilled.apart.skilled == pytest.approx(0.1, abs=0.02)
    assert skilled.threshold < random.threshold
    assert decision.asked(0.1) == skilled  # the stricter holds for either kind
    a, b = rows_of(signers(seed=2), 0, 2)
    assert plain.verify(a, b, fmr=0.1).point == "fmr_skilled=1e-1"
    assert plain.verify(a, b, fmr=0.1, against="random").threshold == random.threshold
    with pytest.raises(NotCalibrated, match=r"fmr_skilled=1e-2.*at least 300 independent identities; there are 40"):
        plain.verify(a, b, fmr=0.01)
    with pytest.raises(DataError, match="name that too, with fmr"):
        plain.verify(a, b, against="random")
    plain = plain.calibrate(signers(forged=0))
    assert [point.name for point in plain.decisions[0].points] == ["bayes", "eer", "fmr=1e-1"]
    assert plain.decisions[0].points[0].apart is None
    with pytest.raises(NotCalibrated, match="calibration met no impostors"):
        plain.verify(a, b, fmr=0.1, against="skilled")


def test_both_kinds_survive_another_prior_and_json(plain: Siamese) -> None:
    decision = plain.decision
    assert decision is not None
    for prior in (0.5, 0.01, 1e-9, 1 - 1e-9):
        made = decision.at(prior)
        assert Decision.from_json(json.loads(json.dumps(made.json(), allow_nan=False))) == made
        apart = made.point("bayes").apart
        assert apart is not None
        assert apart.random in apart.random_interval
        assert apart.skilled in apart.skilled_interval
        assert apart.random <= made.point("bayes").fmr <= apart.skilled
    strict, loose = (decision.at(prior).point("bayes").apart for prior in (0.01, 0.9))
    assert strict is not None
    assert loose is not None
    assert strict.skilled < loose.skilled
    assert (decision.counts.skilled, decision.counts.skilled_identities) == (40 * 8 * 4, 40)


def test_items_that_training_saw_are_refused_here_too(plain: Siamese) -> None:
    data = signers()
    taught = Siamese.from_vectors(DIM).but(seen=Seen.of(trained=plain.embed(data).content[:3]))
    with pytest.raises(DataError, match=r"3 items .*allow_overlap"):
        taught.calibrate(data, refs=5)


def test_two_branches_have_no_references(plain: Siamese) -> None:
    crossing = plain.but(method=replace(plain.method, branches=("photo", "title")))
    with pytest.raises(DataError, match="photo with title"):
        crossing.method.facing(5)
    alone = crossing.method.within("photo").facing(5)
    assert (alone.alone, alone.sides, alone.pairwise.sides) == ("photo", "5 photo references (mean)", "another photo")


def test_a_method_that_cannot_be_is_damage(facing: Siamese) -> None:
    value = facing.decisions[1].json()
    for wrong in ({"references": 1}, {"references": 0}, {"pooling": "single"}, {"pooling": 3}):
        with pytest.raises(ModelError, match="calibrate the model again"):
            Decision.from_json(value | {"method": value["method"] | wrong})
