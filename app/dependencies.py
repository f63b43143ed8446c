"""What the routes of the HTTP API are handed: the services, and the photo that a path names; and how they refuse."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from app import problems
from app.bootstrap import Services
from app.originals import Original, opened
from indexer.records import PhotoRecord

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


def opened_original(
    services: Annotated[Services, Depends(services_of)], photo: Annotated[PhotoRecord, Depends(photo_of)]
) -> Iterator[Original]:
    """The photo's file, open until the answer is sent."""
    with opened(photo, services.library.catalog) as original:
        yield original


ServicesDep = Annotated[Services, Depends(services_of)]
PhotoDep = Annotated[PhotoRecord, Depends(photo_of)]
