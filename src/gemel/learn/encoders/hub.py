"""Trained networks of Hugging Face, by name or folder, or again from their configuration alone.

Weights are read from safetensors only, never from pickles. Knows no items, and nothing of how networks pool.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModel

from gemel.errors import RecipeError
from gemel.learn.encoders.processors import quiet

UNWANTED = ("_name_or_path", "id2label", "label2id", "transformers_version", "architectures", "dtype", "torch_dtype")
"""Parts of a configuration that describe its origin or another task, not the network."""


def _itself(config: Any) -> Any:
    return config


def _auto(config: Any) -> Any:
    return AutoModel


@dataclass(frozen=True)
class Kind:
    """What is asked of the hub.

    Attributes:
        words: what it is called in messages.
        poolerless: families whose pooler is not used, and is in the way: a layer that many checkpoints do not hold.
        narrowed: the part of a configuration that is wanted.
        family: the class of the network; `AutoModel` where the library knows it.
    """

    words: str
    poolerless: tuple[str, ...]
    narrowed: Callable[[Any], Any] = _itself
    family: Callable[[Any], Any] = _auto

    def options(self, config: Any) -> dict[str, bool]:
        """What the class is told beside its configuration."""
        return {"add_pooling_layer": False} if config.model_type in self.poolerless else {}


def loaded(name: str, kind: Kind) -> nn.Module:
    """The network with its trained weights.

    Args:
        name: of a model on the hub, or a folder with `config.json` and safetensors.

    Raises:
        RecipeError: there is none, or it lacks weights.
    """
    with quiet():
        try:
            config = kind.narrowed(AutoConfig.from_pretrained(name))
            model, report = kind.family(config).from_pretrained(
                name,
                config=config,
                dtype=torch.float32,
                use_safetensors=True,
                output_loading_info=True,
                **kind.options(config),
            )
        except (OSError, ValueError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise RecipeError(
                f"There is no {kind.words} {name!r}: the name of a model on Hugging Face or a folder with config.json "
                f"and safetensors is expected. transformers says: {reason}"
            ) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise RecipeError(
            f"{name!r} holds no weights for {len(missing)} parts of its {kind.words} ({missing[0]}, …); they would "
            "be random. Choose a checkpoint that holds them."
        )
    network: nn.Module = model
    return network


def rebuilt(config_json: dict[str, Any], kind: Kind) -> nn.Module:
    """The network with random weights from `plain(config)` alone; the caller loads the weights."""
    with quiet():
        config = kind.narrowed(AutoConfig.for_model(**config_json))
        family = kind.family(config)
        make = family.from_config if family is AutoModel else family
        network: nn.Module = make(config, **kind.options(config))
        return network


def plain(config: Any) -> dict[str, Any]:
    """A configuration as plain JSON values."""
    values = json.loads(config.to_json_string(use_diff=False))
    return {name: value for name, value in values.items() if name not in UNWANTED}
