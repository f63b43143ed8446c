"""The HTTP API under /api/v1. It turns requests into service calls; it searches nothing and opens no file itself.

The routes that people wait for are coroutines that go to a thread once: FastAPI goes there a second time for the answer
of a route that is none, and a thread that wakes up costs as much as a look into the index.
"""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Form, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic_core import to_json
from starlette.datastructures import QueryParams
from starlette.types import ASGIApp, Receive, Scope, Send

from app.bootstrap import Services
from app.names import safe_filename
from app.search.query import Cut, parse_region
from app.search.ranking import SearchResult
from app.status import read_status
from app.web import pictures, problems
from app.web.answers import HealthAnswer, PhotoAnswer, SearchAnswer, StatusAnswer, search_document
from app.web.caching import caching_headers, content_tag, expect_the_same, file_tag, unchanged
from app.web.dependencies import PhotoDep, PhotoId, ServicesDep, Whole, opened_original, photo_of
from app.web.door.forwarding import path_below_root
from app.web.door.methods import ASKED_HEAD, Methods
from app.web.door.short_bodies import PlainForm
from app.web.duplicate_api import router as duplicate_router
from app.web.heat_api import router as heat_router
from app.web.originals import Original, SentFile
from app.web.page import browsing
from app.web.picture_turns import LONG_BODIES, PictureTurns
from app.web.responses import CURSOR_GONE, FILE, PICTURE, PREFIX, WEBP, refusals
from app.web.search_fields import PageFields, PictureFields, SimilarFields, expect_once, sound_fields
from app.web.tag_api import ROUTERS as TAG_ROUTERS
from app.web.tagging.jobs import Jobs, working
from indexer.catalog.records import PhotoRecord
from indexer.errors import ImageError, PicsiftError
from indexer.pictures.video_frames import MAX_FRAMES

router = APIRouter(prefix=PREFIX)
forms = APIRouter(prefix=PREFIX, route_class=PlainForm)

OriginalDep = Annotated[Original, Depends(opened_original)]
ONCE = [Depends(expect_once)]
Frame = Annotated[Whole, Query(ge=0, le=MAX_FRAMES, description="Of a video: the number of a frame, as in a hit.")]


@router.get("/search", dependencies=ONCE, responses={**refusals(400, 422, 503), **CURSOR_GONE})
async def search(services: ServicesDep, asked: Annotated[PageFields, Query()]) -> SearchAnswer:
    """Photos that match the words, best first; of filters alone, the newest first. Or the page behind an answer."""
    return await run_in_threadpool(lambda: SearchAnswer.of(_found(services, asked), services.cursors))


def _found(services: Services, asked: PageFields) -> SearchResult:
    if asked.cursor is not None:
        limit = asked.asked_limit()
        return services.search.go_on(services.cursors.find(asked.cursor), limit=limit)
    return services.search.search(asked.query(services.settings.min_relevance))


class QuickSearch:
    """Answers sound searches ahead of the application, which is handed whatever else comes.

    What an application of FastAPI does before and after a search takes as long as a search of 100,000 vectors, and much
    of that reads 28 fields one by one. Who asks gets the same from both: see the tests.
    """

    def __init__(self, app: ASGIApp, services: Services) -> None:
        """Stand before the application."""
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the application."""
        if scope["type"] == "http" and scope["method"] == "GET" and path_below_root(scope) == f"{PREFIX}/search":
            asked = sound_fields(QueryParams(scope["query_string"]))
            answer = await run_in_threadpool(self._answer, asked) if asked else None
            if answer is not None:
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _answer(self, asked: PageFields) -> Response | None:
        try:
            found = to_json(search_document(_found(self._services, asked), self._services.cursors), inf_nan_mode="null")
        except PicsiftError as error:
            return problems.response_to(error)
        except Exception:  # unforeseen: the application meets it again, logs it and says so
            return None
        return Response(found, media_type="application/json")


@router.post("/pictures", include_in_schema=False)  # the page's own: what it answers is of use to the page alone
async def take_in(request: Request, services: ServicesDep) -> dict[str, str]:
    """Keep a picture, which is the whole body, for the page to search by; it is told the token."""
    turns: PictureTurns = request.app.state.turns
    async with turns.body():
        picture = await turns.read(request)
        return {"token": await turns.run(browsing.take_in, services, picture)}


@forms.post("/search", dependencies=ONCE, responses=refusals(400, 413, 415, 422, 503))
async def search_by_picture(
    request: Request, services: ServicesDep, asked: Annotated[PictureFields, Form(media_type="multipart/form-data")]
) -> SearchAnswer:
    """Photos like the picture; with words, photos that match both."""
    turns: PictureTurns = request.app.state.turns
    picture = await asked.file.read()
    if not picture:
        raise ImageError(f"the uploaded file {asked.file.filename!r} is empty. Send a picture.")
    wanted = replace(asked.query(services.settings.min_relevance), image=picture)
    return SearchAnswer.of(await turns.run(services.search.search, wanted), services.cursors)


@router.get("/photos/{photo_id}", responses=refusals(404, 422, 503))
def photo(services: ServicesDep, found: PhotoDep) -> PhotoAnswer:
    """What the library knows of one photo."""
    return PhotoAnswer.of(found, services.library.catalog.copies_of(found.id))


@router.get("/photos/{photo_id}/similar", dependencies=ONCE, responses=refusals(400, 404, 410, 415, 422, 503))
async def similar(
    request: Request, services: ServicesDep, found: PhotoDep, asked: Annotated[SimilarFields, Query()]
) -> SearchAnswer:
    """Photos like this one, a region of it, or several together; they and their copies are not among the hits."""

    def answer(first: int | Cut) -> SearchAnswer:
        wanted = asked.query(services.settings.min_relevance)
        return SearchAnswer.of(services.search.similar([first, *asked.also], wanted), services.cursors)

    def by_region(text: str) -> SearchAnswer:
        region = parse_region(text)
        side = services.embedders.of(services.search.live.model()).image_size
        part = pictures.region(found, services.library.catalog, services.decoder, region, side)
        return answer(Cut(part, found.id))

    if asked.region is None:
        return await run_in_threadpool(answer, found.id)
    turns: PictureTurns = request.app.state.turns
    return await turns.run(by_region, asked.region)


@router.get("/photos/{photo_id}/thumbnail", response_class=Response, responses=PICTURE)
async def thumbnail(request: Request, services: ServicesDep, photo_id: PhotoId, frame: Frame = 0) -> Response:
    """A small WebP of the photo, or of a video's frame, upright."""
    catalog, store, decoder = services.library.catalog, services.library.thumbnails, services.decoder

    def stored() -> tuple[PhotoRecord, dict[str, str], Response | None]:
        found = photo_of(photo_id, services)
        headers = caching_headers(request, found, content_tag(found, frame))
        if same := unchanged(request, headers):
            return found, headers, same
        kept = pictures.stored_thumbnail(found, store, frame)
        return found, headers, Response(kept, media_type=WEBP, headers=headers) if kept else None

    found, headers, response = await run_in_threadpool(stored)  # a page asks for dozens: one thread for each, once
    if response is None:
        turns: PictureTurns = request.app.state.turns
        made = await turns.run(pictures.thumbnail, found, catalog, store, decoder, frame)
        response = Response(made, media_type=WEBP, headers=headers)
    return response


@router.get("/photos/{photo_id}/preview", response_class=Response, responses=PICTURE)
async def preview(
    request: Request, services: ServicesDep, found: PhotoDep, served: OriginalDep, frame: Frame = 0
) -> Response:
    """A WebP of the photo, or of a video's frame, as large as a screen, upright, whatever the format of its file."""
    catalog, decoder, seen, turns = (
        services.library.catalog,
        services.decoder,
        served.file.status,
        request.app.state.turns,
    )
    headers = caching_headers(request, found, file_tag(seen, frame), seen)
    if same := unchanged(request, headers):
        return same
    made: bytes = await turns.run(pictures.preview, found, catalog, decoder, frame, served)
    return Response(made, media_type=WEBP, headers=headers)


@router.get("/photos/{photo_id}/original", response_class=Response, responses=FILE)
def original(request: Request, found: PhotoDep, served: OriginalDep) -> Response:
    """The photo's file, byte for byte, or a range of it."""
    headers = {"ETag": file_tag(served.file.status), "Cache-Control": "private, no-cache"}
    expect_the_same(request, headers["ETag"], served.file.status)
    if same := unchanged(request, headers):
        return same
    if request.scope.get(ASKED_HEAD):
        request.scope["method"] = "HEAD"  # else the file is read for nothing
    return SentFile(
        served.file.held,
        stat_result=served.file.status,
        media_type=served.media_type,
        filename=safe_filename(found.path),
        content_disposition_type="inline" if served.inline else "attachment",
        headers=headers,
    )


@router.get("/status", responses=refusals(503))
def status(services: ServicesDep) -> StatusAnswer:
    """What is in the library, on which device, in what health."""
    return StatusAnswer.of(read_status(services))


@router.get("/health", responses=refusals())
def health() -> HealthAnswer:
    """Whether the server answers."""
    return HealthAnswer()


def build_api(services: Services, *, folder: Path | None = None) -> FastAPI:
    """The application that answers under /api/v1, described by /openapi.json; it serves no page of documentation.

    Args:
        services: what answers.
        folder: the server's own temporary folder; None is the system's.
    """
    no_page: Any = {"docs_url": None, "redoc_url": None}  # those load from a CDN
    api = FastAPI(title="picsift", version=version("picsift"), lifespan=working, **no_page)
    api.state.services, api.state.jobs, api.state.folder = services, Jobs(), folder
    api.state.turns, api.state.long_turns = PictureTurns(), PictureTurns(LONG_BODIES, "request")
    problems.install(api)
    api.router.routes.extend(_routes())  # as they are: FastAPI would build each that it includes a second time
    own = (f"{PREFIX}/", "/openapi.json")
    api.add_middleware(Methods, paths={own[1]: {"GET"}, **_answered()}, own=own)
    return api


def _routes() -> list[APIRoute]:
    """All that answer, in the order in which they are asked."""
    routers = (*TAG_ROUTERS, duplicate_router, heat_router, forms, router)
    return [route for one in routers for route in one.routes if isinstance(route, APIRoute)]


def _answered() -> dict[str, set[str]]:
    """Every path that answers, with its methods."""
    found: dict[str, set[str]] = {}
    for route in _routes():
        found.setdefault(route.path, set()).update(route.methods or ())
    return found
