"""Audio encoders of Hugging Face as backbones: wav2vec 2.0, HuBERT and WavLM, Whisper's encoder, and AST.

Knows how families pool, and what of them is needed; nothing of how their weights are found (`hub.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoConfig, AutoFeatureExtractor

from gemel.errors import RecipeError
from gemel.items.audio import AudioModality
from gemel.items.families import FAMILIES, HOP, RATE
from gemel.learn.encoders import hub
from gemel.learn.encoders.encoder import Backbone
from gemel.learn.encoders.processors import TOLERANCE, quiet

if TYPE_CHECKING:
    from jaxtyping import Float, Int

OF = {
    "wav2vec2": "wave",
    "hubert": "wave",
    "wavlm": "wave",
    "whisper": "whisper",
    "audio-spectrogram-transformer": "ast",
}
"""Family of Hugging Face → how it wants a sound."""
WINDOW = 300
"""Frames of 10 ms that are encoded at once, of families that take any number."""


class Speech(Backbone):
    """An audio encoder with one vector per sound: pooled as AST does, or the mean up to the end of the sound.

    Args:
        model: the transformers model.
        length, mels: of the prepared sounds, in samples and bands.

    Attributes:
        config_json: the configuration as plain JSON values; `rebuilt` makes the network again from it.
    """

    def __init__(self, model: Any, length: int, mels: int) -> None:
        kind = OF[model.config.model_type]
        super().__init__(model.config.hidden_size, {"sound": FAMILIES[kind].shape(length, mels), "points": ()})
        self.kind, self.length = kind, length
        self.model: Any = model.encoder if kind == "whisper" else model
        self.config_json = hub.plain(model.config)

    def example(self, n: int, chance: torch.Generator) -> dict[str, Tensor]:
        """Sounds of half the length and more."""
        points = torch.randint(self.length // 2, self.length + 1, (n,), generator=chance)
        sound = torch.randn(n, *map(int, self.shapes["sound"]), generator=chance)  # type: ignore[arg-type]
        return {"sound": sound, "points": points}

    def forward(self, sound: Float[Tensor, "n ..."], points: Int[Tensor, " n"]) -> Float[Tensor, "n f"]:
        if self.kind == "ast":
            return self.model(sound).pooler_output
        if self.kind == "whisper":
            last, counts = self.model(sound).last_hidden_state, points // (2 * HOP)
        else:
            counts = self.model._get_feat_extract_output_lengths(points)
            last = self.model(sound, attention_mask=self._mask(sound, points)).last_hidden_state
        there = torch.arange(last.shape[1], device=last.device)[None] < counts.clamp(min=1)[:, None]
        return (last * there[..., None]).sum(1) / there.sum(1, keepdim=True)

    def _mask(self, sound: Tensor, points: Int[Tensor, " n"]) -> Tensor | None:
        """Where there is sound; those that normalise over time in their first layer have learned without it."""
        if self.model.config.feat_extract_norm == "group":
            return None
        return (torch.arange(sound.shape[1], device=sound.device)[None] < points[:, None]).long()


def pretrained(name: str, *, length: int, mels: int, tune: str = "full") -> Speech:
    """The backbone with its trained weights.

    Args:
        name: of a model on the hub of Hugging Face, or a folder with `config.json` and safetensors.
        length, mels: of the prepared sounds.
        tune: full; frozen, which never learns; or warmup, which is frozen until `thaw` is called.

    Raises:
        RecipeError: there is no such audio encoder.
    """
    return Speech(hub.loaded(name, AUDIO), length, mels).tuned(tune)


def rebuilt(config_json: dict[str, Any], *, length: int, mels: int, tune: str = "full") -> Speech:
    """The backbone with random weights from `config_json` alone; the caller loads the weights."""
    return Speech(hub.rebuilt(config_json, AUDIO), length, mels).tuned(tune)


def pretrained_audio(name: str, *, length: int | None = None, steps: tuple[str, ...] = ()) -> AudioModality:
    """How a pretrained encoder wants its sounds, from its name or folder; tried against its own feature extractor.

    Args:
        length: frames of 10 ms at once; None: what the encoder is made for, or 3 seconds where it takes any number.
        steps: what is done to a sound before.

    Raises:
        RecipeError: there is no feature extractor, it does something of its own, or the length cannot be.
    """
    with quiet():
        try:
            extractor, config = AutoFeatureExtractor.from_pretrained(name), AutoConfig.from_pretrained(name)
        except (OSError, ValueError) as error:
            raise RecipeError(
                f"There is no feature extractor for sounds in {name!r}; a folder or model of Hugging Face with a "
                f"preprocessor_config.json is expected. transformers says: {str(error).strip().splitlines()[0]}"
            ) from error
        family = _kind(config)
        made = _length(config, family)
        if made and length not in (None, made):
            raise RecipeError(f"length = {length} cannot be: this encoder takes {made} frames, and no other number.")
        mels = getattr(config, "num_mel_bins", 64)
        modality = AudioModality(rate=RATE, family=family, mels=mels, length=made or length or WINDOW, steps=steps)
        _compare(modality, extractor)
    return modality


def _kind(config: Any) -> str:
    if config.model_type not in OF:
        raise RecipeError(
            f"The pretrained encoder is of family {config.model_type}; of sounds, {', '.join(OF)} are known."
        )
    return OF[config.model_type]


def _length(config: Any, family: str) -> int | None:
    """The frames of 10 ms that an encoder is made for; None: any number."""
    if family == "whisper":
        return int(2 * config.max_source_positions)
    return int(config.max_length) if family == "ast" else None


def _compare(modality: AudioModality, extractor: Any) -> None:
    """Refuse a feature extractor whose numbers are others."""
    samples = (0.1 * np.random.default_rng(0).normal(size=modality.length * HOP * 2 // 3)).astype(np.float32)
    filled = {} if modality.family == "ast" else {"padding": "max_length", "max_length": modality.length * HOP}
    if modality.family == "wave":
        filled["return_attention_mask"] = True
    try:
        theirs = extractor(samples, sampling_rate=RATE, return_tensors="np", **filled)
    except (ValueError, TypeError) as error:
        raise RecipeError(f"The feature extractor does not take sounds of {RATE:,} samples a second: {error}") from None
    theirs = np.asarray(theirs.get("input_features", theirs.get("input_values")))[0]
    ours = FAMILIES[modality.family].features(samples, modality.length * HOP, modality.mels)
    difference = float(np.abs(ours - theirs).max()) if ours.shape == theirs.shape else np.inf
    if not difference <= TOLERANCE:
        raise RecipeError(
            f"Sounds prepared as {type(extractor).__name__} does should agree to {TOLERANCE:g}, and differ by "
            f"{difference:.2g}: it does something of its own. Choose another pretrained encoder."
        )


def _narrowed(config: Any) -> Any:
    """Without what only pretraining needs, and without what is drawn at random beside dropout."""
    _kind(config)
    for name in ("apply_spec_augment", "layerdrop", "encoder_layerdrop"):
        if hasattr(config, name):
            setattr(config, name, False if name == "apply_spec_augment" else 0.0)
    return config


AUDIO = hub.Kind("audio encoder", (), _narrowed)
