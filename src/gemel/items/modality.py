"""What every kind of item must offer: load, fit, prepare, without. One file per modality beside this one.

A modality is a frozen configuration plus fitted state; both go into the manifest of a model.
Training and inference call the same `prepare`. NumPy only: nothing here knows PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Int

Raw = Any
"""One decoded item, as compact as it can be kept: an image is uint8 [height, width, channels], a vector float32 [d]."""

Raws = Sequence[Raw] | np.ndarray
"""Decoded items: a sequence, or one array whose first axis counts them."""


@dataclass(frozen=True)
class Prepared:
    """Named arrays that an encoder takes, all with the same number of rows.

    Attributes:
        arrays: input name → array [m, ...], float32 or int64.
        owner: for each row, the position of the item it came from; several rows when an item gives several windows.
    """

    arrays: dict[str, np.ndarray]
    owner: Int[np.ndarray, " m"]


@runtime_checkable
class Modality(Protocol):
    """How one kind of item is read and prepared.

    Where items of any length are better prepared with others like them, it also has `together(raws)`, which gives the
    positions of each group; all items of a batch are prepared at once otherwise.
    """

    name: ClassVar[str]

    def load(self, source: Any) -> Raw:
        """Decode one item from a path, bytes or a value. Raises UnreadableItem."""
        ...

    def fit(self, raws: Raws) -> Modality:
        """Learn statistics or a vocabulary from the training split only; returns a new modality."""
        ...

    def prepare(self, raws: Raws, *, rng: np.random.Generator | None = None) -> Prepared:
        """Arrays for the encoder. With `rng`, training's random choices (a crop); without, always the same."""
        ...

    def without(self, raw: Raw, part: Any) -> Raw:
        """The item with one part removed, for explanations. An image's part is a (top, left, height, width) box."""
        ...

    def config(self) -> dict[str, Any]:
        """Everything needed to make this modality again, as plain JSON values; `modality_from(config)` undoes it."""
        ...
