"""Dynamic time warping, held against a loop over every two points; and what was learned of it, as a file."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gemel.distances import DISTANCES
from gemel.errors import ModelError
from gemel.siamese.pairhead import WarpedHead, head_of
from gemel.siamese.warping import TOGETHER, Warping, warped

EUCLIDEAN = DISTANCES["euclidean"]


def walks(n: int, t: int, c: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, t, c)).cumsum(axis=1).astype(np.float32)


def looped(a: np.ndarray, b: np.ndarray, own: int, band: int) -> np.ndarray:
    """The definition, point by point: each meeting keeps the sums along the best path to it."""
    best: dict[tuple[int, int], tuple[float, np.ndarray, int]] = {}
    for i in range(len(a)):
        for j in range(max(0, i - band), min(len(b), i + band + 1)):
            gap = np.abs(a[i] - b[j])
            before = [best[at] for at in ((i - 1, j - 1), (i - 1, j), (i, j - 1)) if at in best]
            far, sums, met = min(before, key=lambda way: way[0], default=(0.0, np.zeros(len(gap)), 0))
            best[i, j] = far + float(np.sqrt((gap[-own:] ** 2).sum())), sums + gap, met + 1
    _, sums, met = best[len(a) - 1, len(b) - 1]
    return sums / met


def warping(points: int = 9, width: int = 4, seed: int = 0) -> Warping:
    chance = np.random.default_rng(seed)
    return Warping(
        points=points,
        own=width // 2,
        band=3,
        least=tuple(chance.uniform(0.1, 1, width).tolist()),
        weight=tuple(chance.normal(size=width).tolist()),
        bias=0.7,
    )


@pytest.mark.parametrize(("t", "c", "own", "band"), [(2, 1, 1, 1), (7, 3, 2, 2), (12, 4, 2, 3), (12, 4, 4, 11)])
def test_it_is_what_a_loop_over_the_points_gives(t: int, c: int, own: int, band: int) -> None:
    a, b = walks(TOGETHER + 5, t, c), walks(TOGETHER + 5, t, c, seed=1)
    expected = [looped(one, other, own, band) for one, other in zip(a, b, strict=True)]
    np.testing.assert_allclose(warped(a, b, own=own, band=band), expected, rtol=1e-4)


def test_it_is_the_same_either_way_round_and_nothing_between_equals() -> None:
    a, b = walks(8, 20, 4), walks(8, 20, 4, seed=1)
    np.testing.assert_allclose(warped(a, b, own=2, band=5), warped(b, a, own=2, band=5), rtol=1e-5)
    assert not warped(a, a, own=2, band=5).any()
    assert warped(a[:0], b[:0], own=2, band=5).shape == (0, 4)


def test_it_is_the_same_either_way_round_where_paths_are_as_good() -> None:
    a, b = (np.random.default_rng(seed).integers(0, 2, (100, 30, 4)).astype(np.float32) for seed in (0, 1))
    np.testing.assert_array_equal(warped(a, b, own=2, band=5), warped(b, a, own=2, band=5))


def test_a_series_that_is_late_is_near_along_the_path_and_not_point_by_point() -> None:
    time = np.linspace(0, 6, 50)
    on_time, late = (np.sin(t)[None, :, None].astype(np.float32) for t in (time, 6 * (time / 6) ** 1.3))
    along = warped(on_time, late, own=1, band=10)[0, 0]
    assert along < 0.1 * np.abs(on_time - late).mean()
    assert warped(on_time, late, own=1, band=1)[0, 0] > 3 * along  # the band holds it back


def test_a_head_is_kept_and_says_what_it_learned() -> None:
    learned = warping()
    head = head_of(learned.content, EUCLIDEAN)
    assert isinstance(head, WarpedHead)
    assert (head.warping, head.file) == (learned, "head.json")
    assert head.key != head_of(replace(learned, bias=0.8).content, EUCLIDEAN).key
    a, b = walks(5, 9, 4).reshape(5, -1), walks(5, 9, 4, seed=1).reshape(5, -1)
    apart = warped(a.reshape(5, 9, 4), b.reshape(5, 9, 4), own=2, band=3)
    odds = 0.7 - np.log(np.array(learned.least) + apart) @ np.array(learned.weight)
    np.testing.assert_allclose(head.paired(a, b), np.log1p(np.exp(-odds)), rtol=1e-4)
    np.testing.assert_allclose(head.matrix(a, b).diagonal(), head.paired(a, b), rtol=1e-5)


@pytest.mark.parametrize(
    "changed",
    [{"weight": (1.0,)}, {"least": (0.0,) * 4}, {"own": 5}, {"band": 0}, {"points": 0}, {"bias": np.nan}],
)
def test_numbers_that_do_not_belong_together_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="pair head is damaged: its numbers do not belong together"):
        head_of(replace(warping(), **changed).content, EUCLIDEAN)


@pytest.mark.parametrize("broken", [b"{", b"{}", json.dumps({"points": 3, "least": 1, "weight": []}).encode()])
def test_a_damaged_file_is_refused(broken: bytes) -> None:
    with pytest.raises(ModelError, match="pair head is damaged"):
        head_of(broken, EUCLIDEAN)
