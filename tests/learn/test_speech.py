"""Pretrained audio encoders: their own features to 1e-5, pooling, ONNX, training; tiny models made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    AutoModel,
    HubertConfig,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    WavLMConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
)

import gemel
from gemel.errors import RecipeError
from gemel.items import AudioModality, read
from gemel.learn.encoders import build, pretrained_audio
from gemel.learn.export import export
from gemel.learn.fit import fit
from gemel.learn.outset import outset
from gemel.learn.train import train
from gemel.recipe import Recipe

RATE = 16_000
SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
WAVE: dict[str, Any] = {
    **SMALL,
    "conv_dim": (8, 8),
    "conv_kernel": (10, 3),
    "conv_stride": (80, 4),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}
OWN = Wav2Vec2FeatureExtractor(return_attention_mask=True)
FAMILIES: dict[str, tuple[Any, Any]] = {
    "wav2vec2": (Wav2Vec2Config(**WAVE, feat_extract_norm="group"), OWN),
    "wav2vec2-layer": (Wav2Vec2Config(**WAVE, feat_extract_norm="layer", do_stable_layer_norm=True), OWN),
    "hubert": (HubertConfig(**WAVE), OWN),
    "wavlm": (WavLMConfig(**WAVE, num_buckets=8, max_bucket_distance=16), OWN),
    "whisper": (
        WhisperConfig(
            d_model=16,
            encoder_layers=1,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=32,
            decoder_ffn_dim=32,
            max_source_positions=50,
            num_mel_bins=20,
            vocab_size=60,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
            decoder_start_token_id=1,
        ),
        WhisperFeatureExtractor(feature_size=20, chunk_length=1),
    ),
    "ast": (
        ASTConfig(**SMALL, max_length=64, num_mel_bins=32),
        ASTFeatureExtractor(max_length=64, num_mel_bins=32),
    ),
}
CHOSEN = Recipe(width=8, depth=1, dim=6, norm="batch", distance="cosine", pooling="mean")
every_family = pytest.mark.parametrize("family", FAMILIES)


def folder(family: str, place: Path) -> str:
    """A model with random weights as Hugging Face keeps it; its name for a recipe."""
    config, extractor = FAMILIES[family]
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(place)
    extractor.save_pretrained(place)
    return f"pretrained:{place}"


def sounds(n: int, seconds: float = 0.7, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [(0.1 * rng.normal(size=int(seconds * RATE) - 999 * i)).astype(np.float32) for i in range(n)]


@every_family
def test_features_are_those_of_the_familys_own_extractor(family: str, tmp_path: Path) -> None:
    folder(family, tmp_path)
    modality = pretrained_audio(str(tmp_path), length=None if family in ("whisper", "ast") else 100)
    extractor = FAMILIES[family][1]
    length = modality.length * 160
    for sound in sounds(3, min(0.6, length / RATE)):
        how = {} if family == "ast" else {"padding": "max_length", "max_length": length}
        theirs = extractor(sound, sampling_rate=RATE, return_tensors="np", **how)
        theirs = np.asarray(theirs.get("input_features", theirs.get("input_values")))[0]
        prepared = modality.prepare([modality.load(sound)])
        np.testing.assert_allclose(prepared.arrays["sound"][0], theirs, atol=1e-5)
        assert prepared.arrays["points"][0] == len(sound)
    assert len(modality.prepare([modality.load(np.ones(3 * length))]).owner) > 2
    assert modality.prepare([]).arrays["sound"].shape == (0, *prepared.arrays["sound"].shape[1:])


@every_family
def test_an_embedding_is_exported_and_does_not_depend_on_neighbours(family: str, tmp_path: Path) -> None:
    name = folder(family, tmp_path)
    modality = pretrained_audio(str(tmp_path), length=None if family in ("whisper", "ast") else 60)
    encoder = build(CHOSEN.but(encoder=name), modality).eval()
    inputs = encoder.example(5)
    together = encoder(**inputs)
    alone = torch.cat([encoder(**{key: x[i : i + 1] for key, x in inputs.items()}) for i in range(5)])
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=0)
    agreement = export(encoder, tmp_path / "encoder.onnx")
    assert agreement is not None
    assert agreement.difference <= 1e-4


@pytest.mark.parametrize("family", ["wav2vec2-layer", "whisper"])
def test_silence_behind_the_end_is_not_looked_at(family: str, tmp_path: Path) -> None:
    name = folder(family, tmp_path)
    modality = pretrained_audio(str(tmp_path), length=None if family == "whisper" else 60)
    encoder = build(CHOSEN.but(encoder=name), modality).eval()
    arrays = modality.prepare([modality.load(sounds(1, 0.3)[0])]).arrays
    prepared = {key: torch.from_numpy(x) for key, x in arrays.items()}
    longer = {**prepared, "points": prepared["points"] * 2}
    assert not torch.allclose(encoder(**prepared), encoder(**longer), atol=1e-4)


@pytest.mark.parametrize(("family", "tune"), [("wav2vec2", "full"), ("ast", "frozen"), ("ast", "lora")])
def test_a_twin_is_trained_saved_and_gone_on_from(family: str, tune: str, tmp_path: Path) -> None:
    name = folder(family, tmp_path)
    every = [sound for i in range(12) for sound in sounds(3, 0.4, i)]
    data = read(every, labels=[f"p{i // 3}" for i in range(36)], kind="audio")
    twin = train(data, encoder=name, dim=8, steps=3, tune=tune, precision="fp32", prepare="level", progress=False)
    assert isinstance(twin.modality, AudioModality)
    assert twin.modality.family == ("ast" if family == "ast" else "wave")
    assert twin.modality.steps == ("level",)
    twin.save(tmp_path / "t.gemel")
    again = gemel.Siamese.load(tmp_path / "t.gemel")
    assert again.distance(data.source(0), data.source(1)) == pytest.approx(
        float(twin.distance(data.source(0), data.source(1))), abs=1e-6
    )
    begun = outset(data, Recipe(steps=1, tune=tune), start=again)
    arrays = again.modality.prepare([again.modality.load(data.source(i)) for i in range(3)]).arrays
    with torch.no_grad():
        found = begun.learner.encoder.eval()(**{key: torch.from_numpy(x) for key, x in arrays.items()})
    np.testing.assert_allclose(found.numpy(), again.embed([data.source(i) for i in range(3)]).vectors, atol=1e-4)
    fit(begun, tmp_path / "further", progress=False)
    assert begun.learner.network.dim == 8


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    name = folder("ast", tmp_path)
    data = read([*sounds(4, 0.4), *sounds(4, 0.4, 1)], labels=[i // 2 for i in range(8)], kind="audio")
    with pytest.raises(RecipeError, match="takes 64 frames"):
        outset(data, Recipe(encoder=name, length=99, steps=1))
    with pytest.raises(RecipeError, match=r"bands = 0\.2 changes log-mel spectra"):
        outset(data, Recipe(encoder=name, bands=0.2, steps=1))
    with pytest.raises(RecipeError, match="no feature extractor"):
        pretrained_audio(str(tmp_path / "none"))
    with pytest.raises(RecipeError, match="takes one channel"):
        AudioModality(family="ast", rate=8000)
    with pytest.raises(RecipeError, match="takes one channel of 16,000 samples; wave, whisper, ast"):
        AudioModality(family="clap")
    ASTFeatureExtractor(max_length=64, num_mel_bins=32, mean=0.0).save_pretrained(tmp_path)
    with pytest.raises(RecipeError, match="something of its own"):
        pretrained_audio(str(tmp_path))
    ASTFeatureExtractor(max_length=64, num_mel_bins=32, sampling_rate=8000).save_pretrained(tmp_path)
    with pytest.raises(RecipeError, match="does not take sounds of 16,000"):
        pretrained_audio(str(tmp_path))
