"""Low-rank adapters: they alone learn, what comes out is a plain network, and one can go on from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

import gemel
from gemel.learn.encoders.lora import merged
from gemel.learn.fit import exported, fit
from gemel.learn.interchange import to_sentence_transformers
from gemel.learn.outset import outset
from gemel.recipe import Recipe
from tests.learn.test_pretrained import folder_of
from tests.learn.test_texts import minilm, texts, tiny
from tests.learn.test_train import collection

LORA = Recipe(tune="lora", steps=6, checks=2, identities=6, items=2, lr=5e-3, precision="fp32")


@pytest.mark.parametrize(("real", "average"), [(True, 0.9), (False, 0.0)])
def test_adapters_alone_learn_and_are_merged(real: bool, average: float, tmp_path: Path) -> None:
    encoder = f"pretrained:{minilm()}" if real else tiny(tmp_path / "tiny")
    begun = outset(texts(20, 3), LORA.but(encoder=encoder, average=average, length=16))
    network = begun.learner.encoder
    learns = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert learns
    assert all("lora_" in name for name in learns)
    before = {name: x.clone() for name, x in network.state_dict().items()}
    lowest = fit(begun, tmp_path / "run", progress=False)
    for name, x in network.state_dict().items():
        assert torch.equal(x, before[name]) == ("lora_" not in name)

    found = begun.learner.network
    given = network.example(5)
    plain = merged(found)
    with torch.inference_mode():
        torch.testing.assert_close(plain.eval()(**given), found.eval()(**given), atol=1e-5, rtol=1e-4)
    assert not any("lora_" in name for name in plain.state_dict())
    assert any("lora_" in name for name in found.state_dict())  # which stays what it is

    twin = exported(begun, lowest)
    twin.save(tmp_path / "t.gemel")
    saved = gemel.Siamese.load(tmp_path / "t.gemel")
    theirs = SentenceTransformer(str(to_sentence_transformers(saved, tmp_path / "st")), device="cpu")
    some = ["red lamp", "an old wooden chair"]
    np.testing.assert_allclose(theirs.encode(some, normalize_embeddings=True), saved.embed(some).vectors, atol=1e-4)
    again = outset(texts(20, 3, seed=9), LORA.but(encoder=None), start=saved).learner.encoder
    with torch.inference_mode():
        rows = again.eval()(**{n: torch.from_numpy(x) for n, x in prepared(saved, "red lamp").items()})
    np.testing.assert_allclose(rows.numpy(), saved.embed("red lamp").vectors, atol=1e-4)


def prepared(twin: gemel.Siamese, text: str) -> dict[str, np.ndarray]:
    return twin.modality.prepare([twin.modality.load(text)]).arrays


def test_image_encoders_take_them_too(tmp_path: Path) -> None:
    folder = folder_of("vit", tmp_path / "vit")
    twin = gemel.train(collection(), LORA.but(encoder=f"pretrained:{folder}", dim=8), progress=False)
    assert twin.measures["held_out_eer"] <= 0.6
    assert "lora" not in str(twin.origin.encoder)
