"""A twin as the manifest and the files of its folder. Reads a twin, changes nothing."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from gemel import __version__
from gemel.siamese.branches import BranchEncoders
from gemel.siamese.manifest import BRANCHES, DECISION, ENCODER, GRADES, HEAD, PREFIXES, SEEN, WEIGHTS, Manifest, Part
from gemel.siamese.onnx import OnnxEncoder

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
    if twin.head is not None:
        parts[HEAD] = Part.of(twin.head.content)
    if twin.decision is not None:
        parts[DECISION] = _json(twin.decision.json())
    if twin.prefixed:
        parts[PREFIXES] = _json([each.json() for each in twin.prefixed])
    if twin.grades is not None:
        parts[GRADES] = _json(twin.grades.json())
    manifest = Manifest(
        modality=twin.modality.config(),
        method=asdict(twin.method),
        dim=twin.method.dim,
        wiring=wiring,
        origin=twin.origin,
        gemel=__version__,
    )
    return manifest, {name: part for name, part in parts.items() if part is not None}


def _json(value: Any) -> Part:
    return Part.of(json.dumps(value, indent=1, allow_nan=False).encode())
