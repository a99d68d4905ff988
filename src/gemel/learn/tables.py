"""Tables that tell batches what the network confuses by now: each is in force from some step on.

So that a plan stays a function of the step and the seed, and a killed run resumes. Knows integers only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import torch

from gemel.learn.plan import Batches

if TYPE_CHECKING:
    from jaxtyping import Int


class Tables:
    """The table in force now, and the one before, which batches that are still planned may need."""

    def __init__(self) -> None:
        self._tables: list[tuple[int, np.ndarray]] = []

    def add(self, table: Int[np.ndarray, "c k"], *, start: int) -> None:
        """From step `start` on this table is in force; what was planned for earlier steps stays as it was.

        Args:
            table: a row for each code or item.
            start: a step that has not been planned, and not before that of the last table.
        """
        self._tables = [*self._tables[-1:], (start, table)]

    def at(self, step: int) -> Int[np.ndarray, "c k"] | None:
        """The table in force at a step; None until there is one."""
        return next((table for start, table in reversed(self._tables) if start <= step), None)

    def state_dict(self) -> dict[str, Any]:
        """A part of a checkpoint."""
        tables = [torch.from_numpy(table) for _, table in self._tables]  # what a checkpoint may hold
        return {"starts": [start for start, _ in self._tables], "tables": tables}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._tables = list(zip(state["starts"], (table.numpy() for table in state["tables"]), strict=True))


@runtime_checkable
class Told(Protocol):
    """Batches that tables tell what to draw.

    Attributes:
        tables: what they are told.
        each: how many are wanted in a row of a table.
    """

    tables: Tables
    each: int


def told_in(batches: Batches) -> Told | None:
    """The batches that are told among what was put around them (`inner`); None where there are none."""
    inner: Any = batches
    while inner is not None and not isinstance(inner, Told):
        inner = getattr(inner, "inner", None)
    return inner
