"""What training hands over beside the encoder. A value; knows no PyTorch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.siamese.manifest import Origin

if TYPE_CHECKING:
    from jaxtyping import Int


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What is known of a training.

    Attributes:
        recipe: its choices, as `Recipe.chosen()` gives them.
        weights: what a later training goes on from, safetensors; None: nothing is kept.
        content: `Decoded.content` of everything that training or stopping looked at; None: not known.
        encoder: the network in a few words.
        measures: what was measured on held-out data, by name; plain JSON values.
        data: what the data is called.
        identities: how many the training items had; None: not known.
        versions: library → version, beside those of gemel's own half.
        backbone: configuration of a pretrained backbone; empty for other encoders.
    """

    recipe: Mapping[str, Any] = field(default_factory=dict)
    weights: bytes | None = None
    content: Int[np.ndarray, " n"] | None = None
    encoder: str = ""
    measures: Mapping[str, Any] = field(default_factory=dict)
    data: str = ""
    identities: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    backbone: Mapping[str, Any] = field(default_factory=dict)

    def origin(self) -> Origin:
        """For the manifest, dated now."""
        import platform
        from datetime import UTC, datetime

        trained_on: dict[str, Any] = {"data": self.data, "identities": self.identities}
        if self.content is not None:
            trained_on |= {"items": len(self.content), "fingerprint": _fingerprint(self.content)}
        return Origin(
            encoder=self.encoder or str(self.recipe.get("encoder", "")),
            recipe=dict(self.recipe),
            measures=dict(self.measures),
            trained_on={name: value for name, value in trained_on.items() if value not in (None, "")},
            versions={"python": platform.python_version(), "numpy": np.__version__, **self.versions},
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            backbone=dict(self.backbone),
        )


def _fingerprint(content: Int[np.ndarray, " n"]) -> str:
    """Equal exactly where two trainings saw the same items, in any order."""
    return hashlib.sha256(np.sort(content).astype("<i8").tobytes()).hexdigest()
