"""The checker that jaxtyping's import hook puts around every function of gemel in tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from beartype import BeartypeConf, beartype

CONF = BeartypeConf(is_pep484_tower=True)
"""An int is a float, as it is for mypy."""


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """beartype, but for `Self`: it cannot know the class of a method that is decorated on its own."""
    inner = getattr(function, "__func__", function)
    if not isinstance(function, type):
        inner.__annotations__ = {
            name: hint for name, hint in inner.__annotations__.items() if hint not in ("Self", Self)
        }
    return beartype(function, conf=CONF)
