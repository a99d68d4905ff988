"""Two series of points laid along each other as well as order allows, and how far apart they are then.

Dynamic time warping (Sakoe and Chiba 1978): each point meets one or more of the other series, none is left out, and
nobody goes back. Knows arrays, and what was learned of their channels; no items.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import ModelError

if TYPE_CHECKING:
    from jaxtyping import Float

TOGETHER = 64
"""Pairs that are laid along each other at once; their sums stay in the processor's cache."""


@dataclass(frozen=True)
class Warping:
    """What a warped head has learned: log-odds of *same* = bias - Σ weight · ln(least + distance), over the channels.

    The distance of a channel is its mean one along the best path through both series; sums of logarithms weigh how
    many times as far apart two items are as is usual, whatever a channel's unit.

    Attributes:
        points: of a series.
        own: how many of the last channels say which points belong together.
        band: how many points apart two that meet can be.
        least: of each channel, what is added to its distance.
        weight: of each channel.
        bias: log-odds where all logarithms are 0.
    """

    points: int
    own: int
    band: int
    least: tuple[float | int, ...]
    weight: tuple[float | int, ...]
    bias: float | int

    def logs(self, a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n c"]:
        """ln(least + distance) of each channel, of two embeddings that are series laid flat."""
        sides = (x.reshape(len(x), self.points, -1) for x in (a, b))
        return np.log(np.array(self.least, np.float32) + warped(*sides, own=self.own, band=self.band))

    def log_odds(self, a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """Of *same*, row by row."""
        return np.float32(self.bias) - self.logs(a, b) @ np.array(self.weight, np.float32)

    @property
    def content(self) -> bytes:
        """The file that `of` reads."""
        return json.dumps(asdict(self), indent=1).encode()

    @classmethod
    def of(cls, content: bytes) -> Warping:
        """From its file. Raises ModelError where it is something else."""
        try:
            values: dict[str, Any] = json.loads(content)
            found = cls(**values | {name: tuple(values[name]) for name in ("least", "weight")})
            fits = found._fits()
        except (ValueError, TypeError, KeyError) as error:
            raise ModelError(f"The pair head is damaged: its JSON lacks or misplaces {error}.") from None
        if not fits:
            raise ModelError("The pair head is damaged: its numbers do not belong together.")
        return found

    def _fits(self) -> bool:
        """Whether these numbers can be of one head."""
        channels = len(self.weight)
        return (
            bool(np.isfinite(np.array([*self.least, *self.weight, self.bias], np.float64)).all())
            and len(self.least) == channels >= self.own >= 1
            and min(self.points, self.band) >= 1
            and min(self.least) > 0
        )


def warped(
    a: Float[np.ndarray, "n t c"], b: Float[np.ndarray, "n t c"], *, own: int, band: int
) -> Float[np.ndarray, "n c"]:
    """The mean distance |a - b| of each channel along the best path through both series, row by row.

    Args:
        a, b: series of as many points.
        own: how many of the last channels say which points belong together: the path is that with the smallest sum of
            straight distances in these.
        band: how many points apart two that meet can be, at least 1.
    """
    parts = [slice(start, start + TOGETHER) for start in range(0, len(a), TOGETHER)]
    found = [_along(a[part], b[part], own, band) for part in parts]
    return np.concatenate(found) if found else np.zeros((0, a.shape[2]), np.float32)


def _along(
    a: Float[np.ndarray, "n t c"], b: Float[np.ndarray, "n t c"], own: int, band: int
) -> Float[np.ndarray, "n c"]:
    """Antidiagonal by antidiagonal: at each meeting of two points the sums along the best path to it, all pairs at
    once; of paths that are as good, the straight one, or the mean over both others. A meeting is stored one place
    behind its point of `a`, so that none lies before the first."""
    n, t, c = a.shape
    far = [np.full((n, t + 1), np.inf, np.float32) for _ in range(3)]
    sums = [np.zeros((n, t + 1, c + 1), np.float32) for _ in range(3)]  # of each channel, and how many points met
    for k in range(2 * t - 1):
        first, last = max(0, k - t + 1, (k - band + 1) // 2), min(k, t - 1, (k + band) // 2)
        here, back = slice(first, last + 1), slice(k - last, k - first + 1)
        gap = np.abs(a[:, here] - b[:, back][:, ::-1])
        step = np.sqrt(np.einsum("nic,nic->ni", gap[..., -own:], gap[..., -own:]))
        now, before, twice = k % 3, (k - 1) % 3, (k - 2) % 3
        after = slice(first + 1, last + 2)
        ways = [(far[twice][:, here], sums[twice][:, here]), (far[before][:, here], sums[before][:, here])]
        ways.append((far[before][:, after], sums[before][:, after]))
        best, total = ways[0][0].copy(), ways[0][1].copy()
        for reach, way in ways[1:]:
            nearer = reach < best
            np.copyto(best, reach, where=nearer)
            np.copyto(total, way, where=nearer[..., None])
        even = (ways[1][0] == ways[2][0]) & (best < ways[0][0])
        if even.any():
            np.copyto(total, (total + ways[2][1]) / 2, where=even[..., None])
        far[now].fill(np.inf)
        far[now][:, after] = step if k == 0 else best + step
        total[..., :c] += gap
        total[..., c] += 1
        sums[now][:, after] = total
    end = sums[(2 * t - 2) % 3][:, t]
    return end[:, :c] / end[:, c:]
