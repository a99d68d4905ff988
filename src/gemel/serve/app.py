"""The parts put together: routes, what surrounds them, how it starts and ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException

import gemel
from gemel.errors import GemelError
from gemel.gallery import Gallery
from gemel.serve.about import about
from gemel.serve.answers import ProblemAnswer
from gemel.serve.asking import asking
from gemel.serve.door import Door
from gemel.serve.guarding import Guard
from gemel.serve.keys import Keys
from gemel.serve.people import people
from gemel.serve.problems import Problem, problem_of
from gemel.serve.schemas import MODELS, body_example, item_example, item_schema, schema_of
from gemel.serve.service import Service
from gemel.serve.settings import Settings


def application(gallery: Gallery, settings: Settings | None = None) -> Guard:
    """The ASGI application of a gallery, which it closes when it ends.

    Args:
        gallery: who is known, and the twin.
        settings: how it is served.
    """
    settings = settings or Settings()
    service = Service(gallery, settings)
    door = Door(None if settings.keys is None else Keys(settings.keys), settings.limits.rate)

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(service.close)  # in the loop, whom nobody waits for any more could not be let go

    app = FastAPI(
        title="gemel",
        version=gemel.__version__,
        description=f"Verify, enrol, identify and search: {settings.name}.",
        docs_url=None,  # their pages load scripts of other sites
        redoc_url=None,
        lifespan=living,
    )
    routers = asking(service, door), people(service, door), about(service, door)
    for router in routers:
        app.include_router(router)
    for kind in (Exception, GemelError, Problem, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, _told)
    app.openapi = lambda: _described(app, gallery, keys=settings.keys is not None)  # type: ignore[method-assign]
    app.state.routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    return Guard(app, service.metrics, settings.limits, settings.hosts)


_STATUSES = {404: ("not-found", "There is nothing at this address."), 405: ("wrong-method", "Not with this method.")}


async def _told(request: Request, error: Exception) -> Response:
    if isinstance(error, RequestValidationError):
        said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        return Problem("invalid", f"{said}.").response()
    if isinstance(error, HTTPException):
        name, words = _STATUSES.get(error.status_code, ("malformed", str(error.detail)))
        answer = Problem(name, words).response()
        if error.status_code == 405:
            answer.headers["Allow"] = ", ".join(_methods(request))
        return answer
    return problem_of(error).response()


def _methods(request: Request) -> list[str]:
    """What an address can be asked with, by whichever of its routes."""
    fitting = [route for route in request.app.state.routes if route.path_regex.match(request.url.path)]
    return sorted({method for route in fitting for method in route.methods})


def _described(app: FastAPI, gallery: Gallery, *, keys: bool) -> dict[str, Any]:
    """OpenAPI, with items as the served twin takes them, and keys where they are asked for."""
    if app.openapi_schema is None:
        whole = FastAPI.openapi(app)
        known = whole.setdefault("components", {}).setdefault("schemas", {})
        models: list[type[BaseModel]] = [*MODELS.values(), ProblemAnswer]
        for model in models:
            known[model.__name__] = schema_of(model)
        known["Item"] = item_schema(gallery.twin.modality)
        for path, asked in MODELS.items():
            example = body_example(asked, item_example(gallery.twin.modality))
            whole["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"] = example
        if keys:
            whole["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            whole["security"] = [{"key": []}]
        app.openapi_schema = whole
    return app.openapi_schema
