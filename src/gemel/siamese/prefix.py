"""The first dimensions of an embedding as an embedding (Kusupati et al. 2022, Matryoshka), where training promised it.

Knows twins and their methods; no items.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gemel.errors import ModelError
from gemel.siamese.branches import BranchEncoders
from gemel.siamese.onnx import OnnxEncoder

if TYPE_CHECKING:
    from gemel.siamese.twin import Siamese


def promised(twin: Siamese) -> tuple[int, ...]:
    """How many first dimensions are embeddings too, fewer than all of them."""
    words = str(twin.recipe.get("prefixes") or "").split(",")
    return tuple(sorted({int(word) for word in words if word and int(word) < twin.method.dim}))


def shortened(twin: Siamese, dim: int) -> Siamese:
    """The twin of the first `dim` dimensions; arguments and errors as in `Siamese.prefix`."""
    if dim == twin.method.dim:
        return twin
    if dim not in promised(twin) or not isinstance(twin.encoder, OnnxEncoder | BranchEncoders):
        there = ", ".join(map(str, (*promised(twin), twin.method.dim)))
        raise ModelError(
            f"This twin has no embeddings of {dim} dimensions, but of {there}. Shorter ones are promised in "
            f"training: gemel train DATA --prefixes {dim}."
        )
    method = replace(twin.method, dim=dim, head="")
    return twin.but(encoder=twin.encoder.but(first=dim), method=method, head=None)
