"""Vectors made elsewhere (embeddings, measurements) and single numbers as items. Knows nothing of what made them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from gemel.errors import DataError, RecipeError, UnreadableItem
from gemel.items.modality import Prepared, Raws

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True)
class VectorModality:
    """How vectors are read: as they are, in float32, or in units of the training split.

    Attributes:
        dim: numbers in a vector, above 0.
        scaled: whether `fit` learns units: prices and weights need them, embeddings must stay what they are.
        mean, std: of each number over the training split, where `scaled`; empty before `fit`.
    """

    dim: int
    scaled: bool = False
    mean: tuple[float | int, ...] = ()
    std: tuple[float | int, ...] = ()
    name: ClassVar[str] = "vector"

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise RecipeError(f"dim = {self.dim} must be above 0.")

    @property
    def shape(self) -> tuple[int]:
        """The shape of a decoded item."""
        return (self.dim,)

    @property
    def dtype(self) -> np.dtype:
        """The type of a decoded item's numbers."""
        return np.dtype(np.float32)

    def load(self, source: Any) -> Float[np.ndarray, " d"]:
        """One vector, float32 [dim], from a sequence of numbers or a `.npy` file; of one number, from that.

        Raises:
            UnreadableItem: another length, not numbers, or a NaN or infinity among them.
        """
        called = str(source) if isinstance(source, str | Path) else "vector"
        try:
            value = np.load(source, allow_pickle=False) if isinstance(source, str | Path) else source
            with np.errstate(over="ignore"):  # it is infinite then, and refused
                vector = np.array(value, np.float32, ndmin=int(self.dim == 1))
        except FileNotFoundError:
            raise UnreadableItem(called, "there is no such file") from None
        except (ValueError, TypeError, OSError, EOFError):
            raise UnreadableItem(called, "is not a row of numbers") from None
        if vector.shape != (self.dim,):
            raise UnreadableItem(called, f"has shape {list(vector.shape)} where [{self.dim}] is expected")
        if not np.isfinite(vector).all():
            raise UnreadableItem(called, "holds a NaN or an infinity")
        return vector

    def fit(self, raws: Raws) -> VectorModality:
        """With the units of these vectors, where they are wanted and not known yet."""
        if not self.scaled or self.mean or not len(raws):
            return self
        values = np.asarray(raws, np.float64)
        mean, std = values.mean(0), values.std(0)
        std = np.where(std > 1e-6 * (1 + np.abs(mean)), std, 1.0)
        return replace(self, mean=tuple(map(float, mean)), std=tuple(map(float, std)))

    def prepare(self, raws: Raws, *, rng: np.random.Generator | None = None) -> Prepared:
        """`vector`: float32 [m, dim]. Nothing is random, so `rng` changes nothing."""
        batch = np.asarray(raws, np.float32) if len(raws) else np.zeros((0, self.dim), np.float32)
        if batch.shape[1:] != self.shape:
            raise DataError(f"Vectors of shape {list(batch.shape[1:])} came where [{self.dim}] is expected.")
        if self.mean:
            batch = ((batch - np.array(self.mean)) / np.array(self.std)).astype(np.float32)
        return Prepared({"vector": batch}, np.arange(len(batch)))

    def without(self, raw: Float[np.ndarray, " d"], part: tuple[int, int]) -> Float[np.ndarray, " d"]:
        """The vector with the numbers from `part[0]` up to, not including, `part[1]` set to zero."""
        changed = raw.copy()
        changed[part[0] : part[1]] = 0
        return changed

    def config(self) -> dict[str, Any]:
        """Plain JSON values; `modality_from` undoes it. Vectors that are taken as they are need no more than `dim`."""
        if not self.scaled:
            return {"name": self.name, "dim": self.dim}
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {"name": self.name, **values}
