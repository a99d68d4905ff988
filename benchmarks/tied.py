"""The claim of Siamese networks, measured: one shared encoder against two of their own, on Omniglot.

    python benchmarks/tied.py                 two losses, tied and untied, about 12 minutes
    python benchmarks/tied.py --steps 100

Every pair of a batch is compared; the left side of each by one branch, the right side by the other. Tied branches are
one network; untied ones begin with the same weights and then learn on their own. Same batches, same steps, same seed.
Judged on identities that training did not see, at the last step.
"""

from __future__ import annotations

import argparse
import copy
import time
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

import gemel
from datasets import unpacked
from gemel.items import Collection
from gemel.learn.held_out import HeldOut
from gemel.learn.outset import outset
from gemel.measure import Verification, verification_of
from omniglot import RECIPE


def trained(data: Collection, loss: str, steps: int, *, tied: bool) -> tuple[Verification, int, float]:
    """How well held-out pairs are told apart, how many weights learned, and seconds a step."""
    recipe = RECIPE.but(steps=steps, loss=loss, temperature=None, groups=0, width=32, identities=32, average=0.0)
    learner = outset(data, recipe).learner
    left = learner.encoder.train()
    right = left if tied else copy.deepcopy(left)
    weights = [*left.parameters(), *([] if tied else right.parameters()), *learner.loss.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=steps)
    seconds = []
    for step in range(steps):
        begin = time.perf_counter()
        batch = learner.steps.batch(step)
        inputs = learner.steps.distorted(batch)
        a = left(**inputs)
        b, relation = a, batch.relation
        if not tied:
            b, relation = right(**inputs), replace(relation, cols=replace(relation.rows))
        value = learner.loss(a, b, relation).value
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()
        seconds.append(time.perf_counter() - begin)
    assert learner.held_out is not None
    return judged(left.eval(), right.eval(), learner.held_out), sum(p.numel() for p in weights), np.median(seconds)


@torch.inference_mode()
def judged(left: nn.Module, right: nn.Module, held_out: HeldOut) -> Verification:
    def rows(network: nn.Module) -> Tensor:
        return torch.cat([network(**held_out[number]) for number in range(len(held_out))])

    a, b = rows(left)[torch.from_numpy(held_out.a)], rows(right)[torch.from_numpy(held_out.b)]
    apart = torch.nn.functional.cosine_similarity(a, b).neg().numpy()
    identity = held_out.data.identity
    return verification_of(apart, held_out.same, identity[held_out.a], identity[held_out.b])


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--steps", type=int, default=400)
    flags.add_argument("--loss", nargs="+", default=["supcon", "contrastive"])
    options = flags.parse_args()
    data = gemel.read(unpacked("omniglot") / "images_background", grouped=True)
    print("loss          branches  weights      s/step  EER                        AUC")
    for loss in options.loss:
        for tied in (True, False):
            found, weights, seconds = trained(data, loss, options.steps, tied=tied)
            eer = f"{found.eer:.2%} [{found.eer_interval.low:.2%}, {found.eer_interval.high:.2%}]"
            name = "tied" if tied else "untied"
            print(f"{loss:<14}{name:<10}{weights:<13,}{seconds:<8.3f}{eer:<27}{found.auc:.4f}", flush=True)


if __name__ == "__main__":
    main()
