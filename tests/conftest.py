"""Shapes are checked at run time in tests only: jaxtyping annotations, enforced by beartype."""

from __future__ import annotations

import builtins
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import jaxtyping

import tests.typecheck  # noqa: F401  named below

# The sources name jaxtyping only for the type checker; here the names exist at run time too.
for _name in ("Float", "Int", "Bool", "UInt8", "Shaped"):
    setattr(builtins, _name, getattr(jaxtyping, _name))

jaxtyping.install_import_hook("gemel", "tests.typecheck.checked")
