"""A folder per identity: `root/identity/file`, below splits or groups when there are some.

Files are images; or series or texts where there are no images. Only names are looked at, with os.scandir; of series
and texts a few are opened, to tell which they are.
Hidden files are ignored, others are counted and named in the notes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gemel.errors import DataError
from gemel.items.collection import UNKNOWN, Collection, Labels
from gemel.items.files import of_files
from gemel.items.modality import Modality
from gemel.items.series import SeriesModality
from gemel.items.series_form import Form
from gemel.items.sources import Paths
from gemel.items.table import FILES
from gemel.items.vocabulary import ENDINGS, FORGERIES, SERIES, SOUNDS, SPLITS, TEXTS
from gemel.items.words import first, many

LOOKED_FOR = {"image": ENDINGS, "audio": SOUNDS, "text": TEXTS, "series": SERIES}
"""Kind of items → endings of their files."""


@dataclass
class _Found:
    """What a walk through a folder finds, one value per file.

    Attributes:
        paths: relative to the root.
        identity, group, split: the folders' names; None where there is no such level.
        other: files of other kinds, relative to the root.
        deeper: folders inside the folder of an identity, which are not entered.
        endings: of the files that are looked for.
    """

    endings: frozenset[str] = ENDINGS
    paths: list[str] = field(default_factory=list)
    identity: list[str | None] = field(default_factory=list)
    group: list[str | None] = field(default_factory=list)
    split: list[str | None] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    deeper: list[str] = field(default_factory=list)


def read_folder(
    root: str | Path,
    modality: Modality | None = None,
    *,
    grouped: bool = False,
    impostors: str | None = None,
    kind: str | None = None,
    form: Form = Form(),  # noqa: B008
) -> Collection:
    """Items of a folder, one folder per identity.

    Args:
        root: `root/identity/file`, or `root/split/identity/file` when the first level holds split names only.
        modality: how its files are decoded; None: as images, or where there are none as sounds, series or texts.
        grouped: there is a level of groups above the identities; an identity is then called "group/identity".
        impostors: ending of folders that hold imitations of the identity before it, such as "_forg"; "": there are
            none; None: found by names.
        kind: what its files hold, where that was said.
        form: how series stand in their files.

    Raises:
        DataError: no such file at all, or none where this layout has them.
    """
    root = Path(root)
    found = _found(root, modality, kind, grouped=grouped)
    if not found.paths:
        raise DataError(_nothing(root, found, grouped=grouped))
    if len(set(found.identity)) == 1 and found.identity[0] is not None:
        _refuse_to_overlook(root, found)
    paths = Paths(root, found.paths)
    sources, decoded, guesses = of_files(paths, told=modality, kind=kind, form=form, origin=str(root))
    identity, impostor_of, notes = _imitations(found.identity, impostors)
    whole = Collection(
        modality=decoded,
        sources=sources,
        rows=np.arange(len(found.paths)),
        identity=identity,
        group=Labels.of(found.group) if grouped else None,
        split=Labels.of(found.split) if any(found.split) else None,
        impostor_of=impostor_of,
        names=found.paths,
        origin=str(root),
        notes=(*_notes(found), *notes, *guesses),
    )
    return form.windowed(whole) if isinstance(decoded, SeriesModality) else whole


def _found(root: Path, modality: Modality | None, kind: str | None, *, grouped: bool) -> _Found:
    """The files of the kind that was said; images, or where there are none, sounds, or texts or series."""
    said = kind or (None if modality is None else modality.name)
    for endings in _looked_for(said):
        found = _walk(root, grouped=grouped, endings=endings)
        if found.paths:
            break
    return found


def listed_files(root: Path, modality: str | None, kind: str | None) -> list[str]:
    """The files of one kind in a folder and below, by name, relative to it."""
    every = [path for path in sorted(root.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    for endings in _looked_for(kind or modality):
        if found := [str(path.relative_to(root)) for path in every if path.suffix.lower() in endings]:
            return found
    return []


def _looked_for(said: str | None) -> list[frozenset[str]]:
    return [LOOKED_FOR[said]] if said in LOOKED_FOR else [ENDINGS, SOUNDS, TEXTS | SERIES]


def _walk(root: Path, *, grouped: bool, endings: frozenset[str]) -> _Found:
    """Every file at its level, in the order of the names."""
    found = _Found(endings)
    for split, part in _splits(root):
        for group, family in _folders(part, found) if grouped else [(None, part)]:
            for identity, folder in _folders(family, found, keep=not grouped):
                name = f"{group}/{identity}" if group and identity else identity
                files = list(_files(folder, root, found))
                found.paths += files
                found.identity += [name] * len(files)
                found.group += [group] * len(files)
                found.split += [split] * len(files)
    return found


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    """What stands in a folder, by name, without hidden entries."""
    try:
        with os.scandir(folder) as entries:
            return sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)
    except FileNotFoundError:
        raise DataError(f"There is no folder {folder}; check the path.") from None
    except PermissionError:
        raise DataError(f"The folder {folder} may not be read: permission denied.") from None


def _splits(root: Path) -> list[tuple[str | None, str | Path]]:
    """The folders of the splits; the root itself when its folders are not all named after splits."""
    folders = [e for e in _entries(root) if e.is_dir()]
    if folders and all(e.name.casefold() in SPLITS for e in folders):
        return [(SPLITS[e.name.casefold()], e.path) for e in folders]
    return [(None, root)]


def _folders(parent: str | Path, found: _Found, *, keep: bool = False) -> Iterator[tuple[str | None, str]]:
    """The folders in a folder; with `keep`, a folder without any counts as one of unknown identity."""
    entries = _entries(parent)
    folders = [e for e in entries if e.is_dir()]
    if keep and not folders:
        yield None, os.fspath(parent)
        return
    found.other += [e.path for e in entries if not e.is_dir()]
    for entry in folders:
        yield entry.name, entry.path


def _files(folder: str, root: Path, found: _Found) -> Iterator[str]:
    start = len(os.path.join(root, ""))  # noqa: PTH118
    for entry in _entries(folder):
        if entry.is_dir():
            found.deeper.append(entry.path)
        elif os.path.splitext(entry.name)[1].lower() in found.endings:  # noqa: PTH122
            yield entry.path[start:]
        else:
            found.other.append(entry.path)


def _imitations(folders: list[str | None], ending: str | None) -> tuple[Labels | None, Labels | None, list[str]]:
    """Identity of every file, and whom it imitates, in the same codes."""
    if not any(folders):
        return None, None, ["There are no folders of identities, so no identity is known."]
    notes: list[str] = []
    if ending is None:
        ending, notes = _forged(set(folders) - {None})
    if not ending:
        return Labels.of(folders), None, notes
    fake = np.array([f is not None and f.endswith(ending) for f in folders])
    if not fake.any():
        raise DataError(f"No folder ends with {ending!r}, which was given as the ending of impostors.")
    both = Labels.of([f.removesuffix(ending) if f is not None else None for f in folders])
    identity = Labels(np.where(fake, UNKNOWN, both.codes), both.names)
    return identity, Labels(np.where(fake, both.codes, UNKNOWN), both.names), notes


def _forged(known: set[str | None]) -> tuple[str, list[str]]:
    """The ending of folders that hold imitations of the folder beside them, empty where there are none; and a word on
    it. Of several such endings none is chosen."""
    endings: dict[str, list[str]] = {}
    for name in sorted(filter(None, known)):
        for mark in "_-. ":
            base, cut, ending = name.rpartition(mark)
            if cut and base in known and ending.casefold() in FORGERIES:
                endings.setdefault(cut + ending, []).append(name)
    if len(endings) == 1:
        ending, folders = next(iter(endings.items()))
        return ending, [
            f'Folders that end with "{ending}" ({first(folders, 3)}) were taken for imitations of the identity before '
            "it; impostors=\"\" (--impostors '') reads them as identities of their own."
        ]
    return "", [
        f"{many(len(folders), 'folder')} look like imitations of the folder beside them ({first(folders, 3)}) "
        f'and were read as identities of their own; impostors="{ending}" takes them as impostors.'
        for ending, folders in sorted(endings.items())
    ]


def _refuse_to_overlook(root: Path, found: _Found) -> None:
    """Refuse files that no folder tells apart where a table beside them may say what they are."""
    tables = [path for path in found.other if Path(path).suffix.lower() in set(FILES) - {".txt"}]
    if tables:
        raise DataError(
            f"{root}: all {len(found.paths):,} files stand in one folder, so nothing says which are the same; "
            f"{first(tables, 3)} may. Give that table instead. Its paths are relative to it, and "
            "fields='image=images/{id}.jpg,title' (--fields) makes paths of a column."
        )


def _notes(found: _Found) -> list[str]:
    notes = []
    if found.other:
        names = [os.path.basename(path) for path in found.other]  # noqa: PTH119
        notes.append(f"{many(len(names), 'file')} left alone, not {_kind(found)} in their place: {first(names)}.")
    if found.deeper:
        names = [os.path.basename(path) for path in found.deeper]  # noqa: PTH119
        notes.append(f"{many(len(names), 'folder')} inside the folders of identities not entered: {first(names)}.")
    return notes


def _nothing(root: Path, found: _Found, *, grouped: bool) -> str:
    layout = "group/identity/file" if grouped else "identity/file"
    start = f"{root}: no image, sound, text or series stands at {layout}"
    if found.deeper:
        return f"{start}, but there are folders below; grouped=True reads group/identity/file."
    if found.other:
        return f"{start}; {many(len(found.other), 'other file')} ({first(found.other, 3)})."
    what = "images, sounds, series or texts"
    return f"{root}: the folder holds no files. Expected {layout}: a folder per identity, with {what}."


def _kind(found: _Found) -> str:
    """What was looked for, as a plural."""
    kinds = {ENDINGS: "images", SOUNDS: "sounds", TEXTS: "texts", SERIES: "series"}
    return kinds.get(found.endings, "texts or series")
