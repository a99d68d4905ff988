"""Sequences that make an item's source when it is asked for: paths, cells of a table, rows of a matrix.

They hold columns, not objects, so that ten million rows open in seconds. Must not know what a source means.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from gemel.items.vocabulary import ENDINGS


class Lazy(Sequence[Any]):
    """A sequence given by its length and by how one element is made."""

    def __len__(self) -> int:
        raise NotImplementedError

    def one(self, i: int) -> Any:
        """Element i, 0 to len - 1."""
        raise NotImplementedError

    @overload
    def __getitem__(self, i: int) -> Any: ...
    @overload
    def __getitem__(self, i: slice) -> list[Any]: ...
    def __getitem__(self, i: int | slice) -> Any:
        if isinstance(i, slice):
            return [self.one(k) for k in range(*i.indices(len(self)))]
        place = i + len(self) if i < 0 else i
        if not 0 <= place < len(self):
            raise IndexError(f"position {i} of {len(self)}")
        return self.one(int(place))


class Paths(Lazy):
    """Relative paths under a root; absolute ones stay as they are.

    Args:
        root: folder that relative paths are resolved against.
        relative: the paths as they are written.
    """

    def __init__(self, root: str | Path, relative: Sequence[str]) -> None:
        self.root = os.fspath(root)
        self.relative = relative

    def __len__(self) -> int:
        return len(self.relative)

    def one(self, i: int) -> str | None:
        relative = self.relative[i]
        return None if relative is None else os.path.join(self.root, relative)  # noqa: PTH118 (ten times faster)


class TextFiles(Paths):
    """Paths of texts, which are no texts themselves."""

    def one(self, i: int) -> Any:
        path = super().one(i)
        return None if path is None else Path(path)


def are_texts(some: Sequence[str | None], root: str | Path) -> bool:
    """Whether strings are texts themselves, and not paths or ids: most have a space, and few look like a file.

    Args:
        some: a sample.
        root: what relative paths would be relative to.
    """
    there = [word for word in some if word]
    files = sum(Path(word).suffix.lower() in (*ENDINGS, ".npy") for word in there if len(word) < 4096)
    if not there or 2 * files >= len(there) or 2 * sum(" " in word.strip() for word in there) < len(there):
        return False
    return not any(len(os.fsencode(word)) < 256 and (Path(root) / word).exists() for word in there[:20])


class Cells(Lazy):
    """The values of an Arrow array as Python objects, one at a time."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __len__(self) -> int:
        return len(self.array)

    def one(self, i: int) -> Any:
        return self.array[i].as_py()


class Blobs(Cells):
    """Images as Hugging Face datasets keep them: bytes, or where there are none, the path."""

    def __init__(self, array: Any, root: str | Path) -> None:
        super().__init__(array)
        self.root = os.fspath(root)

    def one(self, i: int) -> Any:
        cell = super().one(i)
        if not isinstance(cell, dict):
            return cell
        if cell.get("bytes") is not None:
            return cell["bytes"]
        return None if cell.get("path") is None else os.path.join(self.root, cell["path"])  # noqa: PTH118


class Rows(Lazy):
    """The rows of an array: vectors of a matrix, images of a stack."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __len__(self) -> int:
        return len(self.array)

    def one(self, i: int) -> np.ndarray:
        return self.array[i]


class Field(Lazy):
    """One field of each of some records; None where it is missing."""

    def __init__(self, records: Sequence[Mapping[str, Any]], name: str) -> None:
        self.records, self.name = records, name

    def __len__(self) -> int:
        return len(self.records)

    def one(self, i: int) -> Any:
        return self.records[i].get(self.name)


class Records(Lazy):
    """A mapping of field to source for each row."""

    def __init__(self, fields: Mapping[str, Sequence[Any]]) -> None:
        self.fields = fields

    def __len__(self) -> int:
        return len(next(iter(self.fields.values())))

    def one(self, i: int) -> dict[str, Any]:
        return {name: sources[i] for name, sources in self.fields.items()}
