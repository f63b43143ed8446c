"""Errors of the HTTP API as problem documents (RFC 9457). It decides no error; it only words what was raised."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from app.printable import printable
from app.search.language.spots import Spot, spot_of
from app.search.paging.asked import CursorGoneError
from app.web.originals import PictureGoneError
from indexer.errors import ImageError, PicsiftError, QueryError, TagError

MEDIA_TYPE = "application/problem+json"
BLANK = "about:blank"  # the status says it all (RFC 9457, section 4.2.1)
MOST_TOLD = 20  # of what is wrong with one request


class Position(BaseModel):
    """Where in `q`, as it was sent, a problem is, in Unicode code points; left out where it is about no part of it."""

    start: int = Field(description="Characters before the part.")
    end: int = Field(description="Characters up to its end.")


class Problem(BaseModel):
    """What went wrong, and what to do about it."""

    type: str = Field(description="Which of several reasons for this status it is; about:blank where there is but one.")
    title: str
    status: int
    detail: str
    position: Position | None = None


class RefusedError(HTTPException):
    """A refusal of a kind that programs can tell from others of the same status."""

    def __init__(self, status: int, kind: str, detail: str) -> None:
        """Refuse with a status, a kind, which is part of a URN, and a sentence."""
        super().__init__(status, detail)
        self.type = f"urn:picsift:{kind}"


def problem_response(
    status: int, detail: str, headers: dict[str, str] | None = None, spot: Spot | None = None, *, kind: str = BLANK
) -> Response:
    """An answer that says what went wrong, and where in the query; `kind` is a URI."""
    shown = printable(detail.encode("utf-8", "replace").decode())  # it may quote a name, which may be anything
    position = None if spot is None else Position(start=spot.start, end=spot.end)
    problem = Problem(type=kind, title=HTTPStatus(status).phrase, status=status, detail=shown, position=position)
    return JSONResponse(problem.model_dump(exclude_none=True), status, headers, MEDIA_TYPE)


def status_of(error: PicsiftError) -> int:
    """The HTTP status of an error: 400 what was asked, 410 what is gone, 415 what was sent, 503 what cannot be now."""
    if isinstance(error, ImageError) or isinstance(error.__cause__, ImageError):
        return 415
    if isinstance(error, CursorGoneError):
        return 410
    return 400 if isinstance(error, QueryError | TagError) else 503


def response_to(error: PicsiftError) -> Response:
    """The answer to an error that is known."""
    return problem_response(status_of(error), str(error), spot=spot_of(error))


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem document."""

    @app.exception_handler(PicsiftError)
    async def _picsift(request: Request, error: PicsiftError) -> Response:
        return response_to(error)

    @app.exception_handler(PictureGoneError)
    async def _gone(request: Request, error: PictureGoneError) -> Response:
        return problem_response(410, str(error))

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        told = error.errors()
        rest = [f"and {len(told) - MOST_TOLD:,} more"] if len(told) > MOST_TOLD else []
        return problem_response(422, "; ".join([*map(_sentence, told[:MOST_TOLD]), *rest]))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        kind = error.type if isinstance(error, RefusedError) else BLANK
        return problem_response(error.status_code, str(error.detail), dict(error.headers or {}), kind=kind)

    @app.exception_handler(Exception)
    async def _unforeseen(request: Request, error: Exception) -> Response:
        return problem_response(500, "picsift met an error it does not know; its log says more.")


_SAID = {"missing": "it is left out, and has to be there", "json_invalid": "it is no JSON"}


def _sentence(problem: dict[str, object]) -> str:
    """One failed parameter: its name, what is wrong, and the value."""
    where = problem["loc"]
    names = [part for part in where if isinstance(part, str)] if isinstance(where, tuple) else []
    name = names[-1] if names else "request"  # of one of several values their parameter's
    if problem["type"] == "extra_forbidden":
        return f"{printable(str(name)[:60])}: nothing here is called that; /openapi.json names what there is"
    if problem["type"] in _SAID:
        return f"{name}: {_SAID[str(problem['type'])]}"
    if "UploadFile" in str(problem["msg"]):
        return f"{name}: it is text, and has to be a file, such as of curl -F {name}=@photo.jpg"
    if problem["type"] == "value_error":
        return f"{name}: {str(problem['msg']).removeprefix('Value error, ')}"
    given = problem.get("input")
    if not isinstance(given, str | int | float | None):
        return f"{name}: {problem['msg']}"
    shown = repr(given)
    return f"{name}: {problem['msg']}, not {shown if len(shown) <= 60 else shown[:60] + '…'}"
