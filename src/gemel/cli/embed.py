"""gemel embed: the embeddings of a collection, as a file that other tools read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli.options import AsJson, Data, Dim, Model, Threads, reading, reading_flags, with_options
from gemel.cli.output import answer, note, progress
from gemel.cli.targets import refuse_file
from gemel.errors import DataError, require

if TYPE_CHECKING:
    import numpy as np


@with_options(reading_flags)
def embed(
    model: Model,
    data: Data,
    out: Annotated[Path, typer.Option(help="A .npz or .parquet file.")],
    dim: Dim = None,
    threads: Threads = None,
    as_json: AsJson = False,
    **more: Any,
) -> None:
    """Write a row per item: its name, its identity where it has one, and its embedding.

    gemel embed faces.gemel faces/ --out faces.npz
    """
    if out.suffix not in (".npz", ".parquet"):
        raise DataError(f"--out must end in .npz or .parquet, and is {out}.")
    refuse_file(out)
    if out.suffix == ".parquet":
        require("pyarrow", extra="tables", purpose="write Parquet")
    from gemel.items import read
    from gemel.siamese import Siamese

    twin = Siamese.load(model, dim=dim, threads=threads)
    collection = read(data, **reading(more))
    with progress("embedding") as bar:
        found = twin.embed(collection, progress=bar).require(more["allow_bad"], collection.origin)
    for bad in found.bad:
        note(f"left out: {bad.name}: {bad.reason}")
    names = [collection.name(int(i)) for i in found.index]
    labels = None if collection.identity is None else [collection.identity.value(int(i)) for i in found.index]
    _write(out, names, labels, found.vectors)
    words = f"{len(names)} embeddings of {found.vectors.shape[1]} dimensions: {out}"
    answer(words, {"file": str(out), "items": len(names), "bad": len(found.bad)}, as_json=as_json)


def _write(out: Path, names: list[str], labels: list[str | None] | None, vectors: np.ndarray) -> None:
    if out.suffix == ".npz":
        import numpy as np

        arrays = {"name": np.array(names), "embedding": vectors}
        if labels is not None:
            arrays["identity"] = np.array([label or "" for label in labels])
        np.savez(out, allow_pickle=False, **arrays)
        return
    import pyarrow as pa
    from pyarrow import parquet

    rows = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
    columns = {"name": pa.array(names), "embedding": rows}
    if labels is not None:
        columns["identity"] = pa.array(labels)
    parquet.write_table(pa.table(columns), out)
