"""Random numbers for the distortions of one step, equal on every device and in every process."""

from __future__ import annotations

import torch
from torch import Tensor


class Noise:
    """Random numbers of one step, so many for each item.

    Drawn on the CPU and for the whole batch, so that every device and every process sees the same.
    """

    def __init__(self, seed: int, total: int, own: slice, device: torch.device) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._total, self._own, self._device = total, own, device

    def uniform(self, *shape: int) -> Tensor:
        """Between -1 and 1."""
        return (torch.rand(self._total, *shape, generator=self._generator) * 2 - 1)[self._own].to(self._device)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(self._total, *shape, generator=self._generator)[self._own].to(self._device)

    def once(self) -> float:
        """Between 0 and 1, and the same for all items."""
        return abs(2 * float(torch.rand(1, generator=self._generator)) - 1)
