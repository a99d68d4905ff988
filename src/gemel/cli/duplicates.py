"""gemel duplicates: what occurs more than once, or whether something new is there already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from gemel.cli.options import AsJson, Branch, Data, Dim, Model, Threads, reading, reading_flags, with_options
from gemel.cli.output import answer, note, progress
from gemel.cli.sides import of_branch, one_of
from gemel.cli.targets import refuse_file
from gemel.errors import DataError, require

if TYPE_CHECKING:
    from gemel.items import Collection
    from gemel.siamese import Siamese

SHOWN = 10
"""Pairs that are shown where no file is asked for, and nearest items of something new."""
ENDINGS = (".csv", ".parquet")


@with_options(reading_flags)
def duplicates(
    model: Model,
    data: Data,
    out: Annotated[Optional[Path], typer.Option(help="Write all pairs to this .csv or .parquet file.")] = None,
    of: Annotated[
        Optional[str], typer.Option(help="Something new, a file or a text: is it one of DATA?", metavar="ITEM")
    ] = None,
    fmr: Annotated[Optional[float], typer.Option(help="Highest false match rate, such as 0.0001.")] = None,
    prior: Annotated[Optional[float], typer.Option(help="Share of pairs that are the same, 0 to 1.")] = None,
    branch: Branch = None,
    dim: Dim = None,
    threads: Threads = None,
    as_json: AsJson = False,
    **more: Any,
) -> None:
    """Find all pairs of DATA that are the same, and the clusters they make; or what of DATA is the same as ITEM.

    gemel duplicates tickets.gemel tickets.csv --text title,body --out pairs.csv

    gemel duplicates tickets.gemel tickets.csv --text title,body --of "cannot log in"
    """
    from gemel.items import read
    from gemel.siamese import Siamese

    if out is not None:
        _refuse_out(out)
        if of is not None:
            raise DataError("--out writes all pairs of DATA, and --of asks about one new item; give one of them.")
    twin = Siamese.load(model, dim=dim, threads=threads)
    twin, collection = of_branch(twin, read(data, **reading(more)), branch)
    how = {"fmr": fmr, "prior": prior, "allow_bad": more["allow_bad"]}
    if of is None:
        _all(twin, collection, out, how, as_json=as_json)
    else:
        _one(twin, collection, of, how, as_json=as_json)


def _all(twin: Siamese, data: Collection, out: Path | None, how: dict[str, Any], *, as_json: bool) -> None:
    from gemel.siamese import duplicates as found_in

    with progress("embedding, then comparing") as bar:
        found = found_in(twin, data, **how, progress=bar)
    for bad in found.bad:
        note(f"left out: {bad.name}: {bad.reason}")
    table = found.table()
    if out is not None:
        _write(out, table)
    closest = [dict(zip(table, row, strict=True)) for row in zip(*(c[:SHOWN] for c in table.values()), strict=True)]
    listed = [f"  {row['probability']:.3f}  {row['a']}  =  {row['b']}" for row in closest]
    shown = listed if out is None else [f"Pairs:  {out}"]
    values = {
        "pairs": len(found),
        "clusters": len(found.clusters()),
        "by_chance": found.by_chance,
        "file": None if out is None else str(out),
        "closest": closest,
    }
    answer("\n".join([found.summary(), *shown]), values, as_json=as_json)


def _one(twin: Siamese, data: Collection, given: str, how: dict[str, Any], *, as_json: bool) -> None:
    from gemel.siamese.duplication import known_already

    with progress("embedding") as bar:
        hits = known_already(twin, one_of(given, twin), data, k=SHOWN, **how, progress=bar)
    words = [
        f"{'same' if hit.verdict.same else 'different'}: probability {hit.verdict.probability:.3f}, "
        f"distance {hit.verdict.distance:.4f}  {hit.name}"
        for hit in hits
    ]
    same = sum(bool(hit.verdict.same) for hit in hits)
    words += _by_chance(twin, len(data), fmr=how["fmr"], prior=how["prior"]) if same else []
    head = f"{same}{' or more' if same == SHOWN else ''} of {len(data):,} items are the same; the nearest:"
    values = {"known": same > 0, "nearest": [hit.json() for hit in hits]}
    answer("\n".join([head, *words]), values, as_json=as_json)


def _by_chance(twin: Siamese, items: int, *, fmr: float | None, prior: float | None) -> list[str]:
    """A word of warning where one of so many items would be called the same anyway."""
    assert twin.decision is not None
    decision = twin.decision if prior is None else twin.decision.at(prior)
    expected = decision.asked(fmr).kinds.random * items
    if expected < 0.5:
        return []
    return [
        f"At this threshold about {expected:,.0f} of {items:,} different items are called the same by chance; where "
        f"one item is compared with so many, state a low prior, such as --prior {0.5 / items:.1g}."
    ]


def _refuse_out(out: Path) -> None:
    if out.suffix not in ENDINGS:
        raise DataError(f"--out must end in {' or '.join(ENDINGS)}, and is {out}.")
    refuse_file(out)
    if out.suffix == ".parquet":
        require("pyarrow", extra="tables", purpose="write Parquet")


def _write(out: Path, table: dict[str, list[Any]]) -> None:
    if out.suffix == ".parquet":
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.table(table), out)
        return
    import csv

    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))
