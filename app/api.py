"""The HTTP API under /api/v1. It turns requests into service calls; it searches nothing and opens no file itself."""

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, File, Form, Query, Request, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException

from app import browsing, pictures, problems, query
from app.answers import HealthAnswer, PhotoAnswer, SearchAnswer, StatusAnswer
from app.bootstrap import Services
from app.dependencies import REFUSALS, PhotoDep, ServicesDep, opened_original
from app.names import safe_filename
from app.originals import Original
from app.picture_turns import PictureTurns
from app.status import read_status
from app.tag_api import router as tag_router
from indexer.errors import ImageError
from indexer.records import PhotoRecord
from indexer.video_frames import MAX_FRAMES

PREFIX = "/api/v1"
DEFAULT_LIMIT = 20
router = APIRouter(prefix=PREFIX)


Limit = Annotated[int, Query(ge=1, le=query.MAX_LIMIT, description="Hits wanted.")]
Offset = Annotated[int, Query(ge=0, le=query.MAX_OFFSET, description="Hits skipped before the first.")]
Words = Annotated[
    str, Query(description="Words; after:, before:, folder:, place: and tag: filters may stand among them.")
]
After = Annotated[str | None, Query(description="Taken in or after this year, month or day, such as 2021-06.")]
Before = Annotated[str | None, Query(description="Taken before this year, month or day.")]
Folder = Annotated[str | None, Query(description="An absolute folder, or names of folders such as Holiday/Beach.")]

Frame = Annotated[int, Query(ge=0, le=MAX_FRAMES, description="Of a video: the number of a frame, as in a hit.")]
Place = Annotated[str | None, Query(description="A city, region or country, such as Lisbon or New York.")]


@router.get("/search", responses={key: REFUSALS[key] for key in (400, 422, 503)})
def search(
    services: ServicesDep,
    q: Words = "",
    limit: Limit = DEFAULT_LIMIT,
    offset: Offset = 0,
    after: After = None,
    before: Before = None,
    folder: Folder = None,
    place: Place = None,
) -> SearchAnswer:
    """Photos that match the words, best first."""
    wanted = query.Query(limit=limit, offset=offset, **_asked(q, after, before, folder, place))
    return SearchAnswer.of(services.search.search(wanted))


@router.post("/pictures", include_in_schema=False)  # the page's own: what it answers is of use to the page alone
async def take_in(request: Request, services: ServicesDep) -> dict[str, str]:
    """Keep a picture, which is the whole body, for the page to search by; it is told the token."""
    turns: PictureTurns = request.app.state.turns
    async with turns.body():
        picture = await turns.read(request)
        return {"token": await turns.run(browsing.take_in, services, picture)}


@router.post("/search", responses={key: REFUSALS[key] for key in (400, 413, 415, 422, 503)})
async def search_by_picture(
    request: Request,
    services: ServicesDep,
    file: Annotated[UploadFile, File(description="A picture in any format that is indexed; it is not kept.")],
    q: Annotated[str, Form(description="Words to mix in.")] = "",
    limit: Annotated[int, Form(ge=1, le=query.MAX_LIMIT)] = DEFAULT_LIMIT,
    offset: Annotated[int, Form(ge=0, le=query.MAX_OFFSET)] = 0,
    after: Annotated[str | None, Form()] = None,
    before: Annotated[str | None, Form()] = None,
    folder: Annotated[str | None, Form()] = None,
    place: Annotated[str | None, Form()] = None,
) -> SearchAnswer:
    """Photos like the picture; with words, photos that match both."""
    turns: PictureTurns = request.app.state.turns
    async with turns.body():
        picture = await file.read()
        if not picture:
            raise ImageError(f"the uploaded file {file.filename!r} is empty. Send a picture.")
        wanted = query.Query(image=picture, limit=limit, offset=offset, **_asked(q, after, before, folder, place))
        return SearchAnswer.of(await turns.run(services.search.search, wanted))


@router.get("/photos/{photo_id}", responses={404: REFUSALS[404]})
def photo(services: ServicesDep, found: PhotoDep) -> PhotoAnswer:
    """What the library knows of one photo."""
    return PhotoAnswer.of(found, services.library.catalog.copies_of(found.id))


@router.get("/photos/{photo_id}/similar", responses={key: REFUSALS[key] for key in (404, 422, 503)})
def similar(services: ServicesDep, found: PhotoDep, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0) -> SearchAnswer:
    """Photos like this one, itself not among them."""
    return SearchAnswer.of(services.search.similar(found.id, limit=limit, offset=offset))


@router.get("/photos/{photo_id}/thumbnail", responses={key: REFUSALS[key] for key in (404, 410, 415)})
async def thumbnail(request: Request, services: ServicesDep, found: PhotoDep, frame: Frame = 0) -> Response:
    """A small WebP of the photo, or of a video's frame, upright."""
    catalog, store, decoder = services.library.catalog, services.library.thumbnails, services.decoder

    async def render() -> bytes:
        if stored := await run_in_threadpool(pictures.stored_thumbnail, found, store, frame):
            return stored
        turns: PictureTurns = request.app.state.turns
        return await turns.run(pictures.thumbnail, found, catalog, store, decoder, frame)

    return await _cached(request, found, frame, render)


@router.get("/photos/{photo_id}/preview", responses={key: REFUSALS[key] for key in (404, 410, 415)})
async def preview(request: Request, services: ServicesDep, found: PhotoDep, frame: Frame = 0) -> Response:
    """A WebP of the photo, or of a video's frame, as large as a screen, upright, whatever the format of its file."""
    turns: PictureTurns = request.app.state.turns
    return await _cached(
        request,
        found,
        frame,
        lambda: turns.run(pictures.preview, found, services.library.catalog, services.decoder, frame),
    )


@router.get("/photos/{photo_id}/original", responses={key: REFUSALS[key] for key in (404, 410)})
def original(found: PhotoDep, served: Annotated[Original, Depends(opened_original)]) -> FileResponse:
    """The photo's file, byte for byte."""
    return FileResponse(
        served.file.held,
        stat_result=served.file.status,
        media_type=served.media_type,
        filename=safe_filename(found.path),
        content_disposition_type="inline" if served.inline else "attachment",
        headers={"Cache-Control": "private, no-cache"},
    )


@router.get("/status", responses={503: REFUSALS[503]})
def status(services: ServicesDep) -> StatusAnswer:
    """What is in the library, on which device, in what health."""
    return StatusAnswer.of(read_status(services))


@router.get("/health")
def health() -> HealthAnswer:
    """Whether the server answers."""
    return HealthAnswer()


@router.api_route("/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
def unknown(request: Request) -> None:
    """Say so where nothing answers.

    Raises:
        HTTPException: always, 404.
    """
    raise HTTPException(404, f"nothing answers {request.method} {request.url.path}. See /openapi.json.")


def build_api(services: Services) -> FastAPI:
    """The application that answers under /api/v1, described by /openapi.json; it serves no page of documentation."""
    api = FastAPI(title="picsift", version=version("picsift"), docs_url=None, redoc_url=None)  # those load from a CDN
    api.state.services = services
    api.state.turns = PictureTurns()
    problems.install(api)
    api.include_router(tag_router, prefix=PREFIX)  # first: the other one ends with what answers everything else
    api.include_router(router)
    return api


def _asked(q: str, after: str | None, before: str | None, folder: str | None, place: str | None) -> dict[str, Any]:
    """The words and the filter: what stands among the words and what stands beside them both hold."""
    words, among = query.parse(q)
    return {"text": words, "filter": query.merge(among, query.make_filter(after, before, folder, place))}


async def _cached(request: Request, photo: PhotoRecord, frame: int, render: Callable[[], Awaitable[bytes]]) -> Response:
    """A WebP that a browser may keep for as long as the photo's content stays the same."""
    tag = f'"{photo.content_hash}-{frame}"'
    named = request.query_params.get("v") == photo.content_hash
    headers = {"ETag": tag, "Cache-Control": "private, max-age=31536000, immutable" if named else "private, no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(await render(), media_type="image/webp", headers=headers)
