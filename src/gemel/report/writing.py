"""From a twin and held-out data to one HTML file beside the model, never in it.

Knows the order of the page; its parts are made in `sections.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gemel.errors import DataError, require
from gemel.items import Collection
from gemel.report import sections
from gemel.report.album import Album
from gemel.report.findings import Findings, findings
from gemel.report.page import page
from gemel.siamese.embedding import Progress
from gemel.siamese.twin import Siamese


def write_report(
    path: str | Path,
    twin: Siamese,
    data: Collection,
    *,
    pictures: bool = True,
    limit: int = 100_000,
    seed: int = 0,
    progress: Progress | None = None,
) -> Path:
    """Measure a twin on a collection and write what was found as one HTML page.

    The page needs nothing beside itself: no network, no script.

    Args:
        path: file to write; an older report there is replaced.
        twin: what to report on.
        data: items with known answers, best of identities that neither training nor calibration saw.
        pictures: show items; without, the hardest pairs are listed by name only.
        limit: most same pairs, and most different pairs, that are measured.
        seed: of samples.
        progress: called with (items embedded, items in all).

    Returns:
        Where the page lies.

    Raises:
        NotEnoughData: there are no same, or no different, pairs.
        DataError: the file cannot be written, or lies in a model folder.
        MissingExtra: Matplotlib is not installed.
    """
    refuse_report(path)
    return draw_report(
        path, findings(twin, data, limit=limit, seed=seed, progress=progress), pictures=pictures, seed=seed
    )


def draw_report(path: str | Path, found: Findings, *, pictures: bool = True, seed: int = 0) -> Path:
    """Write what was found already; arguments and errors as in `write_report`."""
    target = Path(path)
    album, rng = Album(found.items, pictures=pictures), np.random.default_rng(seed)
    parts = [
        sections.answer(found),
        sections.points(found),
        sections.figures(found),
        sections.measures(found),
        sections.mistakes(found, album, rng),
        sections.neighbours(found, album, rng),
    ]
    foot = sections.foot(found, pictures=album.modality is not None)
    text = page(_title(target), sections.head(found), [part for part in parts if part is not None], foot)
    target.write_text(text, encoding="utf-8")
    return target


def refuse_report(path: str | Path) -> None:
    """Raises what keeps a report from being written there, before anything is measured for it."""
    target = Path(path)
    require("matplotlib", extra="train", purpose="draw a report")
    if not target.absolute().parent.is_dir():
        raise DataError(f"The folder {target.absolute().parent} for the report does not exist. Make it first.")
    if target.is_dir():
        raise DataError(f"{target} is a folder; give the name of a file, such as {target / 'report.html'}.")
    if (target.absolute().parent / "manifest.json").is_file():
        raise DataError(
            f"{target} lies in a model folder. A report shows items, and a model does not; write it beside the model."
        )


def _title(target: Path) -> str:
    return target.name.removesuffix(".html").removesuffix(".report")
