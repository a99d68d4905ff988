"""A twin as the files of its folder, and as words for people. Reads a twin, changes nothing."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from gemel import __version__
from gemel.siamese.folder import DECISION, ENCODER, SEEN, WEIGHTS, Manifest, Part
from gemel.siamese.onnx import OnnxEncoder

if TYPE_CHECKING:
    from gemel.siamese.decision import Decision
    from gemel.siamese.twin import Siamese


def stored(twin: Siamese) -> tuple[Manifest, dict[str, Part]]:
    """The manifest of a twin, and the files beside it."""
    parts = {SEEN: twin.seen.part, WEIGHTS: twin.kept}
    wiring = {}
    if isinstance(twin.encoder, OnnxEncoder):
        parts[ENCODER] = Part.of(twin.encoder.content)
        wiring = {"inputs": twin.encoder.inputs, "output": twin.encoder.output}
    if twin.decision is not None:
        text = json.dumps(twin.decision.json(), indent=1, allow_nan=False)
        parts[DECISION] = Part.of(text.encode())
    manifest = Manifest(
        modality=twin.modality.config(),
        method=asdict(twin.method),
        dim=twin.method.dim,
        wiring=wiring,
        origin=twin.origin,
        gemel=__version__,
    )
    return manifest, {name: part for name, part in parts.items() if part is not None}


def described(twin: Siamese) -> str:
    """What a twin is, a fact a line."""
    origin, method = twin.origin, twin.method
    trained = origin.trained_on
    counts = [f"{trained[name]:,} {name}" for name in ("items", "identities") if name in trained]
    lines = [
        f"Compares {twin.modality.name}s by {method.distance} distance of {method.dim} dimensions, {method.precision}.",
        f"Encoder: {origin.encoder}." if origin.encoder else "",
        f"Trained on {' of '.join(counts)}{_on(origin.created)}." if counts else "",
        *_decision(twin.decision),
    ]
    return "\n".join(line for line in lines if line)


def _on(created: str) -> str:
    return f", {created[:10]}" if created else ""


def _decision(decision: Decision | None) -> list[str]:
    if decision is None:
        return ["Not calibrated: it gives distances, but no verdicts. Next: gemel calibrate MODEL DATA"]
    counts = decision.counts
    lines = [
        f"Calibrated on {counts.identities:,} identities ({counts.same:,} same and {counts.different:,} different "
        f"pairs), prior {decision.prior:g}."
    ]
    for point in decision.points:
        fmr, fnmr = point.fmr_interval, point.fnmr_interval
        lines.append(
            f"  {point.name:>9}: distance ≤ {point.threshold:.4f}   false match {point.fmr:.2%} "
            f"({fmr.low:.2%} to {fmr.high:.2%})   false non-match {point.fnmr:.2%} ({fnmr.low:.2%} to {fnmr.high:.2%})"
        )
    return lines
