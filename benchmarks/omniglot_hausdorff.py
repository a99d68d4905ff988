"""The pixel baseline of Lake et al. (2015): modified Hausdorff distance on the 20 official one-shot runs of Omniglot.

    python benchmarks/omniglot_hausdorff.py FOLDER_OR_ZIP

Their demonstration gives 38.8 % errors. Reading every image through `gemel.items` and getting the same number
shows that what is read is what is there.
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from gemel.items import Collection, ImageModality, read

FULL = ImageModality(height=105, width=105, channels=1, exact=True)


def trials(folder: Path) -> Collection:
    """Every test image beside each of the 20 training images of its run; the labelled one is the same."""
    rows: dict[str, list[str | int]] = {"a": [], "b": [], "same": []}
    for labels in sorted(folder.glob("run*/class_labels.txt")):
        answers = dict(line.split() for line in labels.read_text(encoding="utf-8").splitlines())
        for test, answer in answers.items():
            for image in sorted((labels.parent / "training").glob("*.png")):
                training = image.relative_to(folder).as_posix()
                rows["a"].append(test)
                rows["b"].append(training)
                rows["same"].append(int(training == answer))
    return read(rows, root=folder, modality=FULL)


def ink(pixels: np.ndarray) -> np.ndarray:
    """Coordinates of the ink [n, 2], relative to their mean."""
    points = np.argwhere(pixels[:, :, 0] < 128).astype(np.float32)
    return points - points.mean(axis=0)


def hausdorff(a: np.ndarray, b: np.ndarray) -> float:
    """Dubuisson and Jain (1994): the larger of the two mean distances to the nearest point of the other."""
    square = (a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T
    nearest = (np.sqrt(np.maximum(square.min(axis=side), 0)) for side in (0, 1))
    return max(float(distances.mean()) for distances in nearest)


def error(folder: Path) -> tuple[float, int]:
    """Share of trials whose nearest training image is not the answer, and how many trials there are."""
    items = trials(folder)
    pairs = items.pairs
    assert pairs is not None
    assert pairs.same is not None
    drawn = [ink(items.load(i)) for i in range(len(items))]
    distances = np.array([hausdorff(drawn[a], drawn[b]) for a, b in zip(pairs.a, pairs.b, strict=True)])
    nearest = distances.reshape(-1, 20).argmin(axis=1)
    right = pairs.same.reshape(-1, 20)[np.arange(len(nearest)), nearest]
    return 1 - float(right.mean()), len(right)


def main() -> None:
    with tempfile.TemporaryDirectory() as unpacked:
        folder = Path(sys.argv[1])
        if folder.suffix == ".zip":
            with zipfile.ZipFile(folder) as archive:
                archive.extractall(unpacked, [n for n in archive.namelist() if "one-shot-classification/run" in n])
            folder = Path(unpacked)
        runs = next(folder.rglob("run01")).parent
        share, count = error(runs)
    print(f"{share:.2%} errors in {count} trials (Lake et al.: 38.8 %)")


if __name__ == "__main__":
    main()
