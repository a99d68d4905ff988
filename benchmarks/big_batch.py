"""Very large batches: what a loss needs on 65,536 embeddings, and an encoder in chunks against a plain one.

    python benchmarks/big_batch.py losses                     pair, softmax and proxy losses, 65,536 × 128; minutes each
    python benchmarks/big_batch.py losses --batch 16384 --only contrastive infonce
    python benchmarks/big_batch.py encoder                    2,048 images of 64 × 64, plain and in chunks of 64

Forward and backward on the CPU (Linux), each in a process of its own. Memory is the process's largest resident set
less what stood there after the imports: embeddings, gradients and PyTorch's own buffers are part of it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

DIM = 128
EACH = 8
"""Items of each identity."""
IDENTITIES = 10_000
"""Proxies of a loss that has them."""
BOUND = 2.0
"""A loss may need so many GiB."""
PAIRS = "contrastive bce sigmoid".split()
SOFTMAX = "infonce decoupled supcon multiplenegatives npair multisimilarity circle lifted".split()
PROXIES = "softmax cosface arcface proxyanchor".split()


def resident(which: str) -> float:
    """Of this process, in GiB: VmRSS now, VmHWM at its highest. (`ru_maxrss` would hold the parent's, too.)"""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(which)) / 2**20


def one_loss(name: str, kernel: str, batch: int) -> dict[str, float]:
    """Seconds and GiB of one loss."""
    import torch

    from gemel.learn.distances import distance
    from gemel.learn.losses import NAMED
    from gemel.learn.relation import Relation, Side

    before = resident("VmRSS")
    torch.manual_seed(0)
    x = torch.nn.functional.normalize(torch.randn(batch, DIM)).requires_grad_()
    place = torch.arange(batch)
    relation = Relation.within(Side(place, torch.zeros_like(place), place // EACH % IDENTITIES))
    proxies = {"identities": torch.arange(IDENTITIES), "dim": DIM} if name in PROXIES else {}
    loss = NAMED[name](distance(kernel), **proxies)
    begin = time.perf_counter()
    value = loss(x, x, relation).value
    value.backward()
    seconds = time.perf_counter() - begin
    assert x.grad is not None
    return {"seconds": seconds, "gib": resident("VmHWM") - before, "value": value.item(), "slope": x.grad.norm().item()}


def one_encoder(rows: int, batch: int, side: int) -> dict[str, float]:
    """Seconds and GiB of a step of the usual encoder in chunks of `rows`; 0: the whole batch at once."""
    import torch

    from gemel.learn.chunks import InChunks
    from gemel.learn.distances import distance
    from gemel.learn.encoders.conv import conv
    from gemel.learn.encoders.encoder import Encoder, Head
    from gemel.learn.losses import SupCon
    from gemel.learn.relation import Relation, Side

    before = resident("VmRSS")
    torch.manual_seed(0)
    backbone = conv(1, size=(side, side), norm="group")
    encoder = Encoder(backbone, Head(backbone.features, DIM)).train()
    place = torch.arange(batch)
    relation = Relation.within(Side(place, torch.zeros_like(place), place // EACH))
    inputs = encoder.example(batch)
    begin = time.perf_counter()
    embeddings = InChunks(encoder, rows or batch)(**inputs)
    value = SupCon(distance("cosine"))(embeddings, embeddings, relation).value
    value.backward()
    seconds = time.perf_counter() - begin
    slope = torch.cat([p.grad.flatten() for p in encoder.parameters() if p.grad is not None]).norm().item()
    return {"seconds": seconds, "gib": resident("VmHWM") - before, "value": value.item(), "slope": slope}


def apart(function: str, *arguments: Any) -> dict[str, float]:
    """What a function of this file finds in a process of its own."""
    command = [sys.executable, __file__, "one", json.dumps([function, *arguments])]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def losses(options: argparse.Namespace) -> None:
    print(f"batch {options.batch} × {DIM}, {EACH} of each identity, {options.distance} distance", flush=True)
    print(f"{'loss':<20}{'seconds':>9}{'GiB':>8}")
    for name in options.only or [*PAIRS, *SOFTMAX, *PROXIES]:
        found = apart("one_loss", name, options.distance, options.batch)
        over = "" if found["gib"] < BOUND else f"   above {BOUND} GiB"
        print(f"{name:<20}{found['seconds']:>9.1f}{found['gib']:>8.2f}{over}", flush=True)


def encoder(options: argparse.Namespace) -> None:
    print(
        f"{options.batch} images of {options.side} × {options.side}, conv encoder of width 64, supcon loss", flush=True
    )
    print(f"{'chunks of':<12}{'seconds':>9}{'GiB':>8}{'loss':>12}{'|gradient|':>13}")
    for rows in [0, *options.rows]:
        found = apart("one_encoder", rows, options.batch, options.side)
        name = str(rows or "(plain)")
        line = f"{name:<12}{found['seconds']:>9.1f}{found['gib']:>8.2f}{found['value']:>12.6f}{found['slope']:>13.7f}"
        print(line, flush=True)


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = flags.add_subparsers(required=True, dest="part")
    of_losses = parts.add_parser("losses")
    of_losses.add_argument("--batch", type=int, default=65_536)
    of_losses.add_argument("--only", nargs="+", choices=[*PAIRS, *SOFTMAX, *PROXIES], default=[])
    of_losses.add_argument("--distance", default="cosine")
    of_encoder = parts.add_parser("encoder")
    of_encoder.add_argument("--batch", type=int, default=2048)
    of_encoder.add_argument("--side", type=int, default=64)
    of_encoder.add_argument("--rows", type=int, nargs="+", default=[64])
    parts.add_parser("one").add_argument("what")
    options = flags.parse_args()
    if options.part == "one":
        function, *arguments = json.loads(options.what)
        print(json.dumps({"one_loss": one_loss, "one_encoder": one_encoder}[function](*arguments)))
    else:
        {"losses": losses, "encoder": encoder}[options.part](options)


if __name__ == "__main__":
    main()
