"""What hangs together: connected components of a graph given by its edges. Pure arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Int


def components(n: int, a: Int[np.ndarray, " m"], b: Int[np.ndarray, " m"]) -> Int[np.ndarray, " n"]:
    """The component of each of n nodes, as 0 … k-1 in order of their smallest nodes; edge i joins `a[i]` and `b[i]`.

    Union by smallest node with pointer jumping, on whole arrays: about log(n) rounds.

    >>> components(4, np.array([0, 2]), np.array([3, 2]))
    array([0, 1, 2, 0])
    """
    root = np.arange(n)
    while True:
        low, high = np.minimum(root[a], root[b]), np.maximum(root[a], root[b])
        if (low == high).all():
            break
        np.minimum.at(root, high, low)
        while (root[root] != root).any():
            root = root[root]
    return dense(root)


def dense(values: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The same partition numbered 0 … k-1 in the order of the values, which are 0 or more; no sorting.

    >>> dense(np.array([7, 2, 7]))
    array([1, 0, 1])
    """
    present = np.zeros(values.max(initial=-1) + 1, np.int64)
    present[values] = 1
    return (np.cumsum(present) - 1)[values]


def firsts(values: Int[np.ndarray, " n"], count: int) -> Int[np.ndarray, " k"]:
    """Where each of 0 … count-1 first stands; n for values that do not occur.

    >>> firsts(np.array([1, 0, 1]), 3)
    array([1, 0, 3])
    """
    first = np.full(count, len(values), np.int64)
    first[values[::-1]] = np.arange(len(values) - 1, -1, -1)
    return first
