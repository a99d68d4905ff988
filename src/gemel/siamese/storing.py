"""A twin as the manifest and the files of its folder, and back from there. Changes no twin."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from gemel import __version__
from gemel.distances import distance
from gemel.errors import DataError, ModelError
from gemel.items.registry import modality_from
from gemel.siamese.branches import BranchEncoders
from gemel.siamese.decision import Decision
from gemel.siamese.grades import Grades
from gemel.siamese.manifest import (
    BRANCHES,
    DECISION,
    ENCODER,
    GRADES,
    HEAD,
    PREFIXES,
    SEEN,
    WARPED,
    WEIGHTS,
    Manifest,
    Part,
)
from gemel.siamese.onnx import Encoder, OnnxEncoder, Verbatim
from gemel.siamese.operating import Method
from gemel.siamese.pairhead import PairHead, head_of
from gemel.siamese.seen import Seen

if TYPE_CHECKING:
    from gemel.siamese.twin import Siamese


def stored(twin: Siamese) -> tuple[Manifest, dict[str, Part]]:
    """The manifest of a twin, and the files beside it."""
    parts = {SEEN: twin.seen.part, WEIGHTS: twin.kept}
    wiring = {}
    if isinstance(twin.encoder, OnnxEncoder):
        parts[ENCODER] = Part.of(twin.encoder.content)
        wiring = {name: getattr(twin.encoder, name) for name in ("inputs", "output", "first")}
    if isinstance(twin.encoder, BranchEncoders):
        parts |= {BRANCHES[i]: Part.of(one.content) for i, one in enumerate(twin.encoder.encoders.values())}
        wiring = {"first": next(iter(twin.encoder.encoders.values())).first}
    if twin.head is not None:
        parts[twin.head.file] = Part.of(twin.head.content)
    if twin.decisions:
        parts[DECISION] = _json([each.json() for each in twin.decisions])
    if twin.gradings:
        parts[GRADES] = _json([each.json() for each in twin.gradings])
    manifest = Manifest(
        modality=twin.modality.config(),
        method=asdict(twin.method),
        dim=twin.method.dim,
        wiring=wiring,
        origin=twin.origin,
        gemel=__version__,
    )
    return manifest, {name: part for name, part in parts.items() if part is not None}


def fields_of(
    manifest: Manifest,
    parts: Mapping[str, Part],
    folder: str,
    *,
    providers: Sequence[str] | None = None,
    threads: int | None = None,
) -> dict[str, Any]:
    """The fields of the twin that a folder holds; arguments and errors as in `Siamese.load`."""
    try:
        method = Method.from_json(manifest.method)
    except (KeyError, TypeError, DataError) as error:
        raise ModelError(f"{folder} is damaged: its method lacks or misplaces {error}.") from None
    decisions, gradings = restored(parts)
    return {
        "modality": modality_from(manifest.modality),
        "encoder": _encoder(manifest, parts, method, providers=providers, threads=threads),
        "method": method,
        "head": _head(parts, method, threads=threads),
        "decisions": decisions,
        "gradings": gradings,
        "origin": manifest.origin,
        "seen": Seen(parts.get(SEEN)),
        "kept": parts.get(WEIGHTS),
    }


def _encoder(manifest: Manifest, parts: Mapping[str, Part], method: Method, **how: Any) -> Encoder:
    if method.branches:
        return BranchEncoders(
            {
                field: OnnxEncoder(parts[name].read(), **how, **manifest.wiring)
                for field, name in zip(method.branches, BRANCHES, strict=True)
            }
        )
    return OnnxEncoder(parts[ENCODER].read(), **how, **manifest.wiring) if ENCODER in parts else Verbatim()


def _head(parts: Mapping[str, Part], method: Method, *, threads: int | None) -> PairHead | None:
    kept = parts.get(HEAD) or parts.get(WARPED)
    return None if kept is None else head_of(kept.read(), distance(method.distance), threads=threads)


def restored(parts: Mapping[str, Part]) -> tuple[tuple[Decision, ...], tuple[Grades, ...]]:
    """The decisions and the grades of a model folder.

    Format 1 had one of either kind, and those of first dimensions in a file of their own.

    Raises:
        ModelError: they are damaged.
    """
    decisions, grades, prefixes = (_values(parts.get(name)) for name in (DECISION, GRADES, PREFIXES))
    try:
        decisions += [each["decision"] for each in prefixes if each["decision"] is not None]
        grades += [each["grades"] for each in prefixes if each["grades"] is not None]
    except (KeyError, TypeError) as error:
        raise ModelError(f"The decisions of prefixes are damaged ({error!r}); calibrate the model again.") from None
    return tuple(map(Decision.from_json, decisions)), tuple(map(Grades.from_json, grades))


def _values(part: Part | None) -> list[Any]:
    """What a file lists, or the one value that it holds."""
    if part is None:
        return []
    try:
        found = json.loads(part.read())
    except ValueError as error:
        raise ModelError(f"{part.model} is damaged: it holds what is not JSON ({error}).") from None
    return found if isinstance(found, list) else [found]


def _json(value: Any) -> Part:
    return Part.of(json.dumps(value, indent=1, allow_nan=False).encode())
