"""What is known of a pair: laws, and the blocks against a plain double loop."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor

from gemel.learn.relation import UNKNOWN, Block, Relation, Side, SparsePairs

N = 14


def draw(high: int, generator: torch.Generator, *, low: int = 0, n: int = N) -> Tensor:
    return torch.randint(low, high, (n,), generator=generator)


def random_side(generator: torch.Generator) -> Side:
    impostor = torch.where(draw(4, generator) == 0, draw(3, generator), UNKNOWN)
    return Side(draw(9, generator), draw(2, generator), draw(3, generator, low=-1), impostor)


def random_pairs(generator: torch.Generator, *, graded: bool) -> SparsePairs:
    row, col = torch.triu_indices(N, N, 1)
    keep = torch.randperm(len(row), generator=generator)[:25]
    value = torch.rand(25, generator=generator, dtype=torch.float64)
    return SparsePairs(row[keep], col[keep], value if graded else value.round(), graded)


def side(ids: list[int], view: list[int] | None = None, **codes: list[int]) -> Side:
    return Side(
        torch.tensor(ids), torch.tensor(view or [0] * len(ids)), **{k: torch.tensor(v) for k, v in codes.items()}
    )


def pairs(*listed: tuple[int, int, float], graded: bool = False) -> SparsePairs:
    row, col, value = zip(*listed, strict=True)
    return SparsePairs(torch.tensor(row), torch.tensor(col), torch.tensor(value), graded)


def listed(relation: Relation, i: int, j: int) -> float | None:
    if relation.pairs is None:
        return None
    meant = {(i, j), (j, i)} if relation.rows is relation.cols else {(i, j)}
    found = [
        v.item()
        for r, c, v in zip(relation.pairs.row, relation.pairs.col, relation.pairs.value, strict=True)
        if (r.item(), c.item()) in meant
    ]
    return found[0] if found else None


def known(relation: Relation, i: int, j: int) -> str | float:
    """The definition: same, different, unknown, or a score."""
    a, b = ({k: int(v[at]) for k, v in vars(s).items() if v is not None} for s, at in (
        (relation.rows, i), (relation.cols, j)))  # fmt: skip
    if a["ids"] == b["ids"]:
        return "unknown" if a["view"] == b["view"] else "same"
    value = listed(relation, i, j)
    if value is not None:
        return value if relation.pairs.graded else ("same" if value else "different")
    left, right = a.get("impostor_of", UNKNOWN), b.get("impostor_of", UNKNOWN)
    if left != UNKNOWN or right != UNKNOWN:
        one_claims = (left == UNKNOWN) != (right == UNKNOWN)
        claimed, identity = (left, b) if left != UNKNOWN else (right, a)
        return "different" if one_claims and claimed == identity.get("identity", UNKNOWN) else "unknown"
    if a.get("identity", UNKNOWN) != UNKNOWN and b.get("identity", UNKNOWN) != UNKNOWN:
        return "same" if a["identity"] == b["identity"] else "different"
    return relation.others


def read(block: Block, i: int, j: int) -> str | float:
    assert not (block.same[i, j] and block.different[i, j])
    if block.score is not None and not block.score[i, j].isnan():
        assert not block.same[i, j]
        assert not block.different[i, j]
        return block.score[i, j].item()
    return "same" if block.same[i, j] else "different" if block.different[i, j] else "unknown"


@pytest.mark.parametrize("given", ["none", "labelled", "graded"])
@pytest.mark.parametrize("others", ["unknown", "different"])
@pytest.mark.parametrize("square", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_blocks_are_the_double_loop(given: str, others: Literal["unknown", "different"], square: bool, seed: int):
    generator = torch.Generator().manual_seed(seed)
    listed = None if given == "none" else random_pairs(generator, graded=given == "graded")
    rows = random_side(generator)
    relation = Relation(rows, rows if square else random_side(generator), listed, others)
    block = relation.block()
    for i in range(N):
        for j in range(N):
            assert read(block, i, j) == known(relation, i, j), (i, j)


@pytest.mark.parametrize("rows", [slice(0, 5), slice(5, None), slice(3, 3), slice(1, 12, 3), slice(-4, None)])
@pytest.mark.parametrize("graded", [True, False])
def test_a_block_of_rows_is_a_slice_of_the_whole(rows: slice, graded: bool) -> None:
    generator = torch.Generator().manual_seed(7)
    relation = Relation.within(random_side(generator), pairs=random_pairs(generator, graded=graded), others="different")
    part, whole = relation.block(rows), relation.block()
    assert torch.equal(part.same, whole.same[rows])
    assert torch.equal(part.different, whole.different[rows])
    if graded:
        torch.testing.assert_close(part.score, whole.score[rows], equal_nan=True, rtol=0, atol=0)


@pytest.mark.parametrize("graded", [True, False])
def test_one_side_is_symmetric(graded: bool) -> None:
    generator = torch.Generator().manual_seed(3)
    block = Relation.within(random_side(generator), pairs=random_pairs(generator, graded=graded)).block()
    assert torch.equal(block.same, block.same.T)
    assert torch.equal(block.different, block.different.T)


def test_a_rectangle_is_a_part_of_the_square() -> None:
    whole = random_side(torch.Generator().manual_seed(5))
    square, rectangle = Relation.within(whole, others="different"), Relation(whole[:5], whole, others="different")
    assert rectangle.shape == (5, N)
    assert torch.equal(rectangle.block().same, square.block().same[:5])
    assert torch.equal(rectangle.block().different, square.block().different[:5])


@pytest.mark.parametrize("others", ["unknown", "different"])
def test_an_item_is_never_paired_with_itself(others: Literal["unknown", "different"]) -> None:
    block = Relation.within(side([0, 0], [1, 1], identity=[4, 4]), pairs=pairs((0, 1, 1.0)), others=others).block()
    assert not block.same.any()
    assert not block.different.any()


def test_two_views_of_an_item_are_the_same_whatever_else_is_said() -> None:
    block = Relation.within(side([5, 5], [0, 1], identity=[0, 1]), pairs=pairs((0, 1, 0.0)), others="different").block()
    assert block.same.tolist() == [[False, True], [True, False]]
    assert not block.different.any()


def test_an_impostor_is_different_from_its_claim_and_unknown_to_the_rest() -> None:
    # two genuine items of 0, one of 1, two forgeries of 0; a forger's own code is not an identity here
    codes = side([0, 1, 2, 3, 4], identity=[0, 0, 1, UNKNOWN, 0], impostor_of=[UNKNOWN, UNKNOWN, UNKNOWN, 0, 0])
    for others in ("unknown", "different"):
        block = Relation.within(codes, others=others).block()
        assert block.different[3].tolist() == [True, True, False, False, False]
        assert block.different[4].tolist() == [True, True, False, False, False]
        assert not block.same[3:].any()


def test_explicit_pairs_win_over_identities_and_claims() -> None:
    codes = side([0, 1, 2, 3], identity=[0, 0, 1, UNKNOWN], impostor_of=[UNKNOWN, UNKNOWN, UNKNOWN, 0])
    said = pairs((0, 1, 0.0), (0, 2, 1.0), (3, 0, 1.0))
    block = Relation.within(codes, pairs=said, others="different").block()
    assert block.different[0].tolist() == [False, True, False, False]
    assert block.same[0].tolist() == [False, False, True, True]


def test_a_scored_pair_is_not_assumed_different() -> None:
    block = Relation.within(side([0, 1, 2]), pairs=pairs((0, 1, 0.3), graded=True), others="different").block()
    assert block.different[0].tolist() == [False, False, True]
    assert block.score is not None
    assert block.score[0, 1] == block.score[1, 0] == pytest.approx(0.3)
    assert block.score.isnan().sum() == 7


def test_between_two_sides_a_pair_has_one_direction() -> None:
    left, right = side([0, 1]), side([2, 3])
    block = Relation(left, right, pairs((0, 1, 1.0))).block()
    assert block.same.tolist() == [[False, True], [False, False]]


def test_unknown_identities_say_nothing() -> None:
    block = Relation.within(side([0, 1, 2], identity=[UNKNOWN, UNKNOWN, 1])).block()
    assert not block.same.any()
    assert not block.different.any()


def test_on_another_device_one_side_stays_one_side() -> None:
    codes = side([0, 1, 2], identity=[0, 0, 1], impostor_of=[UNKNOWN, UNKNOWN, 0])
    relation = Relation.within(codes, pairs=pairs((0, 2, 1.0)), others="different")
    moved = relation.to(torch.device("meta"))
    assert moved.rows is moved.cols
    assert moved.rows.ids.device.type == "meta"
    assert moved.others == "different"
    back = relation.to(torch.device("cpu"))
    assert torch.equal(back.block().same, relation.block().same)
