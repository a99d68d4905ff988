"""Products with a picture and a title: the one found by the other, and kinds of products found by both together.

    python benchmarks/products.py                  test products, whose titles no training product has
    python benchmarks/products.py held_out=true    held-out training products instead, to choose by

A fifth of the titles is tested. Two branches learn from the other products, a picture and its title being the same:
R@1, 5 and 10 of either among all tested ones (equal titles belong together). Fused twins, and twins of pictures and of
titles alone, learn the article type: MAP@R of each tested product among the others, differences paired by product,
with bootstraps over titles; and the same where the title of a query is missing. GEMEL_DATA must hold fashion-pairs.zip.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

import gemel
from datasets import choices_of, unpacked
from gemel.items import Collection
from gemel.items.sources import Field
from gemel.recipe import Recipe
from gemel.siamese import evaluate

FIELDS = "image=images/{id}.jpg,title=productDisplayName"
ACROSS = Recipe(size=64, width=48, batch_pairs=192, steps=400, flip=True, degrees=5, shear=0, holdout=0.05)
FUSED = Recipe(size=64, width=48, identities=24, items=5, steps=400, flip=True, degrees=5, shear=0, holdout=0.0)


def split(*, held_out: bool) -> tuple[Collection, Collection]:
    """Products to learn from, and products with other titles."""
    table = unpacked("fashion-pairs") / "products.csv"
    data = gemel.read(table, fields=FIELDS, identity="articleType", group="productDisplayName")
    titles = np.random.default_rng(0).permutation(len(data.group.names))
    parts = np.array_split(titles, 5)
    used = np.setdiff1d(titles, parts[0]) if held_out else titles
    asked = parts[1] if held_out else parts[0]
    code = data.group.codes
    return data.take(np.isin(code, np.setdiff1d(used, asked))), data.take(np.isin(code, asked))


def only(data: Collection, field: str) -> Collection:
    """The pictures, or the titles, of the same products."""
    return data.with_(modality=data.modality.fields[field], sources=Field(data.sources, field))


def precision(queries: np.ndarray, gallery: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """Average precision at R of each query among the other products, NaN where there is none of its kind."""
    near = queries @ gallery.T
    np.fill_diagonal(near, -np.inf)
    order = np.argsort(-near, axis=1, kind="stable")
    right = kind[order] == kind[:, None]
    relevant = (kind[:, None] == kind[None]).sum(1) - 1
    within = right & (np.arange(len(kind)) < relevant[:, None])
    each = within.cumsum(1) / np.arange(1, len(kind) + 1) * within
    return np.where(relevant > 0, each.sum(1) / np.maximum(relevant, 1), np.nan)


def interval(values: np.ndarray, title: np.ndarray) -> str:
    """The mean, with a bootstrap over titles."""
    titles, place = np.unique(title, return_inverse=True)
    there = np.isfinite(values)
    total = np.bincount(place[there], values[there], len(titles))
    count = np.bincount(place[there], minlength=len(titles))
    draws = np.random.default_rng(0).integers(len(titles), size=(2000, len(titles)))
    low, high = np.quantile(total[draws].sum(1) / count[draws].sum(1), [0.025, 0.975])
    return f"{values[there].mean():+.4f} [{low:+.4f}, {high:+.4f}]"


def main() -> None:
    choices = choices_of(sys.argv[1:])
    parts = str(choices.pop("parts", "across,fused")).split(",")
    train, test = split(held_out=choices.pop("held_out", False))
    print(f"{len(train)} products to learn from, {len(test)} tested; {choices}", flush=True)
    if "across" in parts:
        across(train, test, choices)
    if "fused" in parts:
        fused(train, test, choices)


def across(train: Collection, test: Collection, choices: dict[str, Any]) -> None:
    begin = time.perf_counter()
    twin = gemel.train(train, ACROSS.but(branches="image,title", **choices), progress=False, say=print)
    found = evaluate(twin, test)
    for each in found.across:
        recall = "   ".join(
            f"R@{r.k} {r.value:.3f} [{r.interval.low:.3f}, {r.interval.high:.3f}]" for r in each.retrieval.recall
        )
        print(f"{each.asking:5} → {each.answering:5}  {recall}   (chance {1 / each.retrieval.gallery:.4f})")
    print(f"{(time.perf_counter() - begin) / 60:.1f} min", flush=True)


def fused(train: Collection, test: Collection, choices: dict[str, Any]) -> None:
    kind, title = test.identity.codes, test.group.codes
    found = {}
    for name in ("image", "title", "both"):
        begin = time.perf_counter()
        own = choices | ({} if name == "both" else {"fusion": None})
        own |= {"size": None} if name == "title" else {}
        parts = (train, test) if name == "both" else (only(train, name), only(test, name))
        twin = gemel.train(parts[0], FUSED.but(protocol="closed", **own), progress=False, say=lambda _: None)
        vectors = twin.embed(parts[1]).vectors
        found[name] = precision(vectors, vectors, kind)
        if name == "both":
            asked = twin.embed(only(test, "image")).vectors
            found["both, no title asked"] = precision(asked, vectors, kind)
        print(
            f"{name:22} MAP@R {interval(found[name], title)}   {(time.perf_counter() - begin) / 60:.1f} min", flush=True
        )
    best = max(("image", "title"), key=lambda name: np.nanmean(found[name]))
    print(f"both - {best:15}        {interval(found['both'] - found[best], title)}")
    print(f"both, no title - image {interval(found['both, no title asked'] - found['image'], title)}")


if __name__ == "__main__":
    main()
