"""Series in a report: drawn as lines, in the page itself."""

from __future__ import annotations

import base64

import numpy as np

from gemel.items import read
from gemel.report.album import Album


def test_a_series_is_drawn_as_lines() -> None:
    rng = np.random.default_rng(0)
    series = [rng.normal(size=(n, 5)) for n in (2, 50, 500)]
    series[1][7, 0] = np.nan
    series[2][:, 1] = 3.0
    album = Album(read(series, labels=["a", "a", "b"]), pictures=True)
    for i in range(3):
        picture = str(album.picture(i))
        assert 'alt="' in picture
        drawing = base64.b64decode(picture.partition("base64,")[2].partition('"')[0]).decode()
        assert drawing.count("<polyline") == 3
        assert "nan" not in drawing
        assert drawing.count(",") <= 3 * 112
    assert Album(read(series), pictures=False).picture(0) is None
