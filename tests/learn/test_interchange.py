"""Folders of sentence-transformers, both ways: the same embeddings there and here."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from gemel.errors import ModelError
from gemel.learn.fit import exported, fit
from gemel.learn.interchange import from_sentence_transformers, to_sentence_transformers
from gemel.learn.outset import outset
from gemel.recipe import Recipe
from gemel.siamese import Siamese
from tests.learn.test_texts import QUICK, minilm, texts

SENTENCES = [
    "A plane is taking off.",
    "A man is playing a large flute.",
    "red lamp old offer",
    "Ünïcode; and more words " * 90,
]


@pytest.fixture(scope="module")
def there() -> type:
    os.environ["HF_HUB_OFFLINE"] = "1"
    return pytest.importorskip(
        "sentence_transformers", reason="sentence-transformers is not installed"
    ).SentenceTransformer


@pytest.fixture(scope="module")
def sentences() -> Siamese:
    """Of which the export takes longest."""
    return from_sentence_transformers(minilm())


def untrained(recipe: Recipe) -> Siamese:
    """A twin with weights that are all random: those of norms and biases too, which begin as ones and zeros."""
    begun = outset(texts(), recipe)
    with torch.no_grad():
        for weight in begun.learner.network.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return exported(begun, None)


def embedded(folder: Path | str, there: type) -> np.ndarray:
    return np.asarray(there(str(folder), device="cpu").encode(SENTENCES))


def test_their_folder_is_read_and_written_again(there: type, sentences: Siamese, tmp_path: Path) -> None:
    expected = embedded(minilm(), there)
    np.testing.assert_allclose(sentences.embed(SENTENCES).vectors, expected, atol=1e-5)
    sentences.save(tmp_path / "minilm.gemel")
    written = to_sentence_transformers(Siamese.load(tmp_path / "minilm.gemel"), tmp_path / "st")
    np.testing.assert_allclose(embedded(written, there), expected, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls", "max", "last"])
def test_a_transformer_from_scratch_loads_there(pooling: str, there: type, tmp_path: Path) -> None:
    twin = untrained(QUICK.but(encoder="transformer", width=32, dim=16, length=24, pooling=pooling))
    written = to_sentence_transformers(twin, tmp_path / "st")
    np.testing.assert_allclose(embedded(written, there), twin.embed(SENTENCES).vectors, atol=1e-5)
    again = from_sentence_transformers(written)
    np.testing.assert_allclose(again.embed(SENTENCES).vectors, twin.embed(SENTENCES).vectors, atol=1e-5)
    with pytest.raises(ModelError, match="holds something"):
        to_sentence_transformers(twin, written)


def test_what_they_cannot_hold_is_refused(tmp_path: Path) -> None:
    twin = untrained(QUICK.but(encoder="recurrent"))
    with pytest.raises(ModelError, match="transformer"):
        to_sentence_transformers(twin, tmp_path / "st")
    with pytest.raises(ModelError, match="no folder of sentence-transformers"):
        from_sentence_transformers(tmp_path)


def test_a_twin_read_from_them_can_be_trained_on(sentences: Siamese, tmp_path: Path) -> None:
    recipe = Recipe(steps=1, lr=1e-9, identities=4, items=2, average=0.0)
    begun = outset(texts(30, 3), recipe, start=sentences)
    fit(begun, tmp_path, progress=False)
    given = begun.modality.prepare([begun.modality.load(sentence) for sentence in SENTENCES]).arrays
    with torch.no_grad():
        found = begun.learner.network(**{name: torch.from_numpy(array) for name, array in given.items()})
    assert found.shape == (len(SENTENCES), 384)
    np.testing.assert_allclose(found.numpy(), sentences.embed(SENTENCES).vectors, atol=1e-3)
