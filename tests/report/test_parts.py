"""The parts of a report against brute force: which pairs are shown, reliability, thinning, words, escaping."""

from __future__ import annotations

import re

import numpy as np
import pytest

from gemel.distances import distance
from gemel.items import Collection, ImageModality
from gemel.measure import Interval, clusters
from gemel.report.album import Album
from gemel.report.drawing import thinned
from gemel.report.hardest import Space, closest_different, farthest_same, sampled_rows
from gemel.report.markup import Markup, tag
from gemel.report.reliability import reliability_of
from gemel.report.words import about, base_of, percent, range_of
from gemel.siamese.embedding import Embeddings
from gemel.siamese.known import known_pairs
from tests.report.conftest import vectors


def everything(identities: int = 15, items: int = 4) -> tuple[Collection, Embeddings, Space]:
    data = vectors(identities, items)
    rows = np.stack(data.sources)
    found = Embeddings(rows, np.arange(len(rows)), (), np.arange(len(rows)))
    assert data.identity is not None
    return data, found, Space(rows, data.identity.codes, found.content, distance("cosine"))


def test_the_closest_different_pair_is_found_even_when_the_sample_missed_it() -> None:
    data, found, space = everything()
    known = known_pairs(data, found, limit=5)
    shown = closest_different(known, known.distances(found.vectors, space.metric), space, 4, np.random.default_rng(0))
    apart = np.array([space.metric.paired(np.tile(v, (len(found), 1)), found.vectors) for v in found.vectors])
    apart[space.identity[:, None] == space.identity] = np.inf
    assert shown[0].distance == pytest.approx(apart.min(), abs=1e-6)
    assert {
        (space.identity[p.a], space.identity[p.b]) for p in shown if space.identity[p.a] == space.identity[p.b]
    } == set()
    assert [p.distance for p in shown] == sorted(p.distance for p in shown)
    both = [frozenset((int(space.identity[p.a]), int(space.identity[p.b]))) for p in shown]
    assert len(set(both)) == len(both) == 4


def test_the_farthest_same_pairs_come_one_per_identity() -> None:
    data, found, space = everything()
    known = known_pairs(data, found)
    far = known.distances(found.vectors, space.metric)
    shown = farthest_same(known, far, 5)
    best = [far[known.same & (known.identity_a == k)].max() for k in range(15)]
    assert [p.distance for p in shown] == pytest.approx(sorted(best, reverse=True)[:5])
    assert all(space.identity[p.a] == space.identity[p.b] for p in shown)


def test_neighbours_exclude_the_query_and_its_copies() -> None:
    _, found, space = everything()
    twice = Space(
        np.concatenate([found.vectors, found.vectors]),
        np.concatenate([space.identity, space.identity]),
        np.concatenate([found.content, found.content]),
        space.metric,
    )
    for row in twice.near(np.arange(10), 5):
        assert len(row.neighbours) == 5
        assert all(twice.content[i] != twice.content[row.query] for i in row.neighbours)
        assert list(row.distance) == sorted(row.distance)
        assert row.right == tuple(bool(twice.identity[i] == twice.identity[row.query]) for i in row.neighbours)


def test_wrong_rows_are_wrong() -> None:
    _, _, space = everything()
    drawn, wrong = sampled_rows(space, 3, np.random.default_rng(0))
    assert len(drawn) == 3
    assert all(not row.right[0] for row in wrong)


def test_reliability_agrees_with_a_loop_and_with_probabilities_that_are_true() -> None:
    rng = np.random.default_rng(0)
    probability = rng.uniform(size=4000)
    same = rng.uniform(size=4000) < probability
    identity = rng.integers(200, size=4000)
    for b in reliability_of(probability, same, clusters(identity, identity)):
        inside = np.abs(probability - b.said) < 0.05
        s, d = inside[same].sum() / same.sum(), inside[~same].sum() / (~same).sum()
        assert b.came == pytest.approx(s / (s + d), abs=0.05)
        assert b.interval.low <= b.came <= b.interval.high
        assert b.said == pytest.approx(b.came, abs=0.08)


def test_thinning_keeps_the_ends_and_the_shape() -> None:
    x = np.linspace(0, 1, 50_000)
    kept = thinned(x, x**2)
    assert kept[0] == 0
    assert kept[-1] == len(x) - 1
    assert len(kept) < 1500
    assert np.abs(np.interp(x, x[kept], x[kept] ** 2) - x**2).max() < 0.005


@pytest.mark.parametrize(
    ("share", "printed"), [(0, "0%"), (1, "100%"), (0.0427, "4.27%"), (0.99996, "99.99%"), (1e-6, "0.0001%")]
)
def test_percentages_never_round_to_certainty(share: float, printed: str) -> None:
    assert percent(share) == printed


@pytest.mark.parametrize(
    ("rate", "base", "said"),
    [(0.04, 100, "about 4"), (0.0042, 1000, "about 4"), (0.93, 100, "about 93"), (0.996, 1000, "about 996")],
)
def test_rates_are_counts_of_a_round_number(rate: float, base: int, said: str) -> None:
    assert base_of(rate) == base
    assert about(rate, base) == said
    low, high = map(int, re.findall(r"\d+", range_of(Interval(rate - 0.001, rate + 0.001), base))[:2])
    assert low <= rate * base <= high


def test_everything_but_markup_is_escaped() -> None:
    assert tag("p", "<i>", Markup("<br/>"), title='"') == '<p title="&quot;">&lt;i&gt;<br/></p>'
    assert "\x00" not in tag("p", "\x00\ud800\ufffe")
    tag("p", "\ud800").encode()


@pytest.mark.parametrize(("channels", "kind"), [(1, "png"), (3, "jpeg")])
def test_photographs_are_kept_small_and_drawings_sharp(channels: int, kind: str) -> None:
    rng = np.random.default_rng(0)
    if channels == 1:
        image = np.kron(rng.integers(2, size=(8, 8)), np.ones((14, 14))).astype(np.uint8) * 255
    else:
        image = rng.integers(256, size=(112, 112, 3)).astype(np.uint8)
    modality = ImageModality(height=8, width=8, channels=1)
    picture = Album(Collection(modality, [image], np.arange(1)), pictures=True).picture(0)
    assert picture is not None
    assert f"data:image/{kind};base64," in picture


def test_a_file_that_is_gone_costs_only_its_picture() -> None:
    album = Album(Collection(ImageModality(), ["no/such.png"], np.arange(1)), pictures=True)
    assert album.picture(0) is None
    assert album.called(0) == "no/such.png"
