"""Low-rank adapters: a large trained network learns through a few small matrices beside its own.

Hu et al. 2022, LoRA, as the `peft` library has it. What comes out of a training is one plain network again.
"""

from __future__ import annotations

import copy
from typing import Any

from gemel.errors import RecipeError, require
from gemel.learn.encoders.encoder import Encoder

RANK, ALPHA, DROPOUT = 16, 32, 0.05
"""Columns of the small matrices; how far they count; share of their inputs dropped in training."""


def adapted(encoder: Encoder) -> Encoder:
    """The encoder with adapters at every linear layer of its backbone, which alone learn there. Changes it.

    Raises:
        RecipeError: the backbone is no network of Hugging Face, or has no linear layers.
    """
    peft: Any = require("peft", extra="lora", purpose="tune through low-rank adapters (tune = lora)")
    backbone: Any = encoder.backbone
    config = peft.LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=DROPOUT, target_modules="all-linear")
    try:
        backbone.model = peft.tuners.lora.LoraModel(backbone.model, config, "default")
    except ValueError as error:
        raise RecipeError(f"tune = 'lora' finds nothing in {type(backbone.model).__name__} to adapt: {error}") from None
    return encoder


def merged(encoder: Encoder) -> Encoder:
    """The network that an encoder with adapters amounts to, as a copy; one without them is returned as it is."""
    adapters: Any = getattr(encoder.backbone, "model", None)
    if not hasattr(adapters, "merge_and_unload"):
        return encoder
    made = copy.deepcopy(encoder)
    backbone: Any = made.backbone
    backbone.model = backbone.model.merge_and_unload()
    return made
