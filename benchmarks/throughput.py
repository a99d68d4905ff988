"""Training throughput on the Omniglot recipe against a plain PyTorch loop: DataLoader and pytorch-metric-learning.

    python benchmarks/throughput.py                 about 5 minutes; give it an idle machine
    python benchmarks/throughput.py --steps 30

Both train the same network with the same batches of 64 identities × 4 images, supervised contrastive loss, AdamW, an
average of the weights, and random rotation, shift, zoom and shear; images are decoded once and held in memory.

    gemel         `gemel.train`'s own loop, precision chosen for the machine
    plain         what one would write: Dataset, MPerClassSampler, PIL distortions, float32
    plain, bf16   the same in the precision that gemel chose

The plain loop is timed with 0 and with 2 workers, and the faster counts. Runs alternate; the median of `--rounds`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset

import gemel
from datasets import unpacked
from gemel.learn.fit import fit
from gemel.learn.outset import Outset, outset
from gemel.recipe import Recipe

try:
    from pytorch_metric_learning import losses, samplers
except ImportError:
    sys.exit("Install pytorch-metric-learning: it is what gemel is compared with.")

RECIPE = Recipe.read(Path(__file__).with_name("omniglot.toml"))
WARM_UP = 5
BATCH = RECIPE.identities * RECIPE.items


class Clock(pl.Callback):
    """When every step ended."""

    def __init__(self) -> None:
        self.at: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        self.at.append(time.perf_counter())


def begun(steps: int) -> Outset:
    data = gemel.read(unpacked("omniglot") / "images_background", grouped=True)
    return outset(data, RECIPE.but(steps=steps + WARM_UP, checks=1))


def own(start: Outset) -> tuple[float, float]:
    """Seconds a step, and the share of them in which the network waits for its batch."""
    clock, waited = Clock(), []
    batch = start.learner.steps.batch

    def timed(step: int) -> Any:
        begin = time.perf_counter()
        made = batch(step)
        waited.append(time.perf_counter() - begin)
        return made

    start.learner.steps.batch = timed  # type: ignore[method-assign]
    start.learner.held_out = None
    with TemporaryDirectory() as folder:
        fit(start, Path(folder), [clock], progress=False)
    seconds = float(np.median(np.diff(clock.at[WARM_UP - 1 :])))
    return seconds, float(np.median(waited[WARM_UP:])) / seconds


class Images(Dataset):  # type: ignore[type-arg]
    """Decoded images, distorted one by one as they are asked for."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images = [Image.fromarray((255 * image).astype(np.uint8)) for image in images]
        self.labels = torch.from_numpy(labels)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, place: int) -> tuple[Tensor, Tensor]:
        image, rng = self.images[place], np.random.default_rng()
        angle, lean = np.radians(rng.uniform(-15, 15)), np.tan(np.radians(rng.uniform(-10, 10)))
        zoom, side = 1 / rng.uniform(0.8, 1.2), image.size[0]
        turn = zoom * np.array([[np.cos(angle), lean - np.sin(angle)], [np.sin(angle), np.cos(angle) + lean]])
        shift = side / 2 - turn @ np.full(2, side / 2) + rng.uniform(-0.1, 0.1, 2) * side
        matrix = (*turn[0], shift[0], *turn[1], shift[1])
        image = image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
        return torch.from_numpy(np.asarray(image, np.float32)[None] / 255), self.labels[place]


def plain(start: Outset, images: Images, steps: int, workers: int, *, bf16: bool) -> float:
    """Seconds a step of the loop that one would write."""
    network = start.learner.encoder.to(memory_format=torch.contiguous_format).train()
    loss = losses.SupConLoss(temperature=0.1)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.99))
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    sampler = samplers.MPerClassSampler(images.labels, RECIPE.items, BATCH, (steps + WARM_UP) * BATCH)
    loader = DataLoader(images, batch_size=BATCH, sampler=sampler, num_workers=workers)
    at = []
    for batch, labels in loader:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            value = loss(network(image=batch).float(), labels)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        average.update_parameters(network)
        at.append(time.perf_counter())
    return float(np.median(np.diff(at[WARM_UP - 1 :])))


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--steps", type=int, default=40)
    flags.add_argument("--rounds", type=int, default=3)
    options = flags.parse_args()
    start = begun(options.steps)
    data = start.training
    raws = data.prepared(np.arange(len(data)))["image"][:, 0].numpy()
    images = Images(raws, data.identity)
    found: dict[str, list[float]] = {"plain": [], "plain, bf16": [], "gemel": []}
    shares = []
    for _ in range(options.rounds):
        seconds, share = own(begun(options.steps))
        found["gemel"].append(seconds)
        shares.append(share)
        for name, bf16 in (("plain", False), ("plain, bf16", True)):
            fresh = [plain(begun(1), images, options.steps, workers, bf16=bf16) for workers in (0, 2)]
            found[name].append(min(fresh))
    print(f"{BATCH} images of {RECIPE.size} × {RECIPE.size} a step; gemel in {start.recipe.precision}")
    gemel_seconds = statistics.median(found["gemel"])
    for name, seconds in found.items():
        middle = statistics.median(seconds)
        spread = f"{1000 * min(seconds):.0f} to {1000 * max(seconds):.0f} ms a step"
        print(
            f"{name:<12} {BATCH / middle:8.0f} images/s   ({spread})   gemel is {middle / gemel_seconds:.2f}× as fast"
        )
    print(f"gemel waits for its batch in {statistics.median(shares):.1%} of the time")


if __name__ == "__main__":
    main()
