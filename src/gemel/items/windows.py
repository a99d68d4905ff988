"""Windows of long recordings as items of their own; a recording is read once for windows that follow each other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import RecipeError
from gemel.items.sources import Lazy

if TYPE_CHECKING:
    from jaxtyping import Float

Read = Callable[[Any], np.ndarray]


class Recording:
    """A source of which several windows are taken; the last one that was read is kept in memory.

    Args:
        source: what a modality reads.
        called: what it is called in messages.
    """

    _lock = threading.Lock()
    _last: tuple[Recording, np.ndarray] | None = None

    def __init__(self, source: Any, called: str) -> None:
        self.source, self.called = source, called

    def values(self, read: Read) -> Float[np.ndarray, "t c"]:
        """The whole of it."""
        with Recording._lock:
            last = Recording._last
            if last is None or last[0] is not self:
                last = Recording._last = (self, read(self.source))
            return last[1]


@dataclass(frozen=True)
class Window:
    """Some points of a recording.

    Attributes:
        recording: where they are from.
        start, stop: its first point, and the one behind its last.
    """

    recording: Recording
    start: int
    stop: int

    @property
    def called(self) -> str:
        return f"{self.recording.called}[{self.start}:{self.stop}]"

    def cut(self, read: Read) -> Float[np.ndarray, "w c"]:
        """These points, read by a modality."""
        return self.recording.values(read)[self.start : self.stop]


class Windows(Lazy):
    """All windows of some recordings, in order."""

    def __init__(self, recordings: list[Recording], counts: list[int], window: int, hop: int) -> None:
        self.recordings, self.window, self.hop = recordings, window, hop
        self.ends = np.cumsum(counts)

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    def one(self, i: int) -> Window:
        which = int(np.searchsorted(self.ends, i, side="right"))
        place = i - (int(self.ends[which - 1]) if which else 0)
        return Window(self.recordings[which], place * self.hop, place * self.hop + self.window)


class Called(Lazy):
    """What windows are called."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows

    def __len__(self) -> int:
        return len(self.windows)

    def one(self, i: int) -> str:
        return self.windows.one(i).called


def counted(points: int, window: int, hop: int) -> int:
    """How many windows a recording of so many points has; what is left at its end is in none."""
    return 1 + (points - window) // hop if points >= window else 0


def refuse_windows(window: int | None, hop: int | None) -> None:
    """Raises RecipeError for sizes that cannot be."""
    if hop is not None and window is None:
        raise RecipeError(f"hop = {hop} is the way from one window to the next; give window too.")
    if window is not None and (window < 2 or (hop is not None and hop < 1)):
        raise RecipeError(
            f"window = {window} must be at least 2 points, and hop{'' if hop is None else f' = {hop}'} at least 1."
        )
