"""What a model folder holds, as values: its manifest, where it comes from, and its files, each with a checksum.

Knows bytes and plain JSON values; how they are written is known in `folder.py`, what they mean in `twin.py`.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from gemel.errors import ModelError

FORMAT = 2
"""The newest model format that this version reads, and the one that it writes."""

MANIFEST = "manifest.json"
ENCODER, HEAD, DECISION, GRADES, SEEN = "encoder.onnx", "head.onnx", "decision.json", "grades.json", "seen.npy"
PREFIXES, WEIGHTS, WARPED = "prefixes.json", "weights.safetensors", "head.json"
BRANCHES = ("branch-1.onnx", "branch-2.onnx")
FILES = (ENCODER, *BRANCHES, HEAD, WARPED, DECISION, PREFIXES, GRADES, SEEN, WEIGHTS)
"""Every file that a model folder may hold beside its manifest."""


@dataclass(frozen=True)
class Part:
    """One file of a model, in memory or still on disk.

    Attributes:
        source: the bytes, or where they lie.
        sha256: their checksum, 64 hexadecimal digits.
        model: the model folder, for messages.
    """

    source: bytes | Path
    sha256: str
    model: str = "this model"

    @classmethod
    def of(cls, source: bytes | str | Path) -> Self:
        """From bytes, or from a file that stays where it is."""
        if isinstance(source, bytes):
            return cls(source, hashlib.sha256(source).hexdigest())
        with Path(source).open("rb") as file:
            return cls(Path(source), hashlib.file_digest(file, "sha256").hexdigest())

    def read(self) -> bytes:
        """The bytes. Raises ModelError when they are gone, or not what they were."""
        if isinstance(self.source, bytes):
            return self.source
        content = content_of(self.source, self.model)
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise ModelError(
                f"{self.model} is damaged: {self.source.name} is not the file that was saved (its checksum "
                "differs). Copy the whole folder again, or train again."
            )
        return content


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a model comes from: for people and for reports; nothing here changes an embedding.

    Attributes:
        encoder: the encoder in a few words.
        recipe: the choices of its training, as `Recipe.chosen()` gives them.
        measures: what was measured on held-out data, by name.
        trained_on: what the training data was: origin, items, identities, fingerprint.
        versions: library → version.
        created: when it was trained, ISO 8601.
        backbone: configuration of a pretrained backbone, so that training can go on without its folder.
    """

    encoder: str = ""
    recipe: dict[str, Any] = field(default_factory=dict)
    measures: dict[str, Any] = field(default_factory=dict)
    trained_on: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    created: str = ""
    backbone: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What the model is.

    Attributes:
        modality: configuration that `modality_from` takes.
        method: configuration of the method.
        dim: dimensions of an embedding.
        wiring: how prepared arrays meet the encoder's inputs and output, where names differ.
        origin: where it comes from.
        gemel: the version of gemel that wrote it.
        format: version of the folder's format.
    """

    modality: dict[str, Any]
    method: dict[str, Any]
    dim: int
    wiring: dict[str, Any]
    origin: Origin
    gemel: str
    format: int = FORMAT


def finite(value: Any) -> Any:
    """JSON values only, as strict JSON has them: NumPy numbers become Python's, and what is not finite becomes null."""
    if isinstance(value, dict):
        return {str(name): finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def content_of(file: Path, model: str) -> bytes:
    """A file of a model. Raises ModelError when it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise ModelError(f"{model} is damaged: {file.name} cannot be read ({error.strerror}).") from None
