"""Handwritten digits that ship inside scikit-learn: 1,797 pictures of 8 × 8 pixels that no letter was trained on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from gemel.measure import FewShot, few_shot
from gemel.siamese import Siamese

if TYPE_CHECKING:
    from jaxtyping import Int, UInt8

CALIBRATE = range(5)
"""The digits that a decision for handwriting is fitted on; the others judge it."""


@dataclass(frozen=True)
class Reading:
    """10-way accuracy of the twin and of raw pixels, from 1 and from 5 examples of each digit."""

    twin: tuple[FewShot, FewShot]
    raw: tuple[FewShot, FewShot]

    def words(self) -> str:
        title = f"10-way accuracy, {self.twin[0].episodes:,} random enrolments"
        rows = ["", f"   {title:<44}{'1 example':<23}5 examples"]
        for name, pair in (("raw pixels", self.raw), ("gemel", self.twin)):
            cells = "   ".join(f"{f.accuracy:.3f} [{f.interval.low:.3f}, {f.interval.high:.3f}]" for f in pair)
            rows.append(f"   {name:<44}{cells}")
        gain = self.twin[0].accuracy - self.raw[0].accuracy
        return "\n".join([*rows, f"   one example is worth {gain:+.3f} more than raw pixels\n"])

    def json(self) -> dict[str, Any]:
        return {
            f"{name}_{shots}_shot": asdict(found)
            for name, pair in (("twin", self.twin), ("raw", self.raw))
            for shots, found in zip((1, 5), pair, strict=True)
        }


def pictures() -> tuple[UInt8[np.ndarray, "n 8 8"], Int[np.ndarray, " n"]]:
    """White ink on black, and which digit each is."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return np.round(bunch.images * (255 / 16)).astype(np.uint8), bunch.target.astype(np.int64)


def read_from_examples(model: Path, enrolments: int) -> Reading:
    """Enrol one (and five) random examples of each digit, ask about another, many times over."""
    images, digit = pictures()
    twin = Siamese.load(model)
    vectors = twin.embed(list(images)).vectors
    pixels = images.reshape(len(images), -1).astype(np.float32)

    def accuracy(rows: np.ndarray, metric: str, shots: int) -> FewShot:
        return few_shot(rows, digit, ways=10, shots=shots, distance_name=metric, episodes=enrolments)

    twin_found = (accuracy(vectors, twin.method.distance, 1), accuracy(vectors, twin.method.distance, 5))
    raw_found = (accuracy(pixels, "euclidean", 1), accuracy(pixels, "euclidean", 5))
    return Reading(twin_found, raw_found)


def write(folder: Path) -> tuple[Path, Path]:
    """Two folders of PNGs: the digits to calibrate on, and the others to be judged on."""
    images, digit = pictures()
    parts = folder / "calibrate", folder / "judge"
    for number, (image, name) in enumerate(zip(images, digit, strict=True)):
        own = parts[0 if name in CALIBRATE else 1] / str(name)
        own.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(own / f"{number:04d}.png")
    return parts


def questions(folder: Path) -> list[tuple[Path, Path]]:
    """A same pair and a different pair of digits."""
    six, nine = sorted((folder / "6").iterdir()), sorted((folder / "9").iterdir())
    return [(six[0], six[1]), (six[0], nine[0])]
