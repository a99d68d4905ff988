"""Which items a model has already seen, so that nothing is judged by what it learned from.

The 63-bit content numbers of `gemel.items.content_id`: enough to recognise an item, not to restore one.
Another picture of a known face is not recognised: keeping identities apart is up to whoever splits the data.
"""

from __future__ import annotations

import io
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from gemel.errors import ModelError
from gemel.items.decoded import field_mark
from gemel.siamese.manifest import SEEN, Part

if TYPE_CHECKING:
    from jaxtyping import Bool, Int

_ROW = np.dtype([("content", "<i8"), ("calibrated", "?")])
_NOTHING = np.empty(0, np.int64)


class Seen:
    """The items that training and calibration saw; read from the model folder on first use.

    Args:
        part: the file of the model folder; None: nothing was seen.
    """

    def __init__(self, part: Part | None = None) -> None:
        self.part = part

    @classmethod
    def of(cls, trained: Int[np.ndarray, " n"] = _NOTHING, calibrated: Int[np.ndarray, " m"] = _NOTHING) -> Self:
        """From the content numbers of what training (with stopping) saw, and of what calibration saw."""
        table = np.empty(len(trained) + len(calibrated), _ROW)
        table["content"] = np.concatenate([trained, calibrated])
        table["calibrated"] = np.arange(len(table)) >= len(trained)
        file = io.BytesIO()
        np.save(file, np.unique(table), allow_pickle=False)
        return cls(Part.of(file.getvalue()))

    @property
    def trained(self) -> Int[np.ndarray, " n"]:
        """What training saw, in no particular order."""
        return self._table["content"][~self._table["calibrated"]].astype(np.int64)

    @property
    def calibrated(self) -> Int[np.ndarray, " m"]:
        """What calibration saw, in no particular order."""
        return self._table["content"][self._table["calibrated"]].astype(np.int64)

    def in_training(self, content: Int[np.ndarray, " k"]) -> Bool[np.ndarray, " k"]:
        """Which of these items training saw."""
        return np.isin(content, self.trained)

    def in_calibration(self, content: Int[np.ndarray, " k"]) -> Bool[np.ndarray, " k"]:
        """Which of these items calibration saw."""
        return np.isin(content, self.calibrated)

    def alone(self, field: str) -> Seen:
        """What was seen of one field, by itself, of records of one field each; done twice, it is undone."""
        mark = field_mark(field)
        return Seen.of(trained=self.trained ^ mark, calibrated=self.calibrated ^ mark)

    @cached_property
    def _table(self) -> np.ndarray:
        if self.part is None:
            return np.empty(0, _ROW)
        try:
            table = np.load(io.BytesIO(self.part.read()), allow_pickle=False)
        except (ValueError, EOFError, SyntaxError) as error:
            raise ModelError(f"{self.part.model} is damaged: {SEEN} is not an array ({error}).") from None
        if table.dtype != _ROW:
            raise ModelError(f"{self.part.model} is damaged: {SEEN} has columns {table.dtype}, not {_ROW}.")
        return np.asarray(table)
