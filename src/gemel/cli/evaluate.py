"""gemel evaluate: how good a twin is on data of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from gemel.cli.options import AsJson, Data, Dim, Model, Threads, reading, reading_flags, with_options
from gemel.cli.output import answer, progress


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
    dim: Dim = None,
    threads: Threads = None,
    as_json: AsJson = False,
    **more: Any,
) -> None:
    """Measure a twin: verification, retrieval, one-shot, and what its decision costs on this data.

    gemel evaluate faces.gemel others/

    gemel evaluate faces.gemel others/ --report others.html

    gemel evaluate sts.gemel test.csv --scores 0 5         correlations with scores
    """
    from gemel.items import read
    from gemel.report import draw_report, findings, refuse_report
    from gemel.siamese import Siamese, grade
    from gemel.siamese.known import has_scores

    if report is not None:
        refuse_report(report)
    twin = Siamese.load(model, dim=dim, threads=threads)
    collection = read(data, **reading(more))
    named = cut if cut is not None or twin.grades is None else twin.grades.cut
    if has_scores(collection) and named is None and report is None:
        with progress("embedding") as bar:
            grading = grade(twin, collection, allow_bad=more["allow_bad"], progress=bar)
        answer(grading.summary(), grading.json(), as_json=as_json)
        return
    with progress("embedding") as bar:
        found = findings(twin, collection, allow_bad=more["allow_bad"], cut=named, progress=bar)
    if report is not None:
        draw_report(report, found, pictures=pictures)
    answer(found.evaluation.summary(), found.evaluation.json(), as_json=as_json)
