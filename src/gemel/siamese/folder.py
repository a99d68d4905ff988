"""The model folder `NAME.gemel/`: written whole or not at all, and read back only when it is undamaged.

    manifest.json        what the model is, and the checksum of every file beside it; closes with its own
    encoder.onnx         the shared encoder; absent where vectors are compared as they are
    branch-1.onnx, …     the encoders of two branches, in its place
    head.onnx            the pair head, a network; absent where the distance of the embeddings decides
    head.json            the pair head, a warped one, in its place
    decision.json        from distance to probability, for each method of comparing; absent until calibrated
    grades.json          from distance to score, for each method; absent unless calibrated on scores
    prefixes.json        in format 1, both for the first dimensions alone
    seen.npy             which items training and calibration saw, as content numbers
    weights.safetensors  what training goes on from; not needed to use the model

Checksums find damage, not forgery. No pickle, ever. Knows files and bytes; what they mean is known in `twin.py`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from gemel.errors import ModelError
from gemel.siamese.manifest import FILES, FORMAT, MANIFEST, Manifest, Origin, Part, content_of, finite


def write(folder: str | Path, manifest: Manifest, parts: Mapping[str, Part]) -> Path:
    """Write a model folder: to a temporary folder beside it, flushed to disk, then renamed.

    Replaces an older model of that name. Readers find the old model or the new one; only in the instant between
    the two renames there is none.

    Args:
        folder: where to.
        manifest: what the model is.
        parts: file name → what goes into it; names from FILES.

    Raises:
        ModelError: there is something else at that place, or it cannot be written.
    """
    target = Path(folder).absolute()
    refuse_to_replace(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = _beside(target)
        temporary.mkdir()
        try:
            _fill(temporary, manifest, parts)
            _swap(temporary, target)
        finally:
            _remove(temporary)
    except OSError as error:
        raise ModelError(f"The model could not be written to {folder}: {error.strerror or error}.") from None
    return target


def read(folder: str | Path) -> tuple[Manifest, dict[str, Part]]:
    """The manifest, checked, and every file it lists, each checked when it is read.

    Raises:
        ModelError: no model there, a newer format, or damage.
    """
    place = Path(folder)
    values = _manifest(place)
    return _listed(values, lambda name, sha256: Part(place / name, sha256, str(folder)), str(folder))


def packed(manifest: Manifest, parts: Mapping[str, Part]) -> dict[str, bytes]:
    """The files of a model folder, by name, as `write` writes them."""
    files = {name: part.read() for name, part in parts.items()}
    entries = {name: {"sha256": parts[name].sha256, "bytes": len(content)} for name, content in files.items()}
    values = finite({**asdict(replace(manifest, format=FORMAT)), "files": entries})
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False, sort_keys=True)
    return {**files, MANIFEST: _sealed((text.removesuffix("\n}") + ",\n").encode())}


def unpacked(files: Mapping[str, bytes], origin: str) -> tuple[Manifest, dict[str, Part]]:
    """What `packed` packed, every file checked.

    Args:
        files: name → content.
        origin: where they were, for messages.

    Raises:
        ModelError: as `read`.
    """

    def checked(name: str, sha256: str) -> Part:
        part = Part.of(files.get(name, b""))
        if part.sha256 != sha256:
            raise ModelError(f"The model in {origin} is damaged: its {name} is not what was kept.")
        return part

    return _listed(_opened(files.get(MANIFEST, b""), origin), checked, origin)


def refuse_to_replace(folder: str | Path) -> None:
    """Raises ModelError where `write` would replace something that is not a model, or holds more than one."""
    target = Path(folder).absolute()
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not _is_model(target):
        raise ModelError(f"{target} exists and is not a gemel model; it is left alone. Choose another name.")
    strange = sorted(entry.name for entry in target.iterdir() if entry.name not in (MANIFEST, *FILES))
    if strange:
        raise ModelError(
            f"{target} also holds {strange[0]!r}, which a model does not; replacing it would lose that. "
            "Move it away, or choose another name."
        )


def check(folder: str | Path) -> Manifest:
    """Read every file to its end, weights too. Raises ModelError on any damage."""
    manifest, parts = read(folder)
    for part in parts.values():
        part.read()
    return manifest


def _manifest(place: Path) -> dict[str, Any]:
    if not (place / MANIFEST).is_file():
        there = "there is no such folder" if not place.exists() else f"it has no {MANIFEST}"
        raise ModelError(f"{place} is not a gemel model: {there}. Give the folder that `gemel train --out` wrote.")
    return _opened(content_of(place / MANIFEST, str(place)), str(place))


def _opened(raw: bytes, place: str) -> dict[str, Any]:
    """The values of a manifest, which must be undamaged and of a format that this version reads."""
    try:
        values = json.loads(raw)
        written = int(values["format"])
    except (ValueError, TypeError, KeyError):
        raise ModelError(f"{place} is damaged: its {MANIFEST} cannot be read. Copy the whole folder again.") from None
    if written > FORMAT:
        raise ModelError(
            f"{place} has model format {written}, written by gemel {values.get('gemel', 'of a later version')}; "
            f"this gemel reads up to format {FORMAT}. Upgrade with: pip install -U gemel"
        )
    body, _, _ = raw.rpartition(b'  "checksum": ')
    if raw != _sealed(body):
        raise ModelError(f"{place} is damaged: its {MANIFEST} does not match its own checksum. Copy the folder again.")
    return dict(values)


def _sealed(body: bytes) -> bytes:
    """The manifest with the checksum of everything above its last line."""
    return body + b'  "checksum": "' + hashlib.sha256(body).hexdigest().encode() + b'"\n}\n'


def _listed(values: dict[str, Any], part: Callable[[str, str], Part], origin: str) -> tuple[Manifest, dict[str, Part]]:
    """The manifest, and the files that it lists, each as `part` has it by name and checksum."""
    try:
        parts = {name: part(name, entry["sha256"]) for name, entry in values["files"].items()}
        whence = Origin(**_known(Origin, values["origin"]))
        manifest = Manifest(**{**_known(Manifest, values), "origin": whence})
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{origin} is damaged: its {MANIFEST} lacks or misplaces {error}.") from None
    strange = sorted(parts.keys() - set(FILES))
    if strange:
        raise ModelError(f"{origin} lists a file {strange[0]!r}; a model holds only {', '.join(FILES)}.")
    return manifest, parts


def _fill(place: Path, manifest: Manifest, parts: Mapping[str, Part]) -> None:
    for name, content in packed(manifest, parts).items():
        _flushed(place / name, content)
    _flush(place)


def _swap(temporary: Path, target: Path) -> None:
    """Put the new folder where the old one was; the old one comes back if that fails."""
    if not target.exists():
        temporary.rename(target)
    else:
        old = _beside(target)
        target.rename(old)
        try:
            temporary.rename(target)
        except OSError:
            old.rename(target)
            raise
        _remove(old)
    _flush(target.parent)


def _beside(target: Path) -> Path:
    return target.parent / f".{target.name}.{os.urandom(6).hex()}"


def _remove(place: Path) -> None:
    import shutil

    shutil.rmtree(place, ignore_errors=True)


def _is_model(place: Path) -> bool:
    try:
        return {"format", "gemel"} <= json.loads((place / MANIFEST).read_bytes()).keys()
    except (OSError, ValueError, AttributeError):
        return False


def _known(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f.name: values[f.name] for f in fields(kind)}


def _flushed(file: Path, content: bytes) -> None:
    with file.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())


def _flush(place: Path) -> None:
    if os.name == "posix":
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
