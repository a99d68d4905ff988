"""Routes that ask: are two items the same, whom does one show, what is like it, what is its embedding."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from gemel.gallery import Hit, Match
from gemel.items.decoded import Bad
from gemel.serve import answers, shown
from gemel.serve.bodies import body_of
from gemel.serve.describing import speaks
from gemel.serve.door import Door
from gemel.serve.problems import Problem
from gemel.serve.schemas import Embed, Identify, Search, Verify
from gemel.serve.service import Service


def asking(service: Service, door: Door) -> APIRouter:
    """The routes, of one service."""
    router = APIRouter(tags=["ask"])
    gallery, limits, reader = service.gallery, service.settings.limits, service.reader

    @router.post("/v1/verify", **speaks(Verify, answers.VerdictAnswer, 404, 409))
    async def verify(request: Request) -> Response:
        """Whether two items are the same, or whether an item shows the identity that it claims."""
        door.enter(request, "read")
        asked = Verify.of(body := await body_of(request, limits))
        how = {"fmr": asked.fmr, "prior": asked.prior, "certainty": asked.certainty}
        given = {"a": await service.read(body, reader.item, asked.a, "a")}
        if asked.identity is not None:
            await service.ask(gallery.items, asked.identity)  # not enrolled: nothing need be embedded
            (a,) = await service.embed_all(request, given)
            found = await service.ask(gallery.verify, asked.identity, a, **how)
        else:
            given["b"] = await service.read(body, reader.item, asked.b, "b")
            found = await service.ask(gallery.twin.verify, *await service.embed_all(request, given), **how)
        return shown.answer(shown.verdict(found, gallery.twin))

    @router.post("/v1/embed", **speaks(Embed, answers.EmbedAnswer))
    async def embed(request: Request) -> Response:
        """The embeddings of items; those that cannot be used do not keep the others out."""
        door.enter(request, "read")
        asked = Embed.of(body := await body_of(request, limits))
        found = await service.embed(request, await service.read(body, reader.items, asked.items, "items"))
        bad = [shown.bad(one) for one in found if isinstance(one, Bad)]
        rows = [None if isinstance(one, Bad) else one.vector for one in found]
        return shown.answer({"dim": gallery.twin.method.dim, "embeddings": rows, "bad": bad})

    @router.post("/v1/identify", **speaks(Identify, answers.IdentifyAnswer, 409))
    async def identify(request: Request) -> Response:
        """Whom an item shows, or nobody who is enrolled."""
        door.enter(request, "read")
        asked = Identify.of(body := await body_of(request, limits))
        given = {"item": await service.read(body, reader.item, asked.item, "item")}
        (item,) = await service.embed_all(request, given)

        def answer() -> tuple[Match | None, int]:
            return gallery.identify(item, fpir=asked.fpir, prior=asked.prior), len(gallery)

        return shown.answer(shown.match(*await service.ask(answer)))

    @router.post("/v1/search", **speaks(Search, answers.SearchAnswer))
    async def search(request: Request) -> Response:
        """The enrolled items nearest to an item; needs no calibration."""
        door.enter(request, "read")
        asked = Search.of(body := await body_of(request, limits))
        if asked.k > limits.k:
            raise Problem("invalid", f"k: at most {limits.k} neighbours are given; {asked.k} were asked for.")
        given = {"item": await service.read(body, reader.item, asked.item, "item")}
        (item,) = await service.embed_all(request, given)

        def answer() -> tuple[list[Hit], set[str]]:
            hits = gallery.search(item, asked.k, where=asked.where)
            return hits, service.visible([hit.id for hit in hits])

        hits, visible = await service.ask(answer)
        return shown.answer({"hits": [shown.hit(hit, kept=hit.id in visible) for hit in hits]})

    return router
