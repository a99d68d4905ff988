"""From values to answers in JSON. Infinite thresholds become null, beside a word that says what they accept."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson
from starlette.responses import Response

from gemel.gallery import Enrolled, Hit, Match
from gemel.items.decoded import Bad
from gemel.siamese import Decision, Siamese, Verdict
from gemel.siamese.operating import Knot, OperatingPoint
from gemel.siamese.verdict import usable


def answer(values: Mapping[str, Any], status: int = 200) -> Response:
    """An answer in JSON."""
    try:
        content = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError:  # metadata of a gallery made elsewhere: whole numbers beyond 64 bits, or many levels
        content = json.dumps(values, ensure_ascii=False, allow_nan=False).encode()
    return Response(content, status, media_type="application/json")


def verdict(found: Verdict, twin: Siamese) -> dict[str, Any]:
    """A verdict, and which of the model's decisions it comes from."""
    known = [(each.method.references, each.method.alone) for each in usable(twin.decisions, twin.method)]
    return {
        "same": found.same,
        "probability": found.probability,
        "distance": found.distance,
        **_threshold(found.threshold),
        "point": found.point,
        "llr": found.llr,
        "method": known.index((found.references, found.branch)),
    }


def match(found: Match | None, enrolled: int) -> dict[str, Any]:
    """Who it is, if anybody."""
    return {"match": None if found is None else asdict(found), "enrolled": enrolled}


def hit(found: Hit, *, kept: bool) -> dict[str, Any]:
    """An enrolled item near another. Where it lies on the server is nobody's business."""
    return {
        "id": found.id,
        "identity": found.identity,
        "name": found.name,
        "distance": found.distance,
        "metadata": dict(found.metadata),
        "kept": kept,
    }


def enrolled(found: Enrolled) -> dict[str, Any]:
    """What came of enrolling."""
    return {
        "identity": found.identity,
        "added": found.added,
        "already": found.already,
        "bad": [bad(one) for one in found.bad],
        "ids": list(found.ids),
    }


def bad(one: Bad) -> dict[str, Any]:
    """An item that cannot be used."""
    return {"row": one.row, "name": one.name, "reason": one.reason}


def decision(found: Decision) -> dict[str, Any]:
    """A decision with everything that a page draws."""
    counts, among = found.counts, found.open_set
    return {
        "references": found.method.references,
        "sides": found.method.sides,
        "prior": found.prior,
        "identities": counts.identities,
        "same": counts.same,
        "different": counts.different,
        "skilled": counts.skilled,
        "knots": [{"distance": knot.distance, "llr": knot.llr, **_rates(knot)} for knot in found.knots],
        "points": [{"name": point.name, **_threshold(point.threshold), **_rates(point)} for point in found.points],
        "open_set": None if among is None else {"fpirs": sorted(among.rates), "strangers": among.strangers},
    }


def _rates(at: Knot | OperatingPoint) -> dict[str, Any]:
    named = {"fmr": (at.fmr, at.fmr_interval), "fnmr": (at.fnmr, at.fnmr_interval)}
    if at.apart is not None:
        named["fmr_random"] = (at.apart.random, at.apart.random_interval)
        named["fmr_skilled"] = (at.apart.skilled, at.apart.skilled_interval)
    return {
        key: value
        for name, (rate, interval) in named.items()
        for key, value in ((name, rate), (f"{name}_low", interval.low), (f"{name}_high", interval.high))
    }


def _threshold(value: float) -> dict[str, Any]:
    if math.isfinite(value):
        return {"threshold": value, "accepts": "some"}
    return {"threshold": None, "accepts": "all" if value > 0 else "none"}
