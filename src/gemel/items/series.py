"""Series of numbers as items: pen strokes, sensor traces, recordings; [time, channels], of any length.

Reads files through `series_files.py` and prepares by the named steps of `signals.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from gemel.errors import DataError, RecipeError, UnreadableItem
from gemel.items import signals
from gemel.items.lengths import Moments, alike, filled, starts
from gemel.items.modality import Prepared, Raw, Raws
from gemel.items.series_files import Sheet, of_array, sheet
from gemel.items.windows import Window

if TYPE_CHECKING:
    from jaxtyping import Float, Int

BUDGET = 16_384
"""Points of series, padding included, that are prepared together."""

MOST_POINTS = 100_000_000
"""Points of a series, as it came and at its rate, unless another `most` is asked for."""

SHORTEST = 2
"""Points that a series must have."""


@dataclass(frozen=True, kw_only=True)
class SeriesModality:
    """How series are read and prepared.

    Attributes:
        channels: columns of numbers that a series has once it is read.
        columns: which columns of a file these are, by name, or by number from 1; empty: all but `stamps`.
        stamps: the column that says when a point was taken; empty: points are equally far apart.
        rate: points in one unit of time; series with stamps are brought to it in straight lines. 0: not known, and
            stamps are dropped.
        missing: what is done where a value is missing: `interpolate`, or `refuse` the item.
        steps: what is done to a series before it is encoded, as `signals.py` names it.
        length: most points that are encoded at once. A longer series is cut at random in training, and in use is the
            mean of windows that overlap by at least half.
        mean, std: of each channel after the steps, over the training split; empty before `fit`.
        most: points that a series may have, as it came and at its rate. Changes no embedding, and is not saved.
    """

    channels: int
    columns: tuple[str, ...] = ()
    stamps: str = ""
    rate: float | int = 0
    missing: str = "interpolate"
    steps: tuple[str, ...] = ()
    length: int = 2048
    mean: tuple[float | int, ...] = ()
    std: tuple[float | int, ...] = ()
    most: int = MOST_POINTS
    name: ClassVar[str] = "series"

    def __post_init__(self) -> None:
        if self.channels < 1 or self.rate < 0:
            raise RecipeError(f"A series of {self.channels} channels at a rate of {self.rate:g} cannot be.")
        if self.length < SHORTEST:
            raise RecipeError(f"length = {self.length} must be at least {SHORTEST} points.")
        if self.missing not in ("interpolate", "refuse"):
            raise RecipeError(f"missing = {self.missing!r} does not exist; choose interpolate or refuse.")
        signals.refuse_unknown(self.steps, self.channels)

    @property
    def width(self) -> int:
        """Channels of a prepared series."""
        some = np.random.default_rng(0).normal(size=(16, self.channels))
        return signals.prepared(some, self.steps).shape[1]

    def load(self, source: Any) -> Float[np.ndarray, "t c"]:
        """One series, float32 [time, channels], NaN where a value is missing.

        Args:
            source: a path, bytes of a file, an array or a list [time] or [time, channels], or a window of one of them.
                Where columns of files have names, such an array has none and is the channels in their order; where
                series are brought to a rate by time stamps, it takes a file.

        Raises:
            UnreadableItem: no table of numbers, other channels than expected, too short, or a channel of no value.
        """
        if isinstance(source, Window):
            return self._checked(source.cut(self._read), source.called)
        called = str(source) if isinstance(source, str | Path) else "series"
        return self._checked(self._read(source), called)

    def _read(self, source: Any) -> Float[np.ndarray, "t c"]:
        """The channels of a whole source, at a regular rate."""
        called = str(source) if isinstance(source, str | Path) else "series"
        if source is None:
            raise UnreadableItem(called, "is empty")
        found = sheet(source, called) if isinstance(source, str | Path | bytes) else of_array(source, called)
        if len(found.values) > self.most:
            raise UnreadableItem(called, f"has {len(found.values):,} points; at most {self.most:,} are taken")
        bare = self._is_bare(source, found)
        with np.errstate(over="ignore"):
            values = found.values[:, range(self.channels) if bare else self._places(found, called)].astype(np.float32)
        if np.isinf(values).any():
            raise UnreadableItem(called, "holds a number that is too large")
        if not self.stamps or not self.rate:
            return values
        stamps = found.values[:, _place(self.stamps, found, called)]
        if not np.isfinite(stamps).all() or (np.diff(stamps) < 0).any():
            raise UnreadableItem(called, f"has time stamps in column {self.stamps!r} that fall or are missing")
        if (span := float(stamps[-1] - stamps[0]) * self.rate) > self.most:
            raise UnreadableItem(called, f"spans {span:.3g} points at a rate of {self.rate:g}; at most {self.most:,}")
        whole = signals.interpolated(self._some_of_each(values, called))
        return signals.regular(whole, stamps, self.rate).astype(np.float32)

    def _is_bare(self, source: Any, found: Sheet) -> bool:
        """Whether these are the channels themselves, in their order: numbers as many as there are channels, without
        the names that columns of a file go by. Where time stamps are needed, they cannot do without."""
        named = any(not name.isdecimal() for name in self.columns)
        return (
            named
            and not (self.stamps and self.rate)
            and not isinstance(source, str | Path | bytes)
            and found.values.shape[1] == self.channels
        )

    def _places(self, found: Sheet, called: str) -> list[int]:
        if self.columns:
            return [_place(name, found, called) for name in self.columns]
        there = self.rate or self.stamps.isdecimal() or self.stamps in found.names  # to be left out, it need not be
        without = {_place(self.stamps, found, called)} if self.stamps and there else set()
        return [place for place in range(len(found.names)) if place not in without]

    def _checked(self, values: Float[np.ndarray, "t c"], called: str) -> Float[np.ndarray, "t c"]:
        if values.shape[1] != self.channels:
            raise UnreadableItem(called, f"has {values.shape[1]} channels where {self.channels} are expected")
        if len(values) < SHORTEST:
            raise UnreadableItem(called, f"has {len(values)} points; at least {SHORTEST} are needed")
        if self.missing == "refuse" and np.isnan(values).any():
            raise UnreadableItem(called, f"lacks {int(np.isnan(values).sum())} values")
        return np.ascontiguousarray(self._some_of_each(values, called))

    @staticmethod
    def _some_of_each(values: Float[np.ndarray, "t c"], called: str) -> Float[np.ndarray, "t c"]:
        if (empty := np.isnan(values).all(0)).any():
            raise UnreadableItem(called, f"has no value at all in channel {int(np.flatnonzero(empty)[0]) + 1}")
        return values

    def fit(self, raws: Raws) -> SeriesModality:
        """With mean and standard deviation of each prepared channel over these series, where there are none yet."""
        if self.mean:
            return self
        moments = Moments(self.width)
        for raw in raws:
            for part in self.windows(raw):
                moments.add(part)
        return replace(self, mean=moments.mean, std=moments.std)

    def prepare(self, raws: Raws, *, rng: np.random.Generator | None = None) -> Prepared:
        """`series`: float32 [m, l, width], zeros behind the end; `attention_mask`: int64 [m, l], 1 up to it.

        With `rng`, one random cut of each series that is too long; without, all of its windows.
        """
        parts = [self.windows(raw, rng) for raw in raws]
        owner = np.repeat(np.arange(len(raws)), [len(each) for each in parts])
        series, mask = filled([part for each in parts for part in each], self.width)
        return Prepared({"series": series, "attention_mask": mask}, owner.astype(np.int64))

    def windows(self, raw: Raw, rng: np.random.Generator | None = None) -> list[Float[np.ndarray, "u d"]]:
        """The parts of a series that are encoded, after the steps and in units of the training split."""
        whole = signals.interpolated(np.asarray(raw, np.float64))
        if whole.ndim != 2 or whole.shape[1] != self.channels:
            raise DataError(f"A series of shape {list(whole.shape)} came where [time, {self.channels}] is expected.")
        parts = [signals.prepared(whole[a : a + self.length], self.steps) for a in starts(len(whole), self.length, rng)]
        if not self.mean:
            return parts
        return [((part - np.array(self.mean)) / np.array(self.std)).astype(np.float32) for part in parts]

    def together(self, raws: Sequence[Raw]) -> list[Int[np.ndarray, " _"]]:
        """Which series to prepare together, so that little is padding: alike in length, and not too many."""
        return alike(np.array([len(raw) for raw in raws]), BUDGET)

    def without(self, raw: Float[np.ndarray, "t c"], part: tuple[int, int]) -> Float[np.ndarray, "t c"]:
        """The series with the points from `part[0]` up to, not including, `part[1]` on a straight line."""
        changed = np.array(raw, np.float32)
        changed[part[0] : part[1]] = np.nan
        return self._some_of_each(signals.interpolated(changed), "series")

    def config(self) -> dict[str, Any]:
        """Plain JSON values; `modality_from` undoes it."""
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        del values["most"]
        return {"name": self.name, **values}


def lacking(raws: Raws) -> int:
    """How many of these series lack a value somewhere."""
    return sum(bool(np.isnan(raw).any()) for raw in raws)


def _place(name: str, found: Sheet, called: str) -> int:
    """Where a column stands, by its name, or by its number from 1."""
    if name in found.names:
        return found.names.index(name)
    if name.isdecimal() and 1 <= int(name) <= len(found.names):
        return int(name) - 1
    raise UnreadableItem(called, f"has no column {name!r}, but {', '.join(each[:40] for each in found.names[:20])}")
