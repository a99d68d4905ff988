"""A bounded folder of decoded items, written atomically and reused only when nothing about the sources changed.

Knows files, keys and sizes; neither modalities nor what the arrays mean.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import DataError
from gemel.items.words import size

if TYPE_CHECKING:
    from jaxtyping import Int

MOST = 64 << 30
"""Bytes that the cache may hold; never more than half of what the disk could give it."""

ABANDONED = 24 * 3600
"""Seconds after which an unfinished entry is taken for the remains of a crash."""


@dataclass(frozen=True)
class Entry:
    """What is kept for one key.

    Attributes:
        raws: the decoded items, mapped read-only.
        content: a number for each.
        good: where each stands in its collection.
        bad: (position, name, reason) of the others.
    """

    raws: np.ndarray
    content: Int[np.ndarray, " n"]
    good: Int[np.ndarray, " n"]
    bad: tuple[tuple[int, str, str], ...]


def cache_folder() -> Path:
    """Where decoded items are kept: $GEMEL_CACHE, or the platform's place for caches."""
    if own := os.environ.get("GEMEL_CACHE"):
        return Path(own)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "gemel" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "gemel"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gemel"


def clear_cache(folder: str | Path | None = None) -> int:
    """Remove everything that is kept; returns the bytes that this frees."""
    held = _entries(_home(folder))
    for entry in held:
        shutil.rmtree(entry, ignore_errors=True)
    return sum(held.values())


def kept(folder: Path, key: str) -> Entry | None:
    """What is kept for a key; None when there is nothing, or it is damaged."""
    place = _home(folder) / key
    try:
        about = json.loads((place / "about.json").read_text(encoding="utf-8"))
        good, content = np.load(place / "good.npy"), np.load(place / "content.npy")
        raws = np.load(place / "raws.npy", mmap_mode="r")
        os.utime(place)
    except (OSError, ValueError, EOFError):
        return None
    if len(raws) < len(good):
        return None
    return Entry(raws[: len(good)], content, good, tuple((int(row), name, why) for row, name, why in about["bad"]))


class Draft:
    """An entry while it is being written: it is there in full when kept, and otherwise not at all.

    Args:
        folder: the cache.
        shape, dtype: of all decoded items together.

    Raises:
        DataError: the disk has no room for it.
    """

    def __init__(self, folder: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
        home = _home(folder)
        home.mkdir(parents=True, exist_ok=True)
        _make_room(home, int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)
        self.home = home
        self.place = Path(tempfile.mkdtemp(prefix="draft-", dir=home))
        self.raws: Any = np.lib.format.open_memmap(self.place / "raws.npy", "w+", dtype, shape)

    def keep(self, key: str, content: Int[np.ndarray, " n"], good: Int[np.ndarray, " n"], bad: list[Any]) -> None:
        """Put the entry in its place; another process may have been first, with the same content."""
        self.raws.flush()
        self.raws = None
        np.save(self.place / "content.npy", content)
        np.save(self.place / "good.npy", good)
        (self.place / "about.json").write_text(json.dumps({"bad": bad}), encoding="utf-8")
        try:
            self.place.replace(self.home / key)
        except OSError:
            if kept(self.home.parent, key) is None:  # a damaged entry is in the way
                shutil.rmtree(self.home / key, ignore_errors=True)
                self.place.replace(self.home / key)
            self.drop()

    def drop(self) -> None:
        """Remove what was written."""
        self.raws = None
        shutil.rmtree(self.place, ignore_errors=True)


def scratch(folder: Path, shape: tuple[int, ...], dtype: np.dtype) -> np.memmap:
    """An array in a file that vanishes with the process. Raises DataError when the disk has no room."""
    home = _home(folder)
    home.mkdir(parents=True, exist_ok=True)
    _make_room(home, int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)
    with tempfile.TemporaryFile(dir=home) as file:
        return np.memmap(file, dtype, "w+", shape=shape)


def free_memory() -> int:
    """Bytes of memory that can be had without swapping; 8 GiB where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return 8 << 30


def _home(folder: str | Path | None) -> Path:
    return Path(folder or cache_folder()) / "decoded"


def _entries(home: Path) -> dict[Path, int]:
    """Every entry and its bytes, the longest unused first."""
    found = []
    for place in home.iterdir() if home.is_dir() else ():
        try:
            found.append((place.stat().st_mtime, place, sum(f.stat().st_size for f in place.iterdir())))
        except (OSError, NotADirectoryError):
            continue
    return {place: held for _, place, held in sorted(found)}


def _make_room(home: Path, need: int) -> None:
    held = _entries(home)
    free = shutil.disk_usage(home).free
    bound = min(MOST, (free + sum(held.values())) // 2)
    if need > bound:
        raise DataError(
            f"The decoded items need {size(need)}, and the cache in {home} may hold {size(bound)}. Set GEMEL_CACHE to "
            "a folder with more room, make the images smaller, or decode with cache=False to keep them in memory."
        )
    for place in held:
        unfinished = place.name.startswith("draft-")
        if unfinished and time.time() - place.stat().st_mtime < ABANDONED:
            continue
        if unfinished or sum(held[p] for p in held if p.exists()) + need > bound:
            shutil.rmtree(place, ignore_errors=True)
