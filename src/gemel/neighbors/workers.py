"""Blocks of work side by side, each with one thread of BLAS: what is between two products then waits for nobody.

Works on arrays; knows no items, identities or files.
"""

from __future__ import annotations

import functools
import importlib
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_held = threading.Lock()


def workers() -> int:
    """How many blocks run side by side: as many as BLAS has threads, where it can be held to one (threadpoolctl)."""
    blas = _blas()
    return max((library["num_threads"] for library in blas.info()), default=1) if blas is not None else 1


def side_by_side(work: Callable[[slice], None], parts: Iterable[slice], count: int) -> None:
    """Do all parts, `count` at a time. Where another caller is at it already, one after the other."""
    if count < 2 or not _held.acquire(blocking=False):
        for part in parts:
            work(part)
        return
    try:
        with _blas().limit(limits=1), ThreadPoolExecutor(count) as pool:
            for _ in pool.map(work, parts):
                pass
    finally:
        _held.release()


@functools.cache
def _blas() -> Any:
    """What holds BLAS to a number of threads; None where threadpoolctl is not installed."""
    try:
        return importlib.import_module("threadpoolctl").ThreadpoolController().select(user_api="blas")
    except ModuleNotFoundError:
        return None
