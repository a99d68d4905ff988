"""What is chosen from the data where a recipe leaves a choice open. What was given is never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gemel.errors import RecipeError
from gemel.recipe.allowed import BUDGETS, PROXIES
from gemel.recipe.fields import Recipe

LONGEST = {"series": 2048, "audio": 300}
"""Points of a series, or frames of a sound, that are encoded at once, most of all, unless more are asked for."""

PATH = 1024
"""Points of the longest path, such as strokes of a pen, that a hundred or so can stand for; not of a vibration."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the choices depend on, measured on the training split.

    Attributes:
        modality: name of the modality.
        fields: of records: name → modality, in order; empty for other items.
        items: number of training items.
        identities: number of identities with at least two items.
        median_items: items of the median identity among those.
        singletons: identities with one item.
        impostors: items that imitate an identity.
        pairs: number of explicit pairs, 0 when there are none.
        positives_only: whether all of them are same, so that unlisted ones count as different.
        graded: whether the pairs carry scores.
        shared: whether given splits share their identities.
        channels: of series, as they were read; 0 for other items.
        points: of the longest of a sample of the series, or frames of one of sounds; 0 when there are none.
        side: median longer side of a sample of the images, in pixels; 0 when there are none.
        color: whether a sample of the images has colour.
        device: cpu, cuda or mps.
        fast_bf16: whether the device multiplies bfloat16 faster than float32.
        several: whether several processes share a batch.
    """

    modality: str
    fields: Mapping[str, str] = field(default_factory=dict)
    items: int
    identities: int
    median_items: int
    singletons: int = 0
    impostors: int = 0
    pairs: int = 0
    positives_only: bool = False
    graded: bool = False
    shared: bool = False
    channels: int = 0
    points: int = 0
    side: int = 0
    color: bool = False
    device: str = "cpu"
    fast_bf16: bool = False
    several: bool = False


def choose(recipe: Recipe, facts: Facts) -> Recipe:
    """Close every choice that the recipe leaves open, from what the data is."""
    loss = recipe.loss or ("clip" if recipe.branches else _loss(facts))
    distance = recipe.distance or ("learned" if loss == "bce" else "cosine")
    if facts.fields:
        recipe = recipe.but(encoder=_encoders(recipe.encoder, facts.fields))
    if recipe.encoder is None and _tells_impostors(recipe, facts):
        recipe = recipe.but(encoder="frames")
    pretrained = "pretrained:" in (recipe.encoder or "")
    budget_open = all(getattr(recipe, name) is None for name in BUDGETS)
    defaults: dict[str, Any] = {
        "loss": loss,
        "distance": distance,
        **_network(facts.modality, kind="pretrained" if pretrained else recipe.encoder, tune=recipe.tune),
        **_shape(recipe, facts, pretrained=pretrained),
        "identities": min(128 if loss in PROXIES else 64, max(2, facts.identities + facts.singletons)),
        "items": 2 if loss in PROXIES else max(2, min(4, facts.median_items)),
        "protocol": "closed" if facts.shared else "open",
        "batch_pairs": max(2, min(128, facts.pairs or 128)),
        "precision": "bf16" if facts.fast_bf16 else "fp32",
        "head": recipe.encoder == "frames",
        "lr": 5e-5 if pretrained and recipe.tune != "lora" else 1e-3,
    }
    if budget_open:
        defaults["steps"] = int(min(5000, max(200, 40 * facts.items / 256)))
    open_fields = {name: value for name, value in defaults.items() if getattr(recipe, name) is None}
    return recipe.but(**open_fields)


def _tells_impostors(recipe: Recipe, facts: Facts) -> bool:
    """Whether paths, such as strokes of a pen, are to be told from imitations, and nothing was asked for that frames
    have not: a few dozen identities are too few for a network to learn that from (SVC2004, benchmarks/RESULTS.md)."""
    network = any(
        getattr(recipe, name) is not None for name in ("width", "depth", "dim", "prefixes", "pooling", "cell")
    )
    steps = recipe.preparing()
    as_many = not steps or steps[-1].startswith("resample=")
    path = facts.channels >= 2 and facts.points <= PATH
    return path and facts.impostors > 0 and as_many and not network and recipe.head is not False


def of_field(recipe: Recipe, field: str, modality: str) -> Recipe:
    """The choices for one field of a record: what was left open, as items of that kind have it alone."""
    encoder = _named(recipe.encoder).get(field)
    kind = "pretrained" if (encoder or "").startswith("pretrained:") else encoder
    own = recipe.but(encoder=encoder, tune=recipe.tune if kind == "pretrained" else "full")
    defaults = _network(modality, kind=kind, tune=own.tune)
    return own.but(**{name: value for name, value in defaults.items() if getattr(own, name) is None})


def _encoders(given: str | None, fields: Mapping[str, str]) -> str:
    """The encoder of every field of a record, as FIELD=ENCODER,…: as given, or what fits its kind."""
    named = _named(given)
    if strange := [name for name in named if name not in fields]:
        raise RecipeError(
            f"encoder = {given!r} names no field {strange[0]!r}; of a record, the encoder of a field is chosen as "
            f"FIELD=ENCODER, and its fields are {', '.join(fields)}."
        )
    usual = {name: _network(kind, kind=None, tune="full")["encoder"] for name, kind in fields.items()}
    return ",".join(f"{name}={encoder}" for name, encoder in (usual | named).items())


def _named(encoders: str | None) -> dict[str, str]:
    """Field → encoder, from FIELD=ENCODER,…"""
    pairs = [word.partition("=") for word in (encoders or "").split(",") if word.strip()]
    return {name.strip(): encoder.strip() for name, _, encoder in pairs}


def _network(modality: str, *, kind: str | None, tune: str) -> dict[str, Any]:
    """Kind and size of the encoder; what comes trained has its own dimensions."""
    if modality == "text":
        sized = {"width": 128, "depth": 1, "dim": 256, "length": 128, "vocabulary": 8000}
        cell = {"encoder": "recurrent", "cell": "lstm"} if kind in (None, "recurrent") else {}
        if kind == "pretrained":  # a frozen one needs a layer that learns
            return {"pooling": "mean", **({"dim": 256} if tune in ("frozen", "warmup") else {})}
        return {"pooling": "mean", **cell, **sized}
    if modality == "record":
        return {"dim": 256}
    if modality == "series" and kind == "frames":
        return {"prepare": "velocity,resample=96"}
    if kind == "statistics":
        return {}
    if modality == "series":
        cell = {"cell": "lstm"} if kind == "recurrent" else {}
        return {"encoder": "residual", "width": 64, "depth": 3, "dim": 128, "pooling": "mean", **cell}
    if modality == "audio":
        cell = {"cell": "lstm"} if kind == "recurrent" else {}
        return {"encoder": "conv", "width": 32, "depth": 4, "dim": 128, "pooling": "mean", **cell}
    vector = modality == "vector"
    return {"encoder": "dense" if vector else "conv", "width": 256 if vector else 64, "depth": 2 if vector else 4} | {
        "dim": 256
    }


def _shape(recipe: Recipe, facts: Facts, *, pretrained: bool) -> dict[str, Any]:
    """What images and series are made of, and what fits networks over them."""
    if facts.modality == "text":
        return {}
    alone = recipe.chunk or (facts.several and facts.device == "cpu")  # no item may depend on the others of its batch
    norm = {"norm": "group" if alone else "batch"}
    if facts.modality in LONGEST and not pretrained:
        longest = LONGEST[facts.modality]  # frames are to be of whole series, also of longer ones than a sample shows
        return {"length": longest if recipe.encoder == "frames" else max(2, min(longest, facts.points)), **norm}
    if facts.modality == "record":
        shown = {"size": _side(facts), "color": facts.color, "aspect": _aspect(recipe)} if facts.side else {}
        return {"fusion": None if recipe.branches else "gated", **shown, **norm}
    if facts.modality == "image":
        return {"size": _side(facts), "color": facts.color, "aspect": _aspect(recipe), **norm}
    return norm


def _aspect(recipe: Recipe) -> str:
    """What is cropped has proportions of its own, which stretching would take away."""
    return "pad" if "crop" in recipe.preparing() else "stretch"


def _loss(facts: Facts) -> str:
    """What fits identities, scores, labelled pairs, or pairs and views of which only the same are known."""
    if facts.identities:
        return "supcon"
    if facts.graded:
        return "cosent"
    return "contrastive" if facts.pairs and not facts.positives_only else "infonce"


def _side(facts: Facts) -> int:
    """A power of two not above the images' own side, and not above what the device handles quickly."""
    ceiling = 64 if facts.device == "cpu" else 128
    side = 32
    while side * 2 <= min(facts.side, ceiling):
        side *= 2
    return side
