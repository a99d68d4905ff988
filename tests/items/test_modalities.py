"""The contract of every modality, and that a configuration brings one back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from gemel.errors import DataError, ModelError, RecipeError, UnreadableItem
from gemel.items import ImageModality, Modality, VectorModality, modality_from
from gemel.items.registry import MODALITIES

RNG = np.random.default_rng(0)
CASES: list[tuple[Any, list[Any], Any]] = [
    (
        ImageModality(height=6, width=5),
        [RNG.integers(0, 256, (9, 8, 3), dtype=np.uint8) for _ in range(4)],
        (0, 0, 2, 2),
    ),
    (
        ImageModality(height=7, width=7, channels=1, resize="shortest", resize_to=9, resample="bicubic", mean=(0.2,)),
        [RNG.random((20, 11)) for _ in range(3)],
        (1, 1, 30, 3),
    ),
    (ImageModality(height=4, width=9, resize="pad", mean=(0, 0.1, 0.2), std=(1, 2, 3)), ["values"], (0, 0, 1, 1)),
    (VectorModality(5), [RNG.normal(size=5) for _ in range(4)], (1, 3)),
    (VectorModality(2, scaled=True), [RNG.normal(size=2) for _ in range(4)], (1, 2)),
]
CASES[2][1][:] = [RNG.integers(0, 256, (3, 3, 4), dtype=np.uint8) for _ in range(2)]


@pytest.fixture(params=CASES, ids=["image", "grey", "padded", "vector", "numbers"])
def case(request: pytest.FixtureRequest) -> tuple[Any, list[Any], Any]:
    return request.param


def test_every_modality_is_tested() -> None:
    """Those whose items have one shape here; the others in files called like them."""
    assert {modality.name for modality, _, _ in CASES} | {"text", "series", "audio", "record"} == set(MODALITIES)


def test_configuration_round_trip_through_json(case: tuple[Any, list[Any], Any]) -> None:
    modality, _, _ = case
    assert isinstance(modality, Modality)
    assert modality_from(json.loads(json.dumps(modality.config()))) == modality


def test_loaded_items_have_the_stated_shape(case: tuple[Any, list[Any], Any]) -> None:
    modality, sources, _ = case
    for source in sources:
        raw = modality.load(source)
        assert raw.shape == modality.shape
        assert raw.dtype == modality.dtype


def test_prepare_does_not_depend_on_neighbours(case: tuple[Any, list[Any], Any]) -> None:
    modality, sources, _ = case
    raws = [modality.load(source) for source in sources]
    fitted = modality.fit(raws)
    together = fitted.prepare(raws)
    np.testing.assert_array_equal(together.owner, np.arange(len(raws)))
    for i, raw in enumerate(raws):
        alone = fitted.prepare([raw])
        for name, array in alone.arrays.items():
            assert array.dtype == np.float32
            np.testing.assert_array_equal(array[0], together.arrays[name][i])
    stacked = fitted.prepare(np.stack(raws))
    for name, array in stacked.arrays.items():
        np.testing.assert_array_equal(array, together.arrays[name])


def test_prepare_takes_no_items_and_refuses_other_shapes(case: tuple[Any, list[Any], Any]) -> None:
    modality, sources, _ = case
    filled = modality.prepare([modality.load(sources[0])])
    for name, array in modality.prepare([]).arrays.items():
        assert array.shape == (0, *filled.arrays[name].shape[1:])
    with pytest.raises(DataError, match="expected"):
        modality.prepare(np.zeros((2, *(side + 1 for side in modality.shape)), modality.dtype))


def test_without_changes_only_the_part(case: tuple[Any, list[Any], Any]) -> None:
    modality, sources, part = case
    raw = modality.load(sources[0])
    before = raw.copy()
    changed = modality.without(raw, part)
    np.testing.assert_array_equal(raw, before)
    where = (
        (slice(part[0], part[1]),)
        if len(part) == 2
        else (slice(part[0], part[0] + part[2]), slice(part[1], part[1] + part[3]))
    )
    touched = np.zeros(raw.shape, bool)
    touched[where] = True
    np.testing.assert_array_equal(changed[~touched], raw[~touched])
    assert len(np.unique(changed[where].reshape(-1, raw.shape[-1] if raw.ndim == 3 else 1), axis=0)) == 1


def test_a_manifest_that_is_wrong_is_refused_in_words() -> None:
    with pytest.raises(ModelError, match="no modality 'smell'"):
        modality_from({"name": "smell"})
    with pytest.raises(ModelError, match="needs its name"):
        modality_from({"height": 3})
    with pytest.raises(ModelError, match="colour"):
        modality_from({"name": "image", "colour": 3})


@pytest.mark.parametrize(
    "wrong",
    [{"height": 0}, {"channels": 2}, {"resize": "squeeze"}, {"resample": "best"}, {"mean": (1, 2)}, {"std": (0,)}],
)
def test_an_impossible_image_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(RecipeError):
        ImageModality(**wrong)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ([1, 2], "shape"),
        ([1, 2, np.nan], "NaN"),
        ("no such.npy", "no such file"),
        (["a", "b", "c"], "not a row"),
        (None, "shape|not a row"),
    ],
)
def test_a_vector_that_is_none_is_named(source: Any, reason: str) -> None:
    with pytest.raises(UnreadableItem, match=reason):
        VectorModality(3).load(source)
