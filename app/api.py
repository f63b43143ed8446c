"""The HTTP API under /api/v1. It turns requests into service calls; it searches nothing and opens no file itself."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, File, Form, Query, Request, UploadFile
from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException

from app import pictures, problems, query
from app.answers import HealthAnswer, PhotoAnswer, SearchAnswer, StatusAnswer
from app.bootstrap import Services
from app.status import read_status
from indexer.errors import ImageError
from indexer.records import PhotoRecord

PREFIX = "/api/v1"
DEFAULT_LIMIT = 20
REFUSALS: dict[int | str, dict[str, Any]] = {
    code: {"model": problems.Problem, "content": {problems.MEDIA_TYPE: {}}, "description": meaning}
    for code, meaning in {
        400: "The query cannot be understood.",
        404: "No such photo.",
        410: "The photo's file is gone.",
        413: "The upload is too large.",
        415: "The picture cannot be read.",
        422: "A parameter is out of its bounds.",
        503: "The library or the model cannot be used now.",
    }.items()
}

router = APIRouter(prefix=PREFIX)


def services_of(request: Request) -> Services:
    """The services that this application was built with."""
    services: Services = request.app.state.services
    return services


def photo_of(photo_id: int, services: Annotated[Services, Depends(services_of)]) -> PhotoRecord:
    """The photo that a path names.

    Raises:
        HTTPException: 404.
    """
    # SQLite's integers end at 2**63; beyond that the id names nothing either.
    photo = services.library.catalog.photo(photo_id) if abs(photo_id) < 2**63 else None
    if photo is None:
        raise HTTPException(404, f"the library has no photo with the id {photo_id}.")
    return photo


ServicesDep = Annotated[Services, Depends(services_of)]
PhotoDep = Annotated[PhotoRecord, Depends(photo_of)]
Limit = Annotated[int, Query(ge=1, le=query.MAX_LIMIT, description="Hits wanted.")]
Offset = Annotated[int, Query(ge=0, le=query.MAX_OFFSET, description="Hits skipped before the first.")]
Words = Annotated[str, Query(description="Words; after:, before:, folder: and place: filters may stand among them.")]
After = Annotated[str | None, Query(description="Taken in or after this year, month or day, such as 2021-06.")]
Before = Annotated[str | None, Query(description="Taken before this year, month or day.")]
Folder = Annotated[str | None, Query(description="An absolute folder, or names of folders such as Holiday/Beach.")]

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


@router.post("/search", responses={key: REFUSALS[key] for key in (400, 413, 415, 422, 503)})
def search_by_picture(
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
    picture = file.file.read()
    if not picture:
        raise ImageError(f"the uploaded file {file.filename!r} is empty. Send a picture.")
    wanted = query.Query(image=picture, limit=limit, offset=offset, **_asked(q, after, before, folder, place))
    return SearchAnswer.of(services.search.search(wanted))


@router.get("/photos/{photo_id}", responses={404: REFUSALS[404]})
def photo(services: ServicesDep, found: PhotoDep) -> PhotoAnswer:
    """What the library knows of one photo."""
    return PhotoAnswer.of(found, services.library.catalog.copies_of(found.id))


@router.get("/photos/{photo_id}/similar", responses={key: REFUSALS[key] for key in (404, 422, 503)})
def similar(services: ServicesDep, found: PhotoDep, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0) -> SearchAnswer:
    """Photos like this one, itself not among them."""
    return SearchAnswer.of(services.search.similar(found.id, limit=limit, offset=offset))


@router.get("/photos/{photo_id}/thumbnail", responses={key: REFUSALS[key] for key in (404, 410, 415)})
def thumbnail(request: Request, services: ServicesDep, found: PhotoDep) -> Response:
    """A small WebP of the photo, upright."""
    library = services.library
    return _cached(
        request,
        found,
        lambda: pictures.thumbnail(found, library.catalog, library.thumbnails, services.settings.max_pixels),
    )


@router.get("/photos/{photo_id}/preview", responses={key: REFUSALS[key] for key in (404, 410, 415)})
def preview(request: Request, services: ServicesDep, found: PhotoDep) -> Response:
    """A WebP of the photo as large as a screen, upright, whatever the format of its file."""
    return _cached(
        request, found, lambda: pictures.preview(found, services.library.catalog, services.settings.max_pixels)
    )


@router.get("/photos/{photo_id}/original", responses={key: REFUSALS[key] for key in (404, 410)})
def original(services: ServicesDep, found: PhotoDep) -> FileResponse:
    """The photo's file, byte for byte."""
    served = pictures.original(found, services.library.catalog)
    return FileResponse(
        served.path,
        media_type=served.media_type,
        filename=pictures.safe_filename(found.path),
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
    problems.install(api)
    api.include_router(router)
    return api


def _asked(q: str, *beside: str | None) -> dict[str, Any]:
    """The words and the filter: what stands among the words and what stands beside them both hold."""
    words, among = query.parse(q)
    return {"text": words, "filter": query.merge(among, query.make_filter(*beside))}


def _cached(request: Request, photo: PhotoRecord, render: Callable[[], bytes]) -> Response:
    """A WebP that a browser may keep for as long as the photo's content stays the same."""
    tag = f'"{photo.content_hash}"'
    named = request.query_params.get("v") == photo.content_hash
    headers = {"ETag": tag, "Cache-Control": "private, max-age=31536000, immutable" if named else "private, no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(render(), media_type="image/webp", headers=headers)
