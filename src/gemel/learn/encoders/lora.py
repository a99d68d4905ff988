"""Low-rank adapters: a large trained network learns through a few small matrices beside its own.

Hu et al. 2022, LoRA, as the `peft` library has it. What comes out of a training is one plain network again.
"""

from __future__ import annotations

import copy
from typing import Any

from gemel.errors import RecipeError, require
from gemel.learn.encoders.encoder import Encoder
from gemel.learn.encoders.fusion import Fields

RANK, ALPHA, DROPOUT = 16, 32, 0.05
"""Columns of the small matrices; how far they count; share of their inputs dropped in training."""


def adapted(encoder: Encoder) -> Encoder:
    """The encoder with adapters at every linear layer of its backbone, which alone learn there. Changes it.

    Raises:
        RecipeError: the backbone is no network of Hugging Face, or has no linear layers.
    """
    peft: Any = require("peft", extra="lora", purpose="tune through low-rank adapters (tune = lora)")
    config = peft.LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=DROPOUT, target_modules="all-linear")
    for backbone in _pretrained(encoder):
        try:
            backbone.model = peft.tuners.lora.LoraModel(backbone.model, config, "default")
        except ValueError as error:
            kind = type(backbone.model).__name__
            raise RecipeError(f"tune = 'lora' finds nothing in {kind} to adapt: {error}") from None
    return encoder


def merged(encoder: Encoder) -> Encoder:
    """The network that an encoder with adapters amounts to, as a copy; one without them is returned as it is."""
    if not any(hasattr(backbone.model, "merge_and_unload") for backbone in _pretrained(encoder)):
        return encoder
    made = copy.deepcopy(encoder)
    for backbone in _pretrained(made):
        backbone.model = backbone.model.merge_and_unload()
    return made


def _pretrained(encoder: Encoder) -> list[Any]:
    """The backbones that came trained: the one there is, or those of some fields of records."""
    backbone = encoder.backbone
    every = [one for _, one in backbone.each()] if isinstance(backbone, Fields) else [backbone]
    return [one for one in every if hasattr(one, "config_json")]
