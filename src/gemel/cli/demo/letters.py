"""Printed letters, drawn from the typefaces that ship inside matplotlib: real images without a download.

A folder per character, a PNG per typeface. No digits: those are what the demo is tested on.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import defaultdict
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from gemel.siamese import Siamese

FAMILIES = ("DejaVuSans", "DejaVuSansMono", "DejaVuSerif", "STIXGeneral")
FEWEST = 6
"""A letter is drawn when at least so many typefaces contain it."""
SIDE = 48
"""Side of a picture, in pixels: capitals are two thirds as high."""


def typefaces() -> dict[str, Path]:
    """The upright and slanted, plain and bold text faces: about 16."""
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    found = sorted(p for p in folder.glob("*.ttf") if p.stem.partition("-")[0].removesuffix("BolIta") in FAMILIES)
    styles = [p for family in ("STIXGeneral",) for p in sorted(folder.glob(f"{family}*.ttf"))]
    return {path.stem: path for path in dict.fromkeys([*found, *styles])}


def draw(folder: Path) -> int:
    """Draw every letter that enough typefaces contain into `folder`; returns how many letters there are.

    A letter that looks exactly like an earlier one in half of its typefaces (Latin A, Greek Alpha)
    is left out: no reader could tell them apart.
    """
    faces = {name: ImageFont.truetype(str(path), int(SIDE * 0.92)) for name, path in typefaces().items()}
    holders = defaultdict(list)
    for name, path in typefaces().items():
        for code in _letters(path):
            holders[code].append(name)
    seen: set[str] = set()
    drawn = 0
    for code in sorted(code for code, names in holders.items() if len(names) >= FEWEST):
        pictures = {name: _picture(chr(code), faces[name]) for name in holders[code]}
        prints = {f"{name}:{hashlib.sha256(p.tobytes()).hexdigest()}" for name, p in pictures.items()}
        if 2 * len(prints & seen) >= len(prints):
            continue
        seen |= prints
        drawn += 1
        own = folder / f"U+{code:04X}"
        own.mkdir(parents=True, exist_ok=True)
        for name, picture in pictures.items():
            picture.save(own / f"{name}.png")
    return drawn


def _letters(path: Path) -> set[int]:
    from fontTools.ttLib import TTFont

    with TTFont(path, lazy=True) as font:
        return {code for code in font.getBestCmap() if _plain(chr(code))}


def _plain(letter: str) -> bool:
    """A letter that is neither another one with an accent nor a digit in disguise (tone five, two with stroke)."""
    if unicodedata.category(letter) not in ("Lu", "Ll", "Lo") or unicodedata.decomposition(letter):
        return False
    return not {"TONE", "TWO"} & set(unicodedata.name(letter).split())


def _picture(letter: str, face: ImageFont.FreeTypeFont) -> Image.Image:
    """White ink on black, the ink's box centred."""
    left, top, right, bottom = face.getbbox(letter)
    side = max(SIDE, int(right - left) + 2, int(bottom - top) + 2)
    picture = Image.new("L", (side, side), 0)
    at = ((side - right - left) / 2, (side - bottom - top) / 2)
    ImageDraw.Draw(picture).text(at, letter, fill=255, font=face)
    return picture if side == SIDE else picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def questions(folder: Path, twin: Siamese) -> list[tuple[Path, Path]]:
    """A same pair and a different pair of letters that training never saw, in two typefaces."""
    unseen: list[list[Path]] = []
    for own in sorted(folder.iterdir()):
        files = sorted(own.iterdir())
        if len(unseen) < 2 and not twin.seen.in_training(twin.embed(files).content).any():
            unseen.append(files)
    one, other = unseen
    return [(one[0], one[-1]), (one[0], other[-1])]
