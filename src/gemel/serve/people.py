"""Routes about who is known: list, enrol, look at, delete."""

from __future__ import annotations

import heapq
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from gemel.gallery import Gallery
from gemel.items.decoded import Bad
from gemel.serve import answers, shown
from gemel.serve.bodies import body_of
from gemel.serve.describing import speaks
from gemel.serve.door import Door
from gemel.serve.previews import preview
from gemel.serve.problems import Problem
from gemel.serve.schemas import Enroll
from gemel.serve.service import Service, unusable
from gemel.siamese.embedding import Embedded


def people(service: Service, door: Door) -> APIRouter:
    """The routes, of one service."""
    router = APIRouter(tags=["identities"])
    gallery, limits, reader = service.gallery, service.settings.limits, service.reader

    @router.get("/v1/identities", **speaks(None, answers.ListAnswer))
    async def identities(
        request: Request,
        after: Annotated[str, Query(description="Names behind this one.")] = "",
        limit: Annotated[int, Query(ge=1, le=1000, description="At most so many.")] = 100,
        q: Annotated[str, Query(description="Names that hold this, in whatever case.")] = "",
    ) -> Response:
        """Who is enrolled, in order of the names."""
        door.enter(request, "read")
        return shown.answer(await service.ask(page_of, gallery, after, limit, q))

    @router.post("/v1/identities", status_code=201, **speaks(Enroll, answers.EnrollAnswer, also=200))
    async def enroll(request: Request) -> Response:
        """Make items of an identity known. What a 201 counts stays, whatever happens to the server then."""
        key = door.enter(request, "write")
        asked = Enroll.of(body := await body_of(request, limits))
        refuse_path(asked.identity)
        found = await service.embed(request, await service.read(body, reader.items, asked.items, "items"))
        good = [one for one in found if isinstance(one, Embedded)]
        bad = tuple(one for one in found if isinstance(one, Bad))
        if not good:
            raise unusable(bad)
        done = await service.ask(service.enroll, key.name, asked, good)
        values = shown.enrolled(done) | {"bad": [shown.bad(one) for one in bad]}
        return shown.answer(values, 201 if done.added else 200)

    @router.get("/v1/identities/{identity:path}", **speaks(None, answers.IdentityAnswer, 404))
    async def identity(request: Request, identity: str) -> Response:
        """An identity and its items."""
        door.enter(request, "read")
        rows = await service.ask(gallery.items, identity)
        kept = await service.ask(service.visible, [row.id for row in rows])
        listed = [
            {"id": row.id, "name": row.name, "metadata": dict(row.metadata), "kept": row.id in kept} for row in rows
        ]
        return shown.answer({"identity": identity, "items": listed})

    @router.delete("/v1/identities/{identity:path}", **speaks(None, answers.RemovedAnswer, 404))
    async def forget(request: Request, identity: str) -> Response:
        """Delete an identity with all its items. Nothing of them stays."""
        key = door.enter(request, "admin")
        return shown.answer({"identity": identity, "removed": await service.ask(service.forget, key.name, identity)})

    @router.get("/v1/items/{id}", **speaks(None, answers.PreviewAnswer, 404))
    async def item(request: Request, id: str) -> Response:
        """What an enrolled item looks like, where it was kept."""
        door.enter(request, "read")
        row = await service.ask(gallery.item, id)
        kept = await service.ask(service.original, row)
        if kept is None:
            raise Problem("not-found", "The item itself was not kept; enrol with keep to see it here.")
        fields = await service.ask(preview, kept, gallery.twin.modality)
        return shown.answer({"id": id, "identity": row.identity, "name": row.name, "fields": fields})

    @router.delete("/v1/items/{id}", **speaks(None, answers.RemovedAnswer, 404))
    async def forget_item(request: Request, id: str) -> Response:
        """Delete one item. Nothing of it stays; without its last item an identity is not enrolled any more."""
        key = door.enter(request, "admin")
        return shown.answer({"identity": await service.ask(service.forget_item, key.name, id), "removed": 1})

    return router


def page_of(gallery: Gallery, after: str, limit: int, q: str) -> dict[str, Any]:
    """One page of the identities whose names hold `q`."""
    names = gallery.identities()
    fitting = [name for name in names if q.casefold() in name.casefold()] if q else names
    page = heapq.nsmallest(limit + 1, (name for name in fitting if name > after))
    shown_here = [{"identity": name, "items": gallery.count(name)} for name in page[:limit]]
    return {"identities": shown_here, "total": len(fitting), "next": page[limit - 1] if len(page) > limit else None}


def refuse_path(identity: str) -> None:
    """Raises Problem for a name that no address can hold: clients take these for folders before they send them, and a
    line ends where the pattern of a route does."""
    if "\n" in identity or any(part in (".", "..", "") for part in identity.split("/")):
        raise Problem("invalid", f"identity: {identity!r} cannot stand in an address; call it otherwise.")
