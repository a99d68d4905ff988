"""gemel calibrate: fit a twin's decision to data like that it will meet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import typer

from gemel.cli.options import AsJson, Branch, Data, Dim, Model, Refs, Threads, reading, reading_flags, with_options
from gemel.cli.output import answer, progress
from gemel.cli.targets import refuse_model, refuse_replacing
from gemel.errors import ModelError, require


@with_options(reading_flags)
def calibrate(
    model: Model,
    data: Data,
    out: Annotated[
        Optional[Path],
        typer.Option(help="Write the calibrated twin here; without it, MODEL gets the new decision."),
    ] = None,
    prior: Annotated[
        float, typer.Option(min=0, max=1, help="Share of pairs that are the same where the twin is used.")
    ] = 0.5,
    cut: Annotated[
        Optional[float], typer.Option(help="Score, from 0 to 1, from which on graded pairs count as the same.")
    ] = None,
    refs: Refs = None,
    pool: Annotated[
        Literal["mean", "minimum", "trimmed"],
        typer.Option(help="How the distances to references become one; trimmed: the mean without the largest."),
    ] = "mean",
    normalise: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Divide it by how far the references are from each other, to this power: 0 not at all, 1 in full.",
        ),
    ] = 0.0,
    int8: Annotated[
        bool, typer.Option("--int8", help="First put the encoder into 8-bit integers: smaller, faster; takes --out.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the sampled pairs and intervals.")] = 0,
    overlap: Annotated[bool, typer.Option("--allow-overlap", help="Accept items that training has seen.")] = False,
    branch: Branch = None,
    dim: Dim = None,
    threads: Threads = None,
    as_json: AsJson = False,
    **more: Any,
) -> None:
    """Turn distances into probabilities and thresholds, on identities that training never saw.

    gemel calibrate letters.gemel digits/ --out digits.gemel

    gemel calibrate texts.gemel pairs.csv --int8 --out small.gemel

    gemel calibrate pens.gemel signers/ --refs 5 --normalise 0.5     for five signatures, beside the decision for one

    gemel calibrate find.gemel photos/ --branch image      for two images, beside the decision for image and title
    """
    from gemel.items import read
    from gemel.siamese import Siamese

    twin = Siamese.load(model, dim=dim, threads=threads)
    if out is None and (int8 or dim is not None):
        raise ModelError(f"Less exact or shorter embeddings stay so: say with --out where to, and {model} stays whole.")
    if int8:
        require("onnx", extra="train", purpose="put an encoder into 8-bit integers")
        from gemel.learn.quantize import quantized

        twin = quantized(twin)
    target = Path(model) if out is None else out
    if out is None:
        refuse_replacing(target)
    else:
        refuse_model(target)
    collection = read(data, **reading(more))
    with progress("embedding") as bar:
        calibrated = twin.calibrate(
            collection,
            prior=prior,
            seed=seed,
            allow_overlap=overlap,
            allow_bad=more["allow_bad"],
            cut=cut,
            refs=refs,
            pool=pool,
            normalise=normalise,
            branch=branch,
            progress=bar,
        )
    calibrated.save(target)
    answer(f"{calibrated.describe()}\nModel:  {target}", {"model": str(target), **calibrated.json()}, as_json=as_json)
