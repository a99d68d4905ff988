"""Every modality by its name, so that a manifest can bring one back. Imports a modality only when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from gemel.errors import ModelError
from gemel.items.modality import Modality

MODALITIES = {
    "image": "gemel.items.image:ImageModality",
    "vector": "gemel.items.vector:VectorModality",
    "text": "gemel.items.text:TextModality",
    "series": "gemel.items.series:SeriesModality",
    "audio": "gemel.items.audio:AudioModality",
    "record": "gemel.items.record:RecordModality",
}
"""Name of a modality → where its class is."""


def modality_class(name: str) -> Any:
    """The class of that name. Raises ModelError for a name this version does not know."""
    if name not in MODALITIES:
        raise ModelError(f"There is no modality {name!r}; this version of gemel knows {', '.join(MODALITIES)}.")
    module, _, attribute = MODALITIES[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def modality_from(config: Mapping[str, Any]) -> Modality:
    """The modality that `config()` described.

    Args:
        config: plain JSON values, with the modality's name under `name`.

    Raises:
        ModelError: no such modality, or a field it does not have or cannot be.
    """
    fields = dict(config)
    name = fields.pop("name", None)
    if not isinstance(name, str):
        raise ModelError(f"A modality's configuration needs its name, and came with {sorted(fields)}.")
    kind = modality_class(name)
    try:
        if hasattr(kind, "from_config"):  # it holds others
            return kind.from_config(fields)
        return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()})
    except TypeError as error:
        raise ModelError(f"The {name} modality cannot be made from {fields}: {error}.") from None
