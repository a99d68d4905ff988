"""Twins of records: fields fused into one embedding, or compared with each other in two branches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

import gemel
from gemel.errors import DataError, ModelError, NotCalibrated, NotEnoughData, Overlap, RecipeError
from gemel.gallery import Gallery
from gemel.items import Collection, RecordModality, TextModality, VectorModality, read
from gemel.items.branched import only
from gemel.items.collection import Pairs
from gemel.learn.arrange import arranged
from gemel.learn.augment import Augment
from gemel.learn.confuse import mined
from gemel.learn.encoders import Branch, Branches, build
from gemel.learn.fit import exported, fit
from gemel.learn.mixture import Mixture, distorted
from gemel.learn.noise import Noise
from gemel.learn.outset import outset
from gemel.learn.train import train
from gemel.learn.waves import Waves
from gemel.recipe import Recipe
from gemel.report import write_report
from gemel.siamese import evaluate
from gemel.siamese.duplication import duplicates, known_already
from tests.learn.killing import assert_equal, assert_resumes

WORDS = "red green blue old new small large wooden metal glass lamp chair table clock shelf mirror".split()
QUICK = Recipe(width=16, depth=1, dim=16, vocabulary=200, length=16, steps=60, checks=3, lr=5e-3, precision="fp32")


def products(identities: int = 60, items: int = 5, seed: int = 0, *, lacking: float = 0.0) -> Collection:
    """A product is four words and the point that they add up to: a shape tells the point, a name some of the words."""
    rng, meaning = np.random.default_rng(seed), np.random.default_rng(0).normal(size=(len(WORDS), 6))
    rows, labels = [], []
    for identity in range(identities):
        words = rng.choice(len(WORDS), 4, replace=False)
        for _ in range(items):
            name = " ".join([*(WORDS[i] for i in rng.permutation(words)[:3]), "offer"])
            shape = (meaning[words].sum(0) + rng.normal(size=6)).tolist()
            rows.append((None if rng.random() < lacking else shape, None if rng.random() < lacking else name))
            labels.append(f"p{identity}")
    rows = [row if any(row) else (row[0], "offer") for row in rows]
    table = {"shape": [shape for shape, _ in rows], "name": [name for _, name in rows], "identity": labels}
    return read(table, fields="shape,name")


@pytest.fixture(scope="module")
def fused() -> gemel.Siamese:
    return train(products(lacking=0.1), QUICK, progress=False)


@pytest.fixture(scope="module")
def two() -> gemel.Siamese:
    one_each = products(200, 1).with_(identity=None)
    return train(one_each, QUICK.but(steps=150), progress=False)


def test_fused_records_beat_either_field_and_do_without_one(fused: gemel.Siamese) -> None:
    test = products(seed=1)

    def error(*hidden: str) -> float:
        less = [{**test.source(i), **dict.fromkeys(hidden)} for i in range(len(test))]
        data = test.with_(sources=less)
        return evaluate(fused, data).verification.eer

    both, shape, name = error(), error("name"), error("shape")
    assert both < min(shape, name)
    assert max(shape, name) < 0.35


def test_a_fused_twin_is_saved_asked_and_reported(fused: gemel.Siamese, tmp_path: Path) -> None:
    fused.save(tmp_path / "f.gemel")
    again = gemel.Siamese.load(tmp_path / "f.gemel")
    test = products(20, seed=2)
    one, other = test.source(0), test.source(1)
    assert again.verify(one, other) == fused.verify(one, other)
    assert again.distance({"name": "red old lamp"}, {"name": "red old lamp"}) == pytest.approx(0, abs=1e-6)
    found = again.embed([one, {"nmae": "x"}, {"shape": one["shape"]}])
    assert list(found.index) == [0, 2]
    assert "expected shape, name" in found.bad[0].reason
    assert "records of shape, name" in again.describe()
    page = write_report(tmp_path / "f.html", again, test).read_text(encoding="utf-8")
    assert "offer</p>" in page


def test_items_of_one_field_are_records_without_the_others(fused: gemel.Siamese) -> None:
    texts = read(["red old lamp", "new glass clock"])
    found = fused.embed(texts).vectors
    np.testing.assert_allclose(found, fused.embed([{"name": "red old lamp"}, {"name": "new glass clock"}]).vectors)


def test_two_branches_find_each_other(two: gemel.Siamese, tmp_path: Path) -> None:
    assert two.method.branches == ("shape", "name")
    assert two.decision is not None
    assert two.decision.method.branches == ("shape", "name")
    two.save(tmp_path / "b.gemel")
    again = gemel.Siamese.load(tmp_path / "b.gemel")
    seen = products(200, 1).take(np.arange(100)).with_(identity=None)
    found = evaluate(again, seen)
    assert [(each.asking, each.answering) for each in found.across] == [("shape", "name"), ("name", "shape")]
    assert min(each.retrieval.recall[2].value for each in found.across) > 0.5  # of 100; chance is 0.1
    assert "shape → name: R@1" in found.summary()
    record = seen.source(0)
    verdict = again.verify(record["shape"], record["name"])
    assert verdict == again.verify({"name": record["name"]}, {"shape": record["shape"]})
    with pytest.raises(NotCalibrated, match=r'DATA --branch name`, or twin\.calibrate\(data, branch="name"\)'):
        again.verify({"name": "red lamp"}, {"name": "old lamp"})
    assert again.score({"name": "red lamp"}, {"name": "red lamp"}) == pytest.approx(1, abs=1e-5)
    far = again.distance([record["shape"]] * 2, [record["name"], seen.source(5)["name"]])
    assert far[0] == pytest.approx(verdict.distance, abs=1e-5)
    page = write_report(tmp_path / "b.html", again, seen).read_text(encoding="utf-8")
    assert "name → shape R@1" in page
    assert "shape with name" in page


def test_what_two_branches_decide_is_asked_of_one_item_of_each_only(two: gemel.Siamese) -> None:
    shape, lamp = {"shape": [0.0] * 6}, {"name": "red lamp"}
    found = two.score([shape, lamp], [lamp, lamp])
    np.testing.assert_allclose(found, [two.score(shape, lamp), 1], atol=1e-5)
    assert two.verify({**shape, "name": None}, {**lamp, "shape": None}) == two.verify(shape, lamp)
    for ask in (duplicates, lambda twin, data: known_already(twin, lamp, data)):
        with pytest.raises(NotCalibrated, match="two of the same kind"):
            ask(two, products(9, 1))
    with pytest.raises(DataError, match="Leave out refs"):
        two.verify(shape, refs=["red lamp", "old lamp"])


def test_a_branch_is_a_twin_of_its_own(two: gemel.Siamese) -> None:
    names, shapes = two.branch("name"), two.branch("shape")
    assert names.modality.name == "text"
    np.testing.assert_allclose(names.embed(["red lamp"]).vectors, two.embed([{"name": "red lamp"}]).vectors, atol=1e-6)
    assert shapes.embed(np.zeros((3, 6), np.float32)).vectors.shape == (3, 16)
    taught = products(200, 1)
    with pytest.raises(Overlap, match="trained on"):
        names.calibrate(read([taught.source(i)["name"] for i in range(40)], labels=[f"p{i // 2}" for i in range(40)]))
    with pytest.raises(ModelError, match="no branch 'title'"):
        two.branch("title")
    with pytest.raises(ModelError, match="no branches"):
        names.branch("name")


@pytest.fixture(scope="module")
def three(two: gemel.Siamese) -> gemel.Siamese:
    """Two branches with the decision of both, and one of shapes."""
    return two.calibrate(products(40, 4, seed=1), branch="shape")


def test_two_items_of_a_branch_have_a_decision_beside_that_of_both(two: gemel.Siamese, three: gemel.Siamese) -> None:
    data = products(40, 4, seed=1)
    alone = two.branch("shape").calibrate(only(data, "shape"))
    assert three.decision == two.decision
    assert three.branch("shape").decisions == alone.decisions
    a, b, c = (data.source(i)["shape"] for i in (0, 1, 9))
    for one, other in ((a, b), (a, c)):
        found = three.verify({"shape": one}, {"shape": other})
        wanted = alone.verify(one, other)
        assert (found.same, found.point, found.branch) == (wanted.same, wanted.point, "shape")
        assert (found.distance, found.probability) == pytest.approx((wanted.distance, wanted.probability), abs=1e-5)
        assert three.score({"shape": one}, {"shape": other}) == pytest.approx(found.probability)
    assert three.verify(a, "red lamp") == two.verify(a, "red lamp")
    assert three.verify(a, "red lamp").branch == ""
    with pytest.raises(NotCalibrated, match="no decision about name with name"):
        three.verify({"name": "red lamp"}, {"name": "old lamp"})
    with pytest.raises(gemel.errors.UnreadableItem, match="shape and name, where one"):
        three.verify({"shape": a, "name": "red lamp"}, {"shape": b, "name": "red lamp"})


def test_rows_of_any_branches_are_scored_each_by_its_own_decision(three: gemel.Siamese) -> None:
    a, b = ({"shape": products(2, 2, seed=3).source(i)["shape"]} for i in (0, 3))
    lamp, chair = {"name": "red lamp"}, {"name": "old chair"}
    pairs = [(a, b), (a, lamp), (lamp, chair), (lamp, b)]
    np.testing.assert_allclose(
        three.score(*map(list, zip(*pairs, strict=True))), [three.score(*p) for p in pairs], atol=1e-5
    )
    assert three.score(a, lamp) == pytest.approx(three.verify(a, lamp).probability)


def test_the_decision_of_a_branch_is_kept_said_and_replaced(three: gemel.Siamese, tmp_path: Path) -> None:
    three.save(tmp_path / "t.gemel")
    again = gemel.Siamese.load(tmp_path / "t.gemel")
    assert again.decisions == three.decisions
    assert again.branch("shape").decisions == three.branch("shape").decisions
    assert [each["method"]["branches"] for each in again.json()["branches"]] == [["shape"]]
    said = again.describe()
    assert "Calibrated for shape with shape on 40 identities" in said
    assert said.index("Calibrated on") < said.index("Calibrated for shape")
    assert "Calibrated on 40 identities" in again.branch("shape").describe()
    both = three.calibrate(products(60, 1, seed=4).with_(identity=None), allow_overlap=True)
    assert both.branch("shape").decisions == three.branch("shape").decisions
    assert both.decision != three.decision
    anew = three.calibrate(products(30, 4, seed=5), branch="shape")
    assert [each.method.branches for each in anew.decisions] == [("shape", "name"), ("shape",)]
    assert anew.branch("shape").decision != three.branch("shape").decision
    alone = three.but(decisions=three.decisions[1:])
    assert "Not calibrated for shape with name" in alone.describe()
    with pytest.raises(NotCalibrated, match="another method"):
        alone.verify([0.0] * 6, "red lamp")


def test_what_calibrated_a_branch_is_known_to_it(two: gemel.Siamese, three: gemel.Siamese) -> None:
    data = products(40, 4, seed=1)
    assert evaluate(three.branch("shape"), only(data, "shape")).calibrated_on == len(data)
    assert evaluate(three.branch("name"), only(data, "name")).calibrated_on == 0
    first = two.but(decisions=()).calibrate(data, branch="shape")
    anew = first.calibrate(products(30, 4, seed=5), branch="shape")
    assert evaluate(anew.branch("shape"), only(data, "shape")).calibrated_on == 0
    with pytest.raises(Overlap, match="trained on"):
        two.calibrate(products(200, 1), branch="shape")


def test_first_dimensions_of_two_branches_are_saved_with_their_decisions(tmp_path: Path) -> None:
    begun = outset(products(60, 1).with_(identity=None), QUICK.but(dim=32, prefixes="8", steps=4))
    twin = exported(begun, None).calibrate(products(40, 4, seed=1), branch="shape")
    assert [(each.method.dim, each.method.branches) for each in twin.decisions] == [(32, ("shape",)), (8, ("shape",))]
    twin.prefix(8).save(tmp_path / "p.gemel")
    again = gemel.Siamese.load(tmp_path / "p.gemel")
    a, b = ({"shape": products(40, 4, seed=1).source(i)["shape"]} for i in (0, 1))
    assert again.embed([a, {"name": "red lamp"}]).vectors.shape == (2, 8)
    assert again.embedding_id == twin.prefix(8).embedding_id
    assert again.verify(a, b) == twin.prefix(8).verify(a, b)


def test_a_branch_takes_bare_items_and_those_of_records_that_have_them(two: gemel.Siamese) -> None:
    data = products(40, 4, seed=1, lacking=0.1)
    shapes = only(data, "shape")
    there = [i for i in range(len(data)) if data.source(i)["shape"] is not None]
    assert len(shapes) == len(there) < len(data)
    assert f"{len(data) - len(there)} records without shape." in shapes.notes
    assert shapes.name(0).endswith("row 0 shape")
    rows, labels = [data.source(i)["shape"] for i in there], [data.identity.value(i) for i in there]  # type: ignore[union-attr]
    bare = read(np.array(rows, np.float32), labels=labels)
    assert two.calibrate(bare, branch="shape").decisions == two.calibrate(data, branch="shape").decisions


def test_references_and_scores_of_a_branch(two: gemel.Siamese, three: gemel.Siamese, tmp_path: Path) -> None:
    data = products(40, 4, seed=1)
    facing = three.calibrate(data, branch="shape", refs=3, pool="minimum")
    facing.save(tmp_path / "r.gemel")
    facing = gemel.Siamese.load(tmp_path / "r.gemel")
    assert [each.method.sides for each in facing.decisions[1:]] == ["another shape", "3 shape references (minimum)"]
    assert "Calibrated for shape with shape against 3 shape references" in facing.describe()
    one, *others = ({"shape": data.source(i)["shape"]} for i in range(4))
    found = facing.verify(one, refs=others)
    alone = facing.branch("shape").verify(one["shape"], refs=[each["shape"] for each in others])
    assert (found.references, found.branch, found.probability) == (
        3,
        "shape",
        pytest.approx(alone.probability, abs=1e-5),
    )
    with pytest.raises(NotCalibrated, match=r'--branch shape --refs 2 .*branch="shape", refs=2'):
        facing.verify(one, refs=others[:2])
    for mixed in ([*others[:2], {"name": "red lamp"}], ["red lamp", "old lamp"]):
        with pytest.raises(DataError, match="Leave out refs, or name the branch"):
            facing.verify(one, refs=mixed)
    score = np.linspace(0, 1, 80)
    pairs = Pairs(np.arange(0, 160, 2), np.arange(1, 160, 2), score=score)
    graded = two.calibrate(data.with_(identity=None, pairs=pairs), branch="shape")
    assert graded.grades is None
    assert graded.score(one, others[0]) == pytest.approx(graded.branch("shape").score(one["shape"], others[0]["shape"]))
    assert "Scores of shape with shape" in graded.describe()
    with pytest.raises(NotCalibrated, match=r"--branch shape --cut 0\.8"):
        graded.verify(one, others[0])


def test_what_cannot_be_calibrated_of_a_branch_is_refused(fused: gemel.Siamese, two: gemel.Siamese) -> None:
    data = products(40, 4, seed=1)
    with pytest.raises(ModelError, match="no branch 'title'; it has shape and name"):
        two.calibrate(data, branch="title")
    for one in (fused, two.branch("shape")):
        with pytest.raises(ModelError, match="no branches"):
            one.calibrate(data, branch="shape")
    with pytest.raises(ModelError, match="compares vectors"):
        two.calibrate(read(["red lamp", "old lamp"] * 9, labels=list(range(18))), branch="shape")
    with pytest.raises(DataError, match="no field 'shape'"):
        two.calibrate(read({"v": [[1.0] * 6] * 4, "name": ["red lamp"] * 4}, fields="v,name"), branch="shape")
    hollow = data.with_(sources=[{"shape": None, "name": "red lamp"}] * len(data))
    with pytest.raises(NotEnoughData, match="no record has shape"):
        two.calibrate(hollow, branch="shape")
    with pytest.raises(NotEnoughData, match="neither identities nor pairs"):
        two.calibrate(data.with_(identity=None), branch="shape")


def test_a_gallery_of_one_branch_names_whom_it_knows(three: gemel.Siamese) -> None:
    data = only(products(20, 4, seed=6), "shape")
    gallery = Gallery(twin=three.branch("shape"))
    for i in range(0, 16, 4):
        gallery.enroll(f"p{i // 4}", data.source(i))
    assert gallery.verify("p3", data.source(12)).same
    found = gallery.identify(data.source(12))
    assert found is not None
    assert found.identity == "p3"


def test_either_kind_asks_a_gallery(two: gemel.Siamese) -> None:
    data = products(200, 1).with_(identity=None)
    gallery = Gallery(twin=two)
    for i in range(20):
        gallery.enroll(f"p{i}", {"shape": data.source(i)["shape"]})
    by_name = gallery.search({"name": data.source(3)["name"]}, k=20)
    by_shape = gallery.search({"shape": data.source(3)["shape"]}, k=1)
    assert by_shape[0].identity == "p3"
    with pytest.raises(NotCalibrated, match="may hold either"):
        gallery.identify({"name": "red lamp"})
    assert [hit.identity for hit in by_name].index("p3") < 10


@pytest.mark.parametrize("loss", ["infonce", "multiplenegatives", "sigmoid", "contrastive"])
def test_branches_learn_by_other_losses(loss: str, tmp_path: Path) -> None:
    begun = outset(products(60, 1).with_(identity=None), QUICK.but(steps=4, loss=loss, average=0.0))
    network = begun.learner.network
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    fit(begun, tmp_path, progress=False)
    assert network.backbone.names == ("shape", "name")
    moved = {name for name, weight in network.named_parameters() if not torch.equal(weight, before[name])}
    assert moved == before.keys()


def test_what_is_mined_of_two_branches_is_of_the_other_one() -> None:
    data = products(40, 1, lacking=0.2).with_(identity=None)
    learner = outset(data, QUICK.but(holdout=0.0, mined=3)).learner
    known = learner.steps.data
    field = np.array([next(iter(known.raws[int(row)])) for row in known.place])
    table = mined(learner, 3)
    row, col = np.nonzero(table >= 0)
    assert len(row) > len(np.unique(known.a))
    assert (field[row] == "shape").all()
    assert (field[table[row, col]] == "name").all()


def test_records_are_fused_where_something_is_known_of_them() -> None:
    known, unknown = products(4, 3), products(4, 3).with_(identity=None)
    for data, wanted in ((known, None), (unknown, "shape,name"), (products(9, 1), "shape,name")):
        made, recipe = arranged(data, Recipe())
        assert recipe.branches == wanted
        assert ("Two branches, for no two records" if wanted else "Fused: shape and name") in made.summary()
    _, recipe = arranged(known, Recipe(branches="name,shape"))
    assert recipe.branches == "name,shape"


def test_what_cannot_be_arranged_is_refused() -> None:
    table = {"u": [[1.0, 2.0]] * 4, "v": ["x y", "y z", "z x", "x z"], "w": [1, 2, 3, 4]}
    with pytest.raises(NotEnoughData, match="--branches u,v"):
        arranged(read(table, fields="u,v,w"), Recipe())
    for wrong in ("u", "u,u", "u,v,w"):
        with pytest.raises(RecipeError, match="two fields"):
            arranged(read(table, fields="u,v,w"), Recipe(branches=wrong))
    with pytest.raises(RecipeError, match="is about records"):
        arranged(read(["some text", "other text"]), Recipe(branches="a,b"))


@pytest.mark.parametrize(
    ("choices", "reason"),
    [
        ({"encoder": "dense"}, "FIELD=ENCODER"),
        ({"encoder": "shap=dense"}, "names no field 'shap'"),
        ({"encoder": "name=conv"}, "takes items of modality image"),
        ({"size": 32}, "size = 32 is about image items"),
        ({"rotations": True}, "these items are no images"),
        ({"tune": "frozen"}, "needs a pretrained encoder"),
        ({"branches": "shape,nmae"}, "names 'nmae'"),
    ],
)
def test_choices_that_do_not_fit_records_are_refused(choices: dict[str, Any], reason: str) -> None:
    with pytest.raises(RecipeError, match=reason):
        outset(products(12, 3), QUICK.but(**choices))
    with pytest.raises(RecipeError, match="fusion = 'gated' is about record"):
        outset(read(["a b", "b c"] * 9, labels=[0, 1] * 9), QUICK.but(fusion="gated"))


def test_training_of_records_resumes(tmp_path: Path) -> None:
    assert_resumes(lambda: products(30, 4, lacking=0.1), QUICK.but(steps=12), 6, tmp_path)


def test_a_twin_of_records_is_gone_on_from(fused: gemel.Siamese, two: gemel.Siamese, tmp_path: Path) -> None:
    begun = outset(products(40, 4, seed=5), Recipe(steps=2), start=fused)
    weights = safetensors.torch.load(fused.weights())
    assert begun.recipe.dim == 16
    assert_equal(dict(begun.learner.encoder.state_dict()), weights)
    fit(begun, tmp_path, progress=False)
    again = train(products(90, 1, seed=5).with_(identity=None), Recipe(steps=2), start=two, progress=False)
    assert again.method.branches == ("shape", "name")


def test_a_field_is_hidden_of_as_many_items_as_asked_and_never_the_last_one() -> None:
    chance = np.random.default_rng(0)
    present = torch.from_numpy(chance.integers(0, 2, (4000, 3)))
    present[present.sum(1) == 0] = 1
    left = Mixture({}, hide=0.3).hidden(present, Noise(1, 4000, slice(None), torch.device("cpu")))
    lost = (present - left).sum(1)
    several = present.sum(1) > 1
    assert ((present - left) >= 0).all()
    assert (left.sum(1) >= 1).all()
    assert set(lost.tolist()) == {0, 1}
    assert not lost[~several].any()
    assert lost[several].float().mean().item() == pytest.approx(0.3, abs=0.03)
    whole = torch.ones(3000, 3, dtype=torch.int64)
    gone = 3000 - Mixture({}, hide=0.9).hidden(whole, Noise(2, 3000, slice(None), torch.device("cpu"))).sum(0)
    np.testing.assert_allclose(gone / gone.sum(), 1 / 3, atol=0.04)


def test_each_field_is_distorted_in_its_own_way() -> None:
    inputs = {
        "photo.image": torch.rand(4, 3, 8, 8),
        "trace.series": torch.randn(4, 9, 1),
        "trace.attention_mask": torch.ones(4, 9, dtype=torch.int64),
        "price.vector": torch.randn(4, 1),
        "present": torch.ones(4, 3, dtype=torch.int64),
    }
    how = Mixture({"photo": Augment(degrees=30), "trace": Waves(gain=0.5), "price": Augment(degrees=30)})
    turns = torch.zeros(4, dtype=torch.int64)
    changed = distorted(inputs, how, turns, 7, slice(0, 4), 4)
    assert {name for name in inputs if not torch.equal(inputs[name], changed[name])} == {"photo.image", "trace.series"}
    again = distorted(inputs, how, turns, 7, slice(0, 4), 4)
    part = distorted({name: x[1:3] for name, x in inputs.items()}, how, turns[1:3], 7, slice(1, 3), 4)
    for name in inputs:
        torch.testing.assert_close(changed[name], again[name], rtol=0, atol=0)
        torch.testing.assert_close(changed[name][1:3], part[name])


def branches() -> Branches:
    words = TextModality(vocabulary=100, length=8)
    words = words.fit([words.load(" ".join(WORDS))])
    modality = RecordModality({"shape": VectorModality(6), "name": words}, single=True)
    recipe = QUICK.but(
        encoder="shape=dense,name=recurrent", norm="group", distance="cosine", branches="shape,name", cell="lstm"
    )
    torch.manual_seed(0)
    backbone = build(recipe, modality).backbone
    assert isinstance(backbone, Branches)
    return backbone


def test_a_branch_alone_gives_what_both_give_and_neighbours_do_not_matter() -> None:
    both = branches().eval()
    inputs = both.example(9, torch.Generator().manual_seed(0))
    found = both(*inputs.values())
    for i, name in enumerate(both.names):
        rows = inputs["present"][:, i] > 0
        own = {key.removeprefix(f"{name}."): x[rows] for key, x in inputs.items() if key.startswith(f"{name}.")}
        torch.testing.assert_close(Branch(both, name).eval()(*own.values()), found[rows], atol=1e-6, rtol=0)
        torch.testing.assert_close(both(*[x[rows] for x in inputs.values()]), found[rows], atol=1e-6, rtol=0)


def test_every_weight_of_both_branches_learns() -> None:
    both = branches().train()
    both(*both.example(9, torch.Generator().manual_seed(0)).values()).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in both.parameters())


def test_a_field_that_came_trained_is_adapted_or_frozen_alone(tmp_path: Path) -> None:
    from tests.learn.test_texts import tiny

    folder = tiny(tmp_path)
    data = products(40, 4)
    for tune in ("frozen", "warmup", "lora"):
        recipe = QUICK.but(steps=6, encoder=f"name={folder}", tune=tune, vocabulary=None)
        fit(begun := outset(data, recipe), tmp_path / tune, progress=False)
    twin = exported(begun, None)
    further = train(data, Recipe(steps=1), start=twin, progress=False)
    assert further.method.dim == twin.method.dim
    before = outset(data, recipe.but(tune="frozen")).learner.encoder
    frozen = [name for name, weight in before.named_parameters() if not weight.requires_grad]
    assert frozen
    assert all(name.startswith("backbone.backbones.1.") for name in frozen)
    assert not before.train().backbone.backbones[1].training  # type: ignore[union-attr, index]
