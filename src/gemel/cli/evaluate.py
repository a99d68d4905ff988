"""gemel evaluate: how good a twin is on data of your own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional

import typer

from gemel.cli.options import AsJson, Branch, Data, Dim, Model, Refs, Threads, reading, reading_flags, with_options
from gemel.cli.output import answer, progress
from gemel.cli.sides import of_branch
from gemel.errors import DataError

if TYPE_CHECKING:
    from gemel.siamese import Evaluation, Grading


@with_options(reading_flags)
def evaluate(
    model: Model,
    data: Data,
    report: Annotated[Optional[Path], typer.Option(help="Write an HTML report to this file.")] = None,
    pictures: Annotated[bool, typer.Option(help="Show the hardest mistakes in the report.")] = True,
    cut: Annotated[
        Optional[float],
        typer.Option(help="Score, from 0 to 1, from which on graded pairs count as the same; the twin's own if not."),
    ] = None,
    refs: Refs = None,
    pool: Annotated[
        Optional[Literal["mean", "minimum", "trimmed"]],
        typer.Option(help="How the distances to references become one; as calibrated if not given."),
    ] = None,
    normalise: Annotated[
        Optional[float],
        typer.Option(
            min=0,
            max=1,
            help="Divide it by how far the references are from each other, to this power; as calibrated if not given.",
        ),
    ] = None,
    branch: Branch = None,
    dim: Dim = None,
    threads: Threads = None,
    as_json: AsJson = False,
    **more: Any,
) -> None:
    """Measure a twin: verification, retrieval, one-shot, and what its decision costs on this data.

    gemel evaluate faces.gemel others/

    gemel evaluate faces.gemel others/ --report others.html

    gemel evaluate pens.gemel signers/ --refs 5            against five signatures each

    gemel evaluate find.gemel photos/ --branch image       image with image, of two branches

    gemel evaluate sts.gemel test.csv --scores 0 5         correlations with scores
    """
    from gemel.items import read
    from gemel.report import draw_report, findings, refuse_report
    from gemel.siamese import Siamese, grade
    from gemel.siamese import evaluate as measured
    from gemel.siamese.known import has_scores

    if report is not None:
        if refs is not None:
            raise DataError("A report is about pairs: leave out --report, or --refs.")
        refuse_report(report)
    twin = Siamese.load(model, dim=dim, threads=threads)
    twin, collection = of_branch(twin, read(data, **reading(more)), branch)
    allow_bad = more["allow_bad"]
    named = cut if cut is not None or twin.grades is None else twin.grades.cut
    found: Grading | Evaluation
    with progress("embedding") as bar:
        if report is not None:
            whole = findings(twin, collection, allow_bad=allow_bad, cut=named, progress=bar)
            found = whole.evaluation
        elif has_scores(collection) and named is None and refs is None:
            found = grade(twin, collection, allow_bad=allow_bad, progress=bar)
        else:
            how: dict[str, Any] = {"cut": cut, "refs": refs, "pool": pool, "normalise": normalise}
            found = measured(twin, collection, allow_bad=allow_bad, progress=bar, **how)
    if report is not None:
        draw_report(report, whole, pictures=pictures)
    answer(found.summary(), found.json(), as_json=as_json)
