"""Shapes are checked at run time in tests only: jaxtyping annotations, enforced by beartype."""

from __future__ import annotations

import builtins
import contextlib
import functools
import gc
import importlib
import os
import sys
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import jaxtyping

import tests.typecheck  # noqa: F401  named below

# The sources name jaxtyping only for the type checker; here the names exist at run time too.
for _name in ("Float", "Int", "Bool", "UInt8", "Shaped"):
    setattr(builtins, _name, getattr(jaxtyping, _name))

jaxtyping.install_import_hook("gemel", "tests.typecheck.checked")


def pytest_collection_finish() -> None:
    """Once all tests are imported, what would be done over and over is done once.

    What there is by now stays: the garbage collector need not walk through it again and again. And PyTorch's exporter
    looks all its operators up anew for each network, always the same ones: half of the time that a small one takes.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2000, 10, 50)
    if "torch" in sys.modules:
        with contextlib.suppress(ImportError, AttributeError):  # not public: another PyTorch may keep them elsewhere
            operators: Any = importlib.import_module("torch.onnx._internal.exporter._registration").ONNXRegistry
            operators.from_torchlib = staticmethod(functools.cache(operators.from_torchlib))
