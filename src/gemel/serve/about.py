"""Routes about the server itself: the model, whether it is well, its counters, its page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles

from gemel.items import RecordModality
from gemel.items.modality import Modality
from gemel.serve import shown
from gemel.serve.describing import speaks
from gemel.serve.door import Door
from gemel.serve.problems import Problem
from gemel.serve.service import Service
from gemel.siamese.describing import compared
from gemel.siamese.verdict import usable

PAGE = Path(__file__).with_name("page")


def about(service: Service, door: Door) -> APIRouter:
    """The routes, of one service."""
    router = APIRouter(tags=["server"])

    @router.get("/v1/model", **speaks(None, None))
    async def model(request: Request) -> Response:
        """What is served: the model, its decisions, and what a request may bring."""
        key = door.enter(request, "read")
        values = await service.ask(described, service)
        who = None if door.keys is None else {"name": key.name, "scope": key.scope}
        return shown.answer(values | {"key": who})

    @router.get("/healthz", include_in_schema=False)
    async def healthy() -> Response:
        """Whether the process answers at all."""
        return shown.answer({"status": "alive"})

    @router.get("/readyz", include_in_schema=False)
    async def ready() -> Response:
        """Whether it can do its work: the gallery can be read, and there is room in the queue."""
        limits = service.settings.limits
        if service.batcher.inside >= limits.waiting:
            raise Problem("unavailable", "As much waits as may.", retry=1)
        await service.ask(len, service.gallery)
        return shown.answer({"status": "ready"})

    @router.get("/metrics", include_in_schema=False)
    async def metrics(request: Request) -> Response:
        """Counters, for Prometheus."""
        door.enter(request, "read")
        return Response(await service.ask(service.metrics.text), media_type="text/plain; version=0.0.4; charset=utf-8")

    @router.get("/", include_in_schema=False)
    async def page() -> Response:
        """What a browser shows."""
        return FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})

    router.mount("/page", StaticFiles(directory=PAGE), name="page")
    return router


def described(service: Service) -> dict[str, Any]:
    """The model and what a request may bring, as plain JSON values."""
    gallery, limits, twin = service.gallery, service.settings.limits, service.gallery.twin
    return {
        "name": service.settings.name,
        "modality": twin.modality.name,
        "fields": [field_of(name, modality) for name, modality in fields_of(twin.modality).items()],
        "branches": list(twin.method.branches),
        "compares": compared(twin),
        "distance": twin.method.distance,
        "dim": twin.method.dim,
        "precision": twin.method.precision,
        "encoder": twin.origin.encoder,
        "trained": twin.origin.created,
        "describe": twin.describe(),
        "measures": [
            {"name": name, "value": value} for name, value in twin.measures.items() if isinstance(value, int | float)
        ],
        "enrolled": len(gallery),
        "items": gallery.count(),
        "durable": service.settings.durable,
        "decisions": [shown.decision(each) for each in usable(twin.decisions, twin.method)],
        "limits": {
            "body": limits.body,
            "items": limits.items,
            "pixels": limits.pixels,
            "seconds": limits.seconds,
            "characters": limits.characters,
            "points": limits.points,
            "k": limits.k,
        },
    }


def fields_of(modality: Modality) -> dict[str, Modality]:
    """Every field by name; of items that are no records, one without a name."""
    return dict(modality.fields) if isinstance(modality, RecordModality) else {"": modality}


def field_of(name: str, modality: Modality) -> dict[str, Any]:
    """What a page must know to ask for a field."""
    known = {key: getattr(modality, key) for key in ("channels", "rate", "dim") if hasattr(modality, key)}
    return {"field": name, "kind": modality.name, **known}
