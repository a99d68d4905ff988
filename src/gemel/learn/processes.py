"""How many processes train together, and which of them this one is: as `torchrun` says.

    torchrun --nproc-per-node 2 -m gemel train faces/ --out faces.gemel

Every process runs the same program on the same data and encodes its share of every batch; the first one speaks and
writes. Knows the environment only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Processes:
    """The processes of a run.

    Attributes:
        rank: which one this is, 0 to count - 1.
        count: how many there are.
        here: how many of them are on this machine.
    """

    rank: int = 0
    count: int = 1
    here: int = 1

    @classmethod
    def launched(cls) -> Processes:
        """Those that `torchrun` has started; otherwise this one alone."""
        if "TORCHELASTIC_RUN_ID" not in os.environ:
            return cls()
        return cls(*(int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")))

    @property
    def first(self) -> bool:
        """Whether it is this one that speaks and writes."""
        return self.rank == 0

    @property
    def several(self) -> bool:
        """Whether this one is not alone."""
        return self.count > 1
