"""gemel verify: are these two the same?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, Optional

import typer

from gemel.cli.options import AsJson, Branch, Dim, Threads
from gemel.cli.output import answer
from gemel.cli.sides import one_of
from gemel.errors import DataError

if TYPE_CHECKING:
    from gemel.siamese import Siamese, Verdict

EXIT = {True: 0, False: 1, None: 3}
WORDS = {True: "same", False: "different", None: "undecided"}


def verify(
    model: Annotated[str, typer.Argument(help="A model folder, or with --claim a gallery.", metavar="MODEL")],
    a: Annotated[str, typer.Argument(help="One file, or one text.", metavar="A")],
    b: Annotated[
        Optional[list[str]],
        typer.Argument(help="The other; with --refs several of one identity; with --claim none.", metavar="[B …]"),
    ] = None,
    claim: Annotated[
        Optional[str], typer.Option(help="Whether A shows this enrolled identity of a gallery.", metavar="NAME")
    ] = None,
    refs: Annotated[
        bool, typer.Option("--refs", help="What follows A are references of one identity, such as five signatures.")
    ] = False,
    text: Annotated[bool, typer.Option("--text", help="A and B are texts, even where files are called so.")] = False,
    fmr: Annotated[Optional[float], typer.Option(help="Highest false match rate, such as 0.01.")] = None,
    against: Annotated[
        Optional[Literal["random", "skilled"]],
        typer.Option(help="What the rate is about, where calibration knew impostors; neither exceeds it if not given."),
    ] = None,
    prior: Annotated[Optional[float], typer.Option(help="Share of pairs that are the same, 0 to 1.")] = None,
    certainty: Annotated[
        Optional[float],
        typer.Option(help="Stay undecided unless one answer is at least this probable, 0.5 to 1."),
    ] = None,
    score: Annotated[
        bool, typer.Option("--score", help="Say how similar they are, 0 to 1, and give no verdict.")
    ] = False,
    branch: Branch = None,
    dim: Dim = None,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Say whether two files, or two texts, are the same. Exit code 0: same, 1: different, 2: error, 3: undecided.

    gemel verify faces.gemel a.jpg b.jpg

    gemel verify faq.gemel "lost my card" "card is gone"

    gemel verify shop.gemel shoe.jpg "Black running shoe"  two branches, the first of them first

    gemel verify shop.gemel shoe.jpg boot.jpg --branch image   both of one branch

    gemel verify shop.gemel '{"image": "a.jpg"}' '{"image": "b.jpg", "title": "Shoe"}'   records

    gemel verify pens.gemel a.csv --refs ada/*.csv         against several of one person

    gemel verify people.db door.jpg --claim ada            is this ada, whom a gallery knows?

    gemel verify faces.gemel a.jpg b.jpg --fmr 0.01        a false match rate

    gemel verify faces.gemel a.jpg b.jpg --prior 0.001     few pairs are the same

    gemel verify faces.gemel a.jpg b.jpg --certainty 0.95  or stay undecided

    gemel verify sts.gemel "a man runs" "a man is running" --score   how similar, where people gave scores
    """
    from gemel.siamese import Siamese

    if claim is not None:
        if b or refs or score or against or branch or dim:
            raise DataError("A claim takes a gallery and one item: gemel verify people.db door.jpg --claim ada.")
        verdict = _claimed(model, a, claim, text=text, threads=threads, fmr=fmr, prior=prior, certainty=certainty)
        _tell(verdict, as_json=as_json)
    if not b:
        raise DataError("Compare A with another item, B; or with whom it claims to be: --claim NAME, and a gallery.")
    twin = Siamese.load(model, dim=dim, threads=threads)
    if len(b) > 1 and not refs:
        raise DataError(f"Compare with one item; {len(b)} came. Where they are of one identity, say so with --refs.")
    own = twin if branch is None else twin.branch(branch)
    given = [each if text else one_of(each, own, min(place, 1)) for place, each in enumerate((a, *b))]
    one, *others = given if branch is None else [{branch: each} for each in given]
    if score:
        if refs:
            raise DataError("--score says how similar two items are; leave it out, or --refs.")
        _score(twin, one, others[0], as_json=as_json)
        return
    how: dict[str, Any] = {"refs": others} if refs else {"b": others[0]}
    _tell(twin.verify(one, **how, fmr=fmr, against=against, prior=prior, certainty=certainty), as_json=as_json)


def _claimed(gallery: str, item: str, claim: str, *, text: bool, threads: int | None, **how: Any) -> Verdict:
    from gemel.gallery import Gallery

    with Gallery(gallery, threads=threads) as people:
        return people.verify(claim, item if text else one_of(item, people.twin), **how)


def _tell(verdict: Verdict, *, as_json: bool) -> NoReturn:
    side = "≤" if verdict.distance <= verdict.threshold else ">"
    words = (
        f"{WORDS[verdict.same]}: probability {verdict.probability:.3f}, "
        f"distance {verdict.distance:.4f} {side} threshold {verdict.threshold:.4f} ({verdict.point})"
    )
    values = {
        "same": verdict.same,
        "probability": verdict.probability,
        "distance": verdict.distance,
        "threshold": verdict.threshold if math.isfinite(verdict.threshold) else None,
        "point": verdict.point,
    }
    answer(words, values, as_json=as_json)
    raise typer.Exit(EXIT[verdict.same])


def _score(twin: Siamese, a: Any, b: Any, *, as_json: bool) -> None:
    distance, value = twin.distance(a, b), twin.score(a, b)
    answer(f"score {value:.3f}, distance {distance:.4f}", {"score": value, "distance": distance}, as_json=as_json)
