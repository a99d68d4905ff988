"""Losses of pytorch-metric-learning inside gemel: what they are given, and gemel's own on the same batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gemel.errors import RecipeError
from gemel.learn.distances import distance
from gemel.learn.losses import InfoNCE, Knows, Loss, Memory, PytorchMetricLearning, SupCon
from gemel.learn.outset import outset
from gemel.learn.relation import UNKNOWN, Relation, Side
from gemel.learn.train import train
from tests.learn.loss_oracles import codes, embeddings, explicit, reordered, value_and_gradient
from tests.learn.patterns import QUICK, collection

theirs = pytest.importorskip("pytorch_metric_learning.losses")
miners = pytest.importorskip("pytorch_metric_learning.miners")

N, DIM = 14, 6
LABELS = [0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 1, 0, 5]
OVER_PAIRS: dict[str, Callable[[], nn.Module]] = {
    "contrastive": lambda: theirs.ContrastiveLoss(),
    "triplet": lambda: theirs.TripletMarginLoss(margin=0.2),
    "multisimilarity": lambda: theirs.MultiSimilarityLoss(),
    "circle": lambda: theirs.CircleLoss(gamma=8),
    "supcon": lambda: theirs.SupConLoss(temperature=0.3),
    "ntxent": lambda: theirs.NTXentLoss(temperature=0.3),
    "lifted": lambda: theirs.GeneralizedLiftedStructureLoss(),
    "signal to noise": lambda: theirs.SignalToNoiseRatioContrastiveLoss(),
}
BY_CLASS: dict[str, Callable[[], nn.Module]] = {
    "proxyanchor": lambda: theirs.ProxyAnchorLoss(5, DIM),
    "arcface": lambda: theirs.ArcFaceLoss(5, DIM),
    "softmax": lambda: theirs.NormalizedSoftmaxLoss(5, DIM),
}
over_pairs = pytest.mark.parametrize("name", OVER_PAIRS)
by_class = pytest.mark.parametrize("name", BY_CLASS)

CODES = torch.tensor([40, 8, 12, 4, 0])


def paired(name: str, **how: Any) -> PytorchMetricLearning:
    return PytorchMetricLearning(distance("cosine"), OVER_PAIRS[name](), **how).double()


def classed(name: str) -> PytorchMetricLearning:
    torch.manual_seed(0)
    return PytorchMetricLearning(distance("cosine"), BY_CLASS[name](), identities=CODES).double()


def listed(relation: Relation) -> tuple[Tensor, ...]:
    """Their list of pairs, by a loop over what is known."""
    block = relation.block()
    places = [(i, j) for i in range(relation.shape[0]) for j in range(relation.shape[1])]
    same, different = ([p for p in places if mask[p]] for mask in (block.same, block.different))
    return tuple(torch.tensor(column) for kind in (same, different) for column in zip(*kind, strict=True))


def known() -> dict[str, Relation]:
    """What labels alone do not say."""
    ids = torch.tensor([0, 0, 2, 3, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13])
    view = torch.tensor([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0])
    claims = Side(torch.arange(N), 0 * view, torch.tensor(LABELS), torch.tensor([UNKNOWN] * 12 + [2, 1]))
    return {
        "items twice": Relation.within(codes(LABELS, ids=ids, view=view)),
        "views": Relation.within(Side(torch.arange(N) // 2, torch.arange(N) % 2), others="different"),
        "pairs": explicit(N, (0, 1, 1.0), (0, 2, 0.0), (1, 3, 0.0), (4, 5, 1.0), (6, 7, 0.0), (0, 8, 1.0)),
        "impostors": Relation.within(claims),
        "unknown": Relation.within(codes([*LABELS[:9], *[UNKNOWN] * 5]), others="different"),
    }


@over_pairs
def test_labels_are_all_they_need_of_an_ordinary_batch(name: str) -> None:
    x, loss = embeddings(), paired(name)
    term = loss(x, x, Relation.within(codes(LABELS)))
    assert term.value == loss.theirs(x, torch.tensor(LABELS))
    assert term.value > 0
    assert term.counted == N * (N - 1)


@over_pairs
@pytest.mark.parametrize("which", known())
def test_otherwise_they_are_told_every_pair_that_is_known(name: str, which: str) -> None:
    x, loss, relation = embeddings(), paired(name), known()[which]
    pairs = listed(relation)
    term = loss(x, x, relation)
    expected = loss.theirs(x, torch.zeros(N, dtype=torch.long), pairs)
    assert term.value.item() == pytest.approx(expected.item(), abs=1e-9)
    assert term.counted == len(pairs[0]) + len(pairs[2])


@over_pairs
def test_a_listed_batch_is_the_labelled_one(name: str) -> None:
    """An impostor of nobody in the batch makes every pair be listed, and changes nothing else."""
    x, loss = embeddings(), paired(name)
    side = codes(LABELS)
    claims = Side(side.ids, side.view, side.identity, torch.full((N,), UNKNOWN))
    expected = loss(x, x, Relation.within(side))
    found = loss(x, x, Relation.within(claims))
    assert found.value.item() == pytest.approx(expected.value.item(), abs=1e-9)
    assert found.counted == expected.counted


@over_pairs
def test_columns_are_their_reference(name: str) -> None:
    """Rows are among the columns: a row is not its own positive."""
    x, side, loss = embeddings(), codes(LABELS), paired(name)
    relation = Relation(side[:5], side)
    term = loss(x[:5], x, relation)
    labels = torch.tensor(LABELS)
    expected = loss.theirs(x[:5], labels[:5], listed(relation), x, labels)
    assert term.value.item() == pytest.approx(expected.item(), abs=1e-9)
    assert term.counted == 5 * (N - 1)


@pytest.mark.parametrize("which", ["items twice", "views", "impostors", "unknown"])
def test_their_loss_is_gemels_on_the_same_batch(which: str) -> None:
    """Both take the mean over anchors that have a positive; theirs leaves out values that are 0."""
    x, relation = embeddings(), known()[which]
    ours = SupCon(distance("cosine"), temperature=0.3)(x, x, relation).value
    assert paired("supcon")(x, x, relation).value.item() == pytest.approx(ours.item(), abs=1e-9)
    if which == "views":  # one positive each: here the mean over pairs is the mean over anchors
        ours = InfoNCE(distance("cosine"), temperature=0.3)(x, x, relation).value
        assert paired("ntxent")(x, x, relation).value.item() == pytest.approx(ours.item(), abs=1e-9)


@by_class
def test_classes_are_positions_among_the_identities(name: str) -> None:
    x, loss = embeddings(5), classed(name)
    term = loss(x, x, Relation.within(codes([4, UNKNOWN, 40, 0, 4])))
    expected = loss.theirs(x[[0, 2, 3, 4]], torch.tensor([1, 4, 0, 1]))
    assert term.value.item() == pytest.approx(expected.item(), abs=1e-12)
    assert term.counted == 4
    assert loss.needs == {Knows.IDENTITY}
    assert not loss.any_columns


@by_class
def test_what_they_learn_is_optimised_and_saved(name: str) -> None:
    x, loss, relation = embeddings(3), classed(name), Relation.within(codes([4, 8, 4]))
    loss(x, x, relation).value.backward()
    assert [p.shape.numel() for p in loss.parameters()] == [5 * DIM]
    assert all(p.grad is not None and p.grad.any() for p in loss.parameters())
    fresh = classed(name)
    torch.nn.init.zeros_(next(fresh.parameters()))
    fresh.load_state_dict(loss.state_dict())
    assert fresh(x, x, relation).value == loss(x, x, relation).value


@pytest.mark.parametrize("miner", ["MultiSimilarityMiner", "TripletMarginMiner", "BatchHardMiner"])
@pytest.mark.parametrize("which", ["ordinary", "items twice", "impostors", "rectangle"])
def test_what_their_miner_lists_is_kept_as_far_as_it_is_known(miner: str, which: str) -> None:
    make = getattr(miners, miner)
    relation = (known() | {"ordinary": Relation.within(codes(LABELS)), "rectangle": across()})[which]
    cols = embeddings()
    rows = cols if relation.rows is relation.cols else cols[:5]
    spied = _Spy()
    loss = PytorchMetricLearning(distance("cosine"), spied, miner=make())
    assert loss(rows, cols, relation).counted > 0
    block = relation.block()
    anchor, positive, *_, negative = spied.listed
    other = spied.listed[-2] if len(spied.listed) == 4 else anchor
    assert block.same[anchor, positive].all()
    assert block.different[other, negative].all()
    if which == "ordinary":
        labels = torch.tensor(LABELS)
        assert all(torch.equal(a, b) for a, b in zip(spied.listed, make()(cols, labels), strict=True))


class _Spy(nn.Module):
    """Keeps the list that it is given."""

    listed: tuple[Tensor, ...] = ()

    def forward(self, embeddings: Tensor, labels: Tensor, indices_tuple: tuple[Tensor, ...], **more: Any) -> Tensor:
        self.listed = indices_tuple
        return embeddings.sum()


def across() -> Relation:
    side = codes(LABELS)
    return Relation(side[:5], side)


@over_pairs
def test_gradients_are_those_of_the_value(name: str) -> None:
    loss, x = paired(name), embeddings(dim=4, seed=3).requires_grad_()
    relation = known()["items twice"]
    if name != "circle":  # whose weights have none
        assert torch.autograd.gradcheck(lambda x: loss(x, x, relation).value, (x,), eps=1e-7, atol=1e-4)
    value, gradient = value_and_gradient(loss, x, relation)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(1))
    again, turned = value_and_gradient(loss, x[order], reordered(relation, order))
    assert again == pytest.approx(value, abs=1e-12)
    torch.testing.assert_close(turned, gradient[order], atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("name", [*OVER_PAIRS, *BY_CLASS])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_half_precision_and_identical_embeddings_are_finite(name: str, dtype: torch.dtype) -> None:
    loss: Loss = (paired(name) if name in OVER_PAIRS else classed(name)).float()
    relation = Relation.within(codes(torch.tensor(LABELS).clamp(max=3) * 4))
    for x in (embeddings(), embeddings(1).expand(N, DIM)):
        value, gradient = value_and_gradient(loss, x.to(dtype), relation)
        assert gradient.dtype == dtype
        assert math.isfinite(value)
        assert torch.isfinite(gradient).all()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert loss(x.float(), x.float(), relation).value.dtype == torch.float32


@pytest.mark.parametrize("name", [*OVER_PAIRS, *BY_CLASS])
def test_unknown_items_are_zero_with_a_zero_gradient(name: str) -> None:
    loss: Loss = paired(name) if name in OVER_PAIRS else classed(name)
    value, gradient = value_and_gradient(loss, embeddings(4), Relation.within(codes([UNKNOWN] * 4)))
    assert value == 0
    assert not gradient.any()


@pytest.mark.parametrize("name", OVER_PAIRS)
@pytest.mark.parametrize("labels", [[0], [0, 0, 0], [0, 1, 2]])
def test_one_class_and_singletons_are_finite(name: str, labels: list[int]) -> None:
    value, gradient = value_and_gradient(paired(name), embeddings(len(labels)), Relation.within(codes(labels)))
    assert math.isfinite(value)
    assert torch.isfinite(gradient).all()


def test_their_loss_has_a_memory() -> None:
    ours = Memory(SupCon(distance("cosine"), temperature=0.3), size=20, dim=DIM, wait=0).double()
    adapted = Memory(paired("supcon"), size=20, dim=DIM, wait=0).double()
    for seed in range(3):
        side = codes(LABELS, ids=torch.arange(N) + 5 * seed)
        x = embeddings(seed=seed)
        relation = Relation.within(side)
        assert adapted(x, x, relation).value.item() == pytest.approx(ours(x, x, relation).value.item(), abs=1e-9)


def test_their_object_trains_a_twin(tmp_path: Path) -> None:
    from pytorch_metric_learning import losses

    data = collection(60)
    twin = train(data, QUICK, loss=losses.MultiSimilarityLoss(), checkpoints=tmp_path, progress=False)
    assert twin.recipe["loss"] == "own"
    assert twin.origin.measures["held_out_eer"] < 0.3
    with pytest.raises(RecipeError, match="hand it to"):
        train(data, QUICK.but(loss="own"), progress=False)


def test_what_a_foreign_module_learns_keeps_pace_with_the_encoder() -> None:
    from pytorch_metric_learning import losses

    own = losses.NormalizedSoftmaxLoss(48, 16)
    begun = outset(
        collection(60), QUICK, own=PytorchMetricLearning(distance("cosine"), own, identities=torch.arange(60))
    )
    groups = begun.learner.configure_optimizers()["optimizer"].param_groups
    assert any(parameter is own.W for parameter in groups[-1]["params"])


def test_a_loss_of_ones_own_says_how_embeddings_are_compared() -> None:
    begun = outset(collection(), QUICK, own=SupCon(distance("euclidean")))
    assert begun.recipe.distance == "euclidean"
    with pytest.raises(RecipeError, match="compares by euclidean"):
        outset(collection(), QUICK.but(distance="cosine"), own=SupCon(distance("euclidean")))
