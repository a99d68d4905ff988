"""How series stand in their sources: which columns, which of them is time, how many channels. Told, or found.

Reads a few sources; makes the modality that reads all of them, and says what was guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import DataError, UnreadableItem
from gemel.items.collection import Collection, Labels
from gemel.items.series import SeriesModality
from gemel.items.series_files import Sheet, of_array, sheet
from gemel.items.windows import Called, Recording, Windows, counted, refuse_windows
from gemel.items.words import many

if TYPE_CHECKING:
    from jaxtyping import Float

FEWEST = 8
"""Steps from which on a column that rises evenly looks like time."""
SAMPLE = 20
"""Sources that are looked at."""
STAMPS = frozenset("t time timestamp timestamps seconds sec ms millis elapsed time_s time_ms".split())
"""What a column of time stamps may be called, in lower case."""
UNEVEN = 0.05
"""Time stamps are irregular where steps between them differ from the median by more than this share, on average."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """How series stand in their sources, as far as it was told.

    Attributes:
        channels: the columns that are taken; empty: all but the time stamps.
        stamps: the column of time stamps; None: looked for by its name.
        rate: points in one unit of time; None: not known, or that of irregular stamps.
        missing: interpolate or refuse.
        window, hop: long recordings are cut into windows of so many points, each so many behind the one before; None:
            a recording is one item.
    """

    channels: tuple[str, ...] = ()
    stamps: str | None = None
    rate: float | None = None
    missing: str = "interpolate"
    window: int | None = None
    hop: int | None = None

    def __post_init__(self) -> None:
        refuse_windows(self.window, self.hop)

    def but(self, **changes: Any) -> Form:
        """The same with some fields changed."""
        return replace(self, **changes)

    def modality(self, sources: Sequence[Any], origin: str, called: str = "") -> tuple[SeriesModality, list[str]]:
        """What reads these sources, and what was guessed.

        Args:
            sources: files or arrays, of which a few are looked at.
            origin: what they are called together.
            called: what the column of time stamps is called, where the sources do not know.

        Raises:
            DataError: none of the sources looked at is a series.
        """
        sheets, reasons = _looked_at(sources)
        if not sheets:
            first = f"; the first: {reasons[0]}" if reasons else ""
            raise DataError(f"{origin}: none of the series looked at can be read{first}.")
        stamps = self.stamps if self.stamps is not None else _stamps(sheets)
        usual = Counter(len(each.names) for each in sheets).most_common(1)[0][0]
        count = len(self.channels) or usual - bool(stamps)
        if count < 1:
            raise DataError(f"{origin}: the only column is {stamps!r}, taken as time stamps; say otherwise: stamps=''.")
        rate, notes = self.rate or 0.0, list[str]()
        if stamps:
            rate = self.rate or _rate(sheets, stamps)
            brought = f"brought to {rate:.6g} points in a unit of it" if rate else "regular, and left out"
            notes.append(f"{origin}: column {(called or stamps)!r} holds time stamps, {brought}.")
        elif self.stamps is None and not self.channels and (clock := _clock(sheets)):
            notes.append(
                f"{origin}: column {clock} rises evenly in every series looked at, as time stamps do, and is taken for "
                f"a channel. If it is time, say so: stamps={clock!r} (--stamps {clock})."
            )
        lacking = sum(bool(np.isnan(each.values).any()) for each in sheets)
        if lacking:
            done = "these are interpolated" if self.missing == "interpolate" else "these items are refused"
            notes.append(f"{origin}: {lacking} of {len(sheets)} series looked at lack values; {done}.")
        modality = SeriesModality(channels=count, columns=self.channels, stamps=stamps, rate=rate, missing=self.missing)
        return modality, notes

    def windowed(self, whole: Collection) -> Collection:
        """Windows of these recordings as items of their own; the recording becomes their group."""
        if self.window is None:
            return whole
        hop = self.hop or self.window
        recordings, counts, rows, bad = list[Recording](), list[int](), list[int](), list[str]()
        for i in range(len(whole)):
            source, called = whole.source(i), whole.name(i)
            try:
                points = len(whole.modality.load(source))
            except UnreadableItem as error:
                bad.append(f"{called} ({error.reason})")
                continue
            recordings.append(Recording(source, called))
            counts.append(counted(points, self.window, hop))
            rows.append(i)
        windows = Windows(recordings, counts, self.window, hop)
        if not len(windows):
            raise DataError(
                f"{whole.origin}: no recording has a window of {self.window} points; choose a smaller window."
                + (f" {len(bad)} cannot be read: {bad[0]}." if bad else "")
            )
        cut = [recording.called for recording, count in zip(recordings, counts, strict=True) if count]
        short = len(recordings) - len(cut)
        notes = [f"{many(len(windows), 'window')} of {many(len(cut), 'recording')}, which are their groups."]
        notes += [f"{many(short, 'recording')} shorter than a window left out."] if short else []
        notes += [f"{many(len(bad), 'recording')} skipped: {', '.join(bad[:5])}."] if bad else []
        return _spread(whole, np.repeat(rows, counts), windows, cut, notes)


def _spread(
    whole: Collection, rows: Any, windows: Windows, recordings: Sequence[str], notes: Sequence[str]
) -> Collection:
    """What is known of a recording, known of each of its windows."""
    each = whole.take(rows)
    return each.with_(
        sources=windows,
        rows=np.arange(len(windows)),
        group=Labels(np.unique(rows, return_inverse=True)[1], list(recordings)),
        names=Called(windows),
    ).noted(*notes)


def _looked_at(sources: Sequence[Any]) -> tuple[list[Sheet], list[str]]:
    some = np.linspace(0, len(sources) - 1, min(SAMPLE, len(sources))).astype(int)
    sheets, reasons = list[Sheet](), list[str]()
    for i in some:
        source = sources[int(i)]
        try:
            called = str(source) if isinstance(source, str | Path) else f"series {i}"
            sheets.append(sheet(source, called) if isinstance(source, str | Path | bytes) else of_array(source, called))
        except UnreadableItem as error:
            reasons.append(str(error))
    return sheets, reasons


def are_series(paths: Sequence[str]) -> bool:
    """Whether most of some files hold tables of numbers."""
    sheets, reasons = _looked_at(paths)
    return len(sheets) > len(reasons)


def _stamps(sheets: Sequence[Sheet]) -> str:
    """The column that is called like time in all of them; empty where there is none."""
    return next((name for name in sheets[0].names if name.casefold() in STAMPS and _in_all(name, sheets)), "")


def _clock(sheets: Sequence[Sheet]) -> str:
    """The column that nobody named and that rises by the same step mostly, in all of them; empty where there is none,
    or no other."""
    names = sheets[0].names
    unnamed = len(names) > 1 and all(each.names == names for each in sheets) and all(map(str.isdecimal, names))
    rising = [name for place, name in enumerate(names) if all(_ticks(each.values[:, place]) for each in sheets)]
    return rising[0] if unnamed and rising else ""


def _ticks(column: Float[np.ndarray, " t"]) -> bool:
    steps = np.diff(column)
    if len(steps) < FEWEST or not (steps >= 0).all():  # NaN too is not
        return False
    usual = float(np.median(steps))
    return usual > 0 and bool((np.abs(steps / usual - 1) < 0.01).mean() >= 0.5)


def _in_all(name: str, sheets: Sequence[Sheet]) -> bool:
    return all(name in each.names for each in sheets)


def _rate(sheets: Sequence[Sheet], stamps: str) -> float:
    """Points in a unit of time where stamps are irregular; 0 where they are regular."""
    steps = [np.diff(each.values[:, each.names.index(stamps)]) for each in sheets if stamps in each.names]
    usual = [float(np.median(step)) for step in steps if len(step)]
    if not usual or not np.median(usual) > 0:
        return 0.0
    uneven = np.mean([np.abs(step / np.median(step) - 1).mean() for step in steps if len(step) and np.median(step) > 0])
    return 1 / float(np.median(usual)) if uneven > UNEVEN else 0.0
