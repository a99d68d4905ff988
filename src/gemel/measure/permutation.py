"""Keyed permutations of 0 … size - 1: what stands at a place is computed, and nothing is kept.

Whatever is numbered can so be drawn without replacement, from any place on, and in any process. Knows numbers only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Int, Shaped

ROUNDS = 6
"""Of two half rounds each. Two are enough for many numbers (Luby and Rackoff, 1988); few numbers need more to come
equally often at every place."""
_WORD = 2**64
_GOLDEN = 0x9E3779B97F4A7C15


def permuted(
    place: Int[np.ndarray, " n"], size: int | Int[np.ndarray, " n"], key: Shaped[np.ndarray, "#n"]
) -> Int[np.ndarray, " n"]:
    """What a keyed permutation of 0 … size - 1 has at each place.

    A Feistel network over wide × tall numbers, hardly more than `size`. What it sends beyond `size` goes through it
    again until it comes back (cycle walking): two places never meet, so every number stands at exactly one.

    Args:
        place: each from 0 to size - 1.
        size: how many numbers there are, 1 to 2^61; one for all places, or one for each.
        key: which permutation, from `key_of`; one for all places, or one for each.

    Source: Black and Rogaway (2002), Ciphers with arbitrary finite domains, methods 2 and 3.
    """
    size = np.atleast_1d(size)
    out = _network(place, size, key)
    outside = np.flatnonzero(out >= size)
    if len(outside):
        size, key = (np.broadcast_to(x, place.shape) for x in (size, key))
    while len(outside):
        out[outside] = _network(out[outside], size[outside], key[outside])
        outside = outside[out[outside] >= size[outside]]
    return out


def key_of(*parts: int | Int[np.ndarray, " n"]) -> Shaped[np.ndarray, " k"]:
    """A key, or [n] keys, that depend on all of some whole numbers and on their order."""
    key = np.zeros(1, np.uint64)
    for part in parts:
        key = _mixed(key ^ (part.astype(np.uint64) if isinstance(part, np.ndarray) else np.uint64(part % _WORD)))
    return key


class Passes:
    """Endless passes over 0 … count - 1, every number once in each.

    Each pass mixes the first half of the first pass, and then the second, so that a number returns only after
    count // 2 others or more. Where it must not return before all others came, every pass is as the first.

    Args:
        count: how many numbers, at least 1.
        key: of the order, a whole number.
        apart: places at least from a number to its return, up to `count`.
    """

    def __init__(self, count: int, key: int, *, apart: int = 1) -> None:
        self._count, self._half, self._key = count, -(-count // 2), key
        self._again = apart > count // 2 + 1
        self.apart = count if self._again else count // 2 + 1

    def at(self, place: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """The numbers at some places, counted from 0 over all passes."""
        number, place = np.divmod(place, self._count)
        later = np.flatnonzero(number) if not self._again else number[:0]
        if len(later):
            place[later] = self._reordered(place[later], number[later])
        return permuted(place, self._count, key_of(self._key))

    def _reordered(self, place: Int[np.ndarray, " n"], number: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """Where in the first pass the number stands that other passes have at some places."""
        late = place >= self._half
        begin = np.where(late, self._half, 0)
        length = np.where(late, self._count - self._half, self._half)
        return begin + permuted(place - begin, length, key_of(self._key, number, late.astype(np.int64)))


def _network(
    number: Int[np.ndarray, " n"], size: Int[np.ndarray, "#n"], key: Shaped[np.ndarray, "#n"]
) -> Int[np.ndarray, " n"]:
    """A permutation of the numbers below wide × tall, which is at least `size`."""
    wide = np.ceil(np.sqrt(size)).astype(np.int64)
    tall = -(-size // wide)
    left, right = np.divmod(number, tall)
    for turn in range(ROUNDS):
        left = _shifted(left, right, wide, key ^ np.uint64(2 * turn * _GOLDEN % _WORD))
        right = _shifted(right, left, tall, key ^ np.uint64((2 * turn + 1) * _GOLDEN % _WORD))
    return left * tall + right


def _shifted(
    half: Int[np.ndarray, " n"],
    other: Int[np.ndarray, " n"],
    bound: Int[np.ndarray, "#n"],
    key: Shaped[np.ndarray, "#n"],
) -> Int[np.ndarray, " n"]:
    """A half moved on, round and round below `bound`, by what the other half and the key say."""
    share = (_mixed(other.astype(np.uint64) ^ key) >> np.uint64(12)).astype(np.float64)
    moved = half + (share * (bound * 2.0**-52)).astype(np.int64)
    return np.where(moved >= bound, moved - bound, moved)


def _mixed(x: Shaped[np.ndarray, " n"]) -> Shaped[np.ndarray, " n"]:
    """64 bits that all depend on all bits of x (splitmix64; Steele et al., 2014)."""
    x = x + np.uint64(_GOLDEN)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
