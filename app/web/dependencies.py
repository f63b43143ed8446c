"""What the routes of the HTTP API are handed: the services, and the photo that a path names."""

import re
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError
from starlette.exceptions import HTTPException

from app.bootstrap import Services
from app.web.originals import Original, opened
from indexer.catalog.records import PhotoRecord


async def services_of(request: Request) -> Services:
    """The services that this application was built with; a coroutine, so that no thread is asked for them."""
    services: Services = request.app.state.services
    return services


def _digits(written: Any) -> Any:
    """Only the digits 0 to 9 make a number; pydantic also takes ' 1', '+1', '1_0' and '1.0'.

    Raises:
        PydanticCustomError: for anything else.
    """
    if isinstance(written, str) and not re.fullmatch(r"-?[0-9]+", written):
        raise PydanticCustomError("digits", "a number has only the digits 0 to 9")
    return written


def _shortest(written: Any) -> Any:
    """A photo has one address: by several it would be kept several times, and pass a proxy's rule for one of them.

    Raises:
        PydanticCustomError: for zeros before a number.
    """
    if isinstance(written, str) and re.match(r"-?0[0-9]|-0", written):
        raise PydanticCustomError("digits", "a photo's number has no zeros before it")
    return written


def _decimal(written: Any) -> Any:
    """Python would take `0_1` for 1.

    Raises:
        PydanticCustomError: for a number with underscores in it.
    """
    if isinstance(written, str) and "_" in written:
        raise PydanticCustomError("decimal", "a number has no underscores in it")
    return written


Decimal = Annotated[float, BeforeValidator(_decimal)]
"""A number that stands in an address."""
Whole = Annotated[int, BeforeValidator(_digits)]
"""A whole number that stands in an address."""
PhotoId = Annotated[Whole, BeforeValidator(_shortest)]
"""The number of a photo, in a path, as it is written in answers."""


def photo_of(photo_id: PhotoId, services: Annotated[Services, Depends(services_of)]) -> PhotoRecord:
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
