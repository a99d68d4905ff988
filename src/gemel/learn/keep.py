"""What a run leaves on disk while it goes on: its whole state, the best weights, and a clean end on Ctrl-C."""

from __future__ import annotations

import contextlib
import logging
import math
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Checkpoint

from gemel.learn.learner import Learner

LOG = logging.getLogger("gemel")
LAST, BEST = "last.ckpt", "best.ckpt"


class Keep(Checkpoint):
    """The run's state at every look at the held-out pairs, to go on from; and that with the lowest error so far.

    Args:
        folder: gets `last.ckpt` and `best.ckpt`.
        every: steps between two looks.

    Attributes:
        lowest: the lowest held-out error so far; infinite before the first look.
        looked: the step of the last look.
    """

    def __init__(self, folder: Path, every: int) -> None:
        self.lowest, self.looked = math.inf, 0
        self._folder, self._every = folder, every

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Learner)
        assert pl_module.held_out is not None
        self.looked, found = trainer.global_step, float(trainer.callback_metrics[pl_module.held_out.measure])
        if found < self.lowest:
            self.lowest = found
            trainer.save_checkpoint(self._folder / BEST)
        trainer.save_checkpoint(self._folder / LAST)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        assert isinstance(pl_module, Learner)
        if pl_module.held_out is None and trainer.global_step % self._every == 0:
            trainer.save_checkpoint(self._folder / LAST)

    def state_dict(self) -> dict[str, Any]:
        return {"lowest": self.lowest, "looked": self.looked}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.lowest, self.looked = state_dict["lowest"], state_dict["looked"]


@contextlib.contextmanager
def stop_on_interrupt(trainer: pl.Trainer, learner: Learner) -> Iterator[None]:
    """The first Ctrl-C ends the run after its step, with the best so far; a second one ends it at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: FrameType | None) -> None:
        LOG.warning("Stopping after this step; press Ctrl-C again to stop at once.")
        learner.interrupted = trainer.should_stop = True
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    except SystemExit as left:  # Lightning's answer to a KeyboardInterrupt
        raise KeyboardInterrupt from left
    finally:
        signal.signal(signal.SIGINT, before)
