"""What is put around losses: a memory of earlier batches, prefixes, a weighted sum."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from gemel.errors import RecipeError
from gemel.learn.distances import distance
from gemel.learn.losses import (
    NAMED,
    Contrastive,
    CoSENT,
    InfoNCE,
    Knows,
    Loss,
    Matryoshka,
    Memory,
    MultipleNegatives,
    Pearson,
    Sigmoid,
    Softmax,
    SupCon,
    VICReg,
    WeightedSum,
    build,
)
from gemel.learn.relation import UNKNOWN, Relation, Side, SparsePairs
from gemel.recipe import Recipe
from tests.learn.loss_oracles import (
    LOSSES,
    codes,
    embeddings,
    every_distance,
    exact,
    knowing,
    reordered,
    value_and_gradient,
)

DIM = 6


def batch(ids: list[int], seed: int, others: str = "unknown") -> tuple[Tensor, Relation]:
    """Items of four identities; the identity of an item is its id modulo 4."""
    place = torch.tensor(ids)
    return embeddings(len(ids), DIM, seed), Relation.within(codes(place % 4, ids=place), others=others)


def remembering(loss: Loss, size: int = 100, wait: int = 0, dim: int = DIM) -> Memory:
    return Memory(loss, size=size, dim=dim, wait=wait).double()


FIRST, SECOND, THIRD = [0, 1, 2, 3, 4], [5, 6, 7, 1, 8, 4], [9, 10, 11, 6, 4]


@pytest.mark.parametrize("name", LOSSES)
@every_distance
def test_a_batch_is_compared_with_the_items_of_earlier_ones_as_they_were(name: str, kernel: str) -> None:
    """Items 1 and 4 come again, and count as they are now only."""
    make, oracle = LOSSES[name]
    loss = make(distance(kernel))
    memory = remembering(loss)
    (a, known), (b, relation) = batch(FIRST, 1), batch(SECOND, 2)
    assert memory(a, a, known).value == loss(a, a, known).value
    old = [FIRST.index(i) for i in FIRST if i not in SECOND]
    side = relation.rows
    every = codes(torch.cat([side.identity, known.rows.identity[old]]), ids=torch.tensor([*SECOND, 0, 2, 3]))
    cols = torch.cat([b, a[old]])
    term = memory(b, b, relation)
    expected = Relation(side, every).block()
    assert term.value.item() == pytest.approx(oracle(exact(kernel, b, cols), expected, loss), abs=1e-9)
    assert term.counted == loss(b, cols, Relation(side, every)).counted


def test_an_older_embedding_of_an_item_is_nothing_to_any_row() -> None:
    """Neither its own positive nor its own negative, nor somebody else's, in whatever view it was."""
    loss = InfoNCE(distance("cosine"))
    memory, (x, relation) = remembering(loss), batch(FIRST, 1, others="different")
    seen_before = replace(relation.rows, view=torch.arange(5) % 2)
    memory(embeddings(5, DIM, 9), embeddings(5, DIM, 9), Relation.within(seen_before))
    assert memory(x, x, relation).value == loss(x, x, relation).value


@every_distance
def test_the_present_has_a_gradient_and_the_past_has_none(kernel: str) -> None:
    memory = remembering(SupCon(distance(kernel)))
    (a, known), (b, relation) = batch(FIRST, 1), batch(SECOND, 2)
    a.requires_grad_()
    memory(a, a, known)
    memory.eval()
    b.requires_grad_()
    assert torch.autograd.grad(memory(b, b, relation).value, [a, b], allow_unused=True)[0] is None
    assert torch.autograd.gradcheck(lambda b: memory(b, b, relation).value, (b,), eps=1e-7, atol=1e-5)


def test_the_oldest_are_forgotten_first() -> None:
    memory = remembering(SupCon(distance("cosine")), size=7)
    kept: list[tuple[int, Tensor]] = []
    for ids, seed in ((FIRST, 1), (SECOND, 2), (THIRD, 3), (list(range(20, 29)), 4)):
        x, relation = batch(ids, seed)
        memory(x, x, relation)
        kept = (kept + list(zip(ids, x, strict=True)))[-7:]
        found = sorted(zip(memory.get_buffer("ids").tolist(), memory.embeddings, strict=True), key=lambda pair: pair[0])
        wanted = sorted([*kept, *[(UNKNOWN, torch.zeros(DIM))] * (7 - len(kept))], key=lambda pair: pair[0])
        for (i, e), (j, f) in zip(found, wanted, strict=True):
            assert i == j
            assert i == UNKNOWN or memory.embeddings.dtype == torch.float64
            if [i for i, _ in wanted].count(i) == 1:
                torch.testing.assert_close(e, f, check_dtype=False)


def test_nothing_is_kept_until_embeddings_have_settled() -> None:
    loss = SupCon(distance("cosine"))
    memory = remembering(loss, wait=2)
    for seed, ids in enumerate((FIRST, SECOND, THIRD)):
        x, relation = batch(ids, seed)
        assert memory(x, x, relation).value == loss(x, x, relation).value
        assert int(memory.written) == (len(THIRD) if seed == 2 else 0)
    x, relation = batch([12, 13, 14], 4)
    assert memory(x, x, relation).counted == 3
    assert loss(x, x, relation).counted == 0


def test_evaluation_remembers_nothing() -> None:
    memory, (x, relation) = remembering(SupCon(distance("cosine"))).eval(), batch(FIRST, 1)
    before = {name: value.clone() for name, value in memory.state_dict().items()}
    memory(x, x, relation)
    assert all(torch.equal(value, before[name]) for name, value in memory.state_dict().items())


def test_a_checkpoint_holds_all_that_is_remembered() -> None:
    whole, part, resumed = (remembering(SupCon(distance("cosine")), size=8, wait=1) for _ in range(3))
    batches = [batch(ids, seed) for seed, ids in enumerate((FIRST, SECOND, THIRD, FIRST, SECOND))]
    expected = [whole(x, x, relation).value for x, relation in batches]
    for x, relation in batches[:3]:
        part(x, x, relation)
    resumed.load_state_dict(part.state_dict())
    assert [resumed(x, x, relation).value for x, relation in batches[3:]] == expected[3:]


def test_pairs_speak_of_the_batch_and_others_of_the_memory() -> None:
    """Of four items two pairs are given, in one direction; whatever else there is, is different."""
    pairs = SparsePairs(torch.tensor([0, 2]), torch.tensor([1, 3]), torch.ones(2))
    loss = InfoNCE(distance("cosine"))
    memory = remembering(loss)
    a, b = embeddings(4, DIM, 1), embeddings(4, DIM, 2)
    nameless = [Side(torch.arange(4) + start, torch.zeros(4, dtype=torch.long)) for start in (0, 4)]
    memory(a, a, Relation.within(nameless[0], pairs=pairs, others="different"))
    found = memory(b, b, Relation.within(nameless[1], pairs=pairs, others="different"))
    whole = Side(torch.tensor([4, 5, 6, 7, 0, 1, 2, 3]), torch.zeros(8, dtype=torch.long))
    both = SparsePairs(torch.tensor([0, 2, 1, 3]), torch.tensor([1, 3, 0, 2]), torch.ones(4))
    expected = loss(b, torch.cat([b, a]), Relation(nameless[1], whole, both, others="different"))
    assert found.value.item() == pytest.approx(expected.value.item(), abs=1e-12)
    assert found.counted == 4


def test_impostors_are_remembered_as_such() -> None:
    memory = remembering(Contrastive(distance("cosine")))
    claims = Side(
        torch.arange(3), torch.zeros(3, dtype=torch.long), torch.tensor([0, 1, -1]), torch.tensor([-1, -1, 0])
    )
    x = embeddings(3, DIM)
    memory(x, x, Relation.within(claims))
    again = replace(claims, ids=claims.ids + 3)
    block = memory._beyond(Relation.within(again), torch.arange(3)).block()
    assert block.different[0].tolist() == [False, True, True, False, True, True]
    assert block.same[0].tolist() == [False, False, False, True, False, False]
    assert not (block.same | block.different)[2, [1, 2, 4, 5]].any()


@pytest.mark.parametrize("name", [name for name, make in NAMED.items() if getattr(make, "func", make).any_columns])
def test_every_loss_that_takes_any_columns_has_a_memory(name: str) -> None:
    memory = remembering(NAMED[name](distance("euclidean")), dim=DIM)
    knows = min(memory.needs, key=lambda knows: knows.name)
    relation = knowing(knows)
    later = Relation.within(
        replace(relation.rows, ids=relation.rows.ids + 99), pairs=relation.pairs, others="different"
    )
    for seed, known in enumerate((relation, later)):
        x = embeddings(24, DIM, seed)
        value, gradient = value_and_gradient(memory, x, known)
        alone, _ = value_and_gradient(memory.loss, x, known)
        assert math.isfinite(value)
        assert gradient.any()
    assert value != alone


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_memory_under_half_precision(dtype: torch.dtype) -> None:
    memory = Memory(SupCon(distance("cosine")), size=20, dim=DIM, wait=0)
    for seed, ids in enumerate((FIRST, SECOND)):
        x, relation = batch(ids, seed)
        value, gradient = value_and_gradient(memory, x.to(dtype), relation)
    assert gradient.dtype == dtype
    assert math.isfinite(value)
    assert torch.isfinite(gradient).all()


def test_the_order_of_a_batch_does_not_matter_to_a_memory() -> None:
    found = []
    for shuffled in (False, True):
        memory = remembering(SupCon(distance("cosine")))
        for seed, ids in enumerate((FIRST, SECOND)):
            x, relation = batch(ids, seed)
            order = (
                torch.randperm(len(x), generator=torch.Generator().manual_seed(5)) if shuffled else torch.arange(len(x))
            )
            value, gradient = value_and_gradient(memory, x[order], reordered(relation, order))
        found.append((value, gradient[order.argsort()]))
    assert found[0][0] == pytest.approx(found[1][0], abs=1e-12)
    torch.testing.assert_close(found[0][1], found[1][1])


def test_losses_that_choose_their_own_columns_have_no_memory() -> None:
    kernel = distance("cosine")
    proxies = Softmax(kernel, identities=torch.arange(4), dim=DIM)
    for loss in (MultipleNegatives(kernel), proxies, VICReg(kernel), CoSENT(kernel), Matryoshka(proxies, prefixes=[4])):
        with pytest.raises(RecipeError, match=f"{type(loss.core).__name__} takes no memory"):
            remembering(loss)


@pytest.mark.parametrize("name", ["contrastive", "infonce", "triplet all", "bce", "supcon"])
@every_distance
def test_matryoshka_is_the_mean_over_prefixes_at_their_usual_length(name: str, kernel: str) -> None:
    make, oracle = LOSSES[name]
    loss, x, relation = make(distance(kernel)), embeddings(), Relation.within(codes(torch.arange(14) // 3))
    nested = Matryoshka(loss, prefixes=[2, 4, 6], weights=[1, 1, 2])
    parts = [x[:, :k] * math.sqrt(6 / k) for k in (2, 4, 6)]
    values = [oracle(exact(kernel, part, part), relation.block(), loss) for part in parts]
    term = nested(x, x, relation)
    assert term.value.item() == pytest.approx((values[0] + values[1] + 2 * values[2]) / 4, abs=1e-9)
    assert term.counted == sum(loss(part, part, relation).counted for part in parts)
    assert nested.needs == loss.needs
    assert nested.core is loss


def test_under_cosine_each_prefix_is_normalised_again() -> None:
    loss, x, relation = SupCon(distance("euclidean")), embeddings(), Relation.within(codes(torch.arange(14) // 3))
    cosine = SupCon(distance("cosine"))
    again = cosine(normalize(x[:, :3]), normalize(x[:, :3]), relation).value
    assert Matryoshka(cosine, prefixes=[3])(x, x, relation).value.item() == pytest.approx(again.item(), abs=1e-12)
    assert Matryoshka(loss, prefixes=[3])(x, x, relation).value.item() != pytest.approx(again.item(), abs=1e-3)


@pytest.mark.parametrize("name", ["softmax", "cosface", "arcface", "proxyanchor"])
@every_distance
def test_proxies_are_cut_to_the_prefix(name: str, kernel: str) -> None:
    torch.manual_seed(0)
    loss = NAMED[name](distance(kernel), identities=torch.arange(5), dim=6).double()
    small = NAMED[name](distance(kernel), identities=torch.arange(5), dim=4).double()
    small.proxies.data = loss.proxies.data[:, :4]
    x, relation = embeddings(), Relation.within(codes(torch.arange(14) // 3))
    part = x[:, :4] * math.sqrt(6 / 4)
    nested = Matryoshka(loss, prefixes=[4])
    assert nested(x, x, relation).value.item() == pytest.approx(small(part, part, relation).value.item(), abs=1e-12)
    assert dict(nested.named_parameters())["loss.proxies"] is loss.proxies


@pytest.mark.parametrize(
    ("prefixes", "weights", "words"),
    [([], None, "1 or more"), ([0, 4], None, "1 or more"), ([2, 4], [1.0], "2 prefixes need as many weights")],
)
def test_prefixes_that_are_none_are_refused(prefixes: list[int], weights: list[float] | None, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        Matryoshka(SupCon(distance("cosine")), prefixes=prefixes, weights=weights)


def test_a_prefix_longer_than_the_embedding_is_refused() -> None:
    x, relation = embeddings(), Relation.within(codes(torch.arange(14) // 3))
    with pytest.raises(RecipeError, match="A prefix of 8 is longer than embeddings of 6 dimensions"):
        Matryoshka(SupCon(distance("cosine")), prefixes=[4, 8])(x, x, relation)


def test_a_weighted_sum() -> None:
    kernel, x, relation = distance("cosine"), embeddings(), Relation.within(codes(torch.arange(14) // 3))
    one, other = SupCon(kernel), Sigmoid(kernel).double()
    term = WeightedSum([one, other], [1.0, 0.25])(x, x, relation)
    a, b = one(x, x, relation), other(x, x, relation)
    assert term.value.item() == pytest.approx(a.value.item() + 0.25 * b.value.item(), abs=1e-12)
    assert term.counted == a.counted + b.counted
    both = WeightedSum([one, other], [1.0, 0.25])
    assert both.needs == one.needs & other.needs
    assert both.core is one
    assert both.any_columns
    assert set(both.state_dict()) == {"losses.1.bias", "losses.1.log_scale"}


def test_losses_that_no_data_is_enough_for_are_refused_together() -> None:
    with pytest.raises(RecipeError, match="VICReg, Pearson cannot learn together"):
        WeightedSum([VICReg(distance("cosine")), Pearson(distance("cosine"))], [1, 1])
    with pytest.raises(RecipeError, match="SupCon need as many weights, and there are 0"):
        WeightedSum([SupCon(distance("cosine"))], [])


def wrapped() -> dict[str, Loss]:
    kernel = distance("cosine")
    return {
        "matryoshka": Matryoshka(SupCon(kernel), prefixes=[2, 4]),
        "sum": WeightedSum([SupCon(kernel), Contrastive(kernel)], [1, 2]),
        "memory of prefixes": Memory(Matryoshka(SupCon(kernel), prefixes=[2, 4]), size=8, dim=4, wait=0),
        "memory of a sum": Memory(WeightedSum([SupCon(kernel), InfoNCE(kernel)], [1, 2]), size=8, dim=4, wait=0),
    }


@pytest.mark.parametrize("which", wrapped())
def test_gradients_are_those_of_the_value(which: str) -> None:
    loss, x = wrapped()[which].double(), embeddings(8, 4).requires_grad_()
    (y, known), relation = batch([30, 31, 32, 33, 34], 3), Relation.within(codes(torch.arange(8) % 3))
    loss(y[:, :4].contiguous(), y[:, :4].contiguous(), known)
    loss.eval()
    assert torch.autograd.gradcheck(lambda x: loss(x, x, relation).value, (x,), eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("which", wrapped())
@pytest.mark.parametrize("identity", [[0, 1, 2, 3], [5, 5, 5], [UNKNOWN, UNKNOWN]])
def test_what_does_not_count_is_finite(which: str, identity: list[int]) -> None:
    value, gradient = value_and_gradient(
        wrapped()[which].double(), embeddings(len(identity), 4), Relation.within(codes(identity))
    )
    assert math.isfinite(value)
    assert torch.isfinite(gradient).all()


@dataclass(frozen=True, kw_only=True)
class Wished(Recipe):
    """A recipe that asks for what is put around a loss."""

    memory: int | None = None
    prefixes: str | None = None
    plus: str | None = None


def test_a_recipe_names_what_is_put_around_its_loss() -> None:
    loss = build(
        Wished(
            loss="supcon", distance="euclidean", dim=8, temperature=0.3, margin=0.7, memory=512, prefixes="2,4",
            plus="contrastive:0.5, softmax:2",
        ),
        torch.arange(3),
    )  # fmt: skip
    assert isinstance(loss, WeightedSum)
    assert loss.weights == (1.0, 0.5, 2.0)
    first, second, third = loss.losses
    assert isinstance(first, Memory)
    assert first.embeddings.shape == (512, 8)
    assert isinstance(first.loss, Matryoshka)
    assert first.loss.prefixes == (2, 4, 8)
    assert loss.core is first.loss.loss
    assert isinstance(loss.core, SupCon)
    assert loss.core.temperature == 0.3
    assert isinstance(second, Matryoshka)
    assert isinstance(third, Matryoshka)
    assert isinstance(second.loss, Contrastive)
    assert second.loss.margin == 1.0
    assert loss.needs == {Knows.IDENTITY}
    assert {x.distance.name for x in (loss, first, second, third)} == {"euclidean"}


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"prefixes": "2;4"}, "like '64,128'"),
        ({"plus": "vicreg"}, "like 'vicreg:0.1,bce:1'"),
        ({"plus": "magic:1"}, "there is no loss 'magic'"),
    ],
)
def test_wishes_that_are_none_are_refused(wish: dict[str, str], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        build(Wished(loss="supcon", distance="cosine", dim=8, **wish))
