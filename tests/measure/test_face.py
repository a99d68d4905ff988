"""The names of the room: complete, importable, and quick to reach."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gemel import measure


def test_every_name_is_there_and_nothing_else_is() -> None:
    assert sorted(measure.__all__) == sorted(measure._HOME) == sorted(dir(measure))
    for name in measure.__all__:
        assert getattr(measure, name).__module__ == f"gemel.measure.{measure._HOME[name]}"
    with pytest.raises(AttributeError, match="no attribute 'accuraccy'"):
        measure.accuraccy  # noqa: B018


def test_numpy_is_all_it_needs() -> None:
    needed = f"import sys; from gemel.measure import {', '.join(measure.__all__)}; import gemel.siamese.decision"
    forbidden = "torch scipy sklearn pandas onnxruntime jaxtyping"
    code = f"{needed}; print(*[m for m in {forbidden.split()} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""
