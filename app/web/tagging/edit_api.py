"""Ratings, titles and descriptions that people give photos over the HTTP API, in the library; files stay."""

from typing import Annotated, Any, Self

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field, model_validator

from app.tagging import editing
from app.tagging.editing import EditError
from app.web.dependencies import PhotoDep, ServicesDep
from app.web.door.short_bodies import Sent, SmallBody
from app.web.problems import RefusedError
from app.web.responses import PREFIX, refusals
from app.web.tagging.jobs import LOCKED, JobsDep
from indexer.catalog.tag_records import EditField
from indexer.errors import LibraryLockedError

LONGEST = 100_000  # characters that are looked at; how many a text may have is said by `editing`

router = APIRouter(prefix=PREFIX, route_class=SmallBody)

Text = Annotated[str | None, Field(default=None, max_length=LONGEST)]


class EditRequest(Sent):
    """What a photo is given; what is left out, or null, stays as it is."""

    rating: int | None = Field(default=None, ge=-1, le=5, strict=True, description="Stars: 0 is none, -1 rejected.")
    title: Text = None
    description: Text = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise ValueError("say what to give: rating, title or description")
        return self


class EditsAnswer(BaseModel):
    """What was given to a photo in the library, and stands before what its file says; null: the file has the word."""

    rating: int | None = None
    title: str | None = None
    description: str | None = None

    @classmethod
    def of(cls, services: ServicesDep, photo_id: int) -> "EditsAnswer":
        """The answer for one photo."""
        edits: dict[str, Any] = dict(services.library.catalog.tags.edits([photo_id]).get(photo_id, {}))
        return cls(**edits)


@router.get("/photos/{photo_id}/edits", responses=refusals(404, 422, 503))
def edits(services: ServicesDep, found: PhotoDep) -> EditsAnswer:
    """What was given to the photo here."""
    return EditsAnswer.of(services, found.id)


@router.post("/photos/{photo_id}/edits", responses=refusals(400, 404, 413, 422, 503))
def edit(services: ServicesDep, found: PhotoDep, asked: EditRequest) -> EditsAnswer:
    """Give the photo stars, a title or a description. An export hands them on."""
    names: tuple[EditField, ...] = ("rating", "title", "description")
    given = {name: str(value) for name in names if (value := getattr(asked, name)) is not None}
    try:
        editing.edit(services.library, [found.id], given)
    except EditError as error:
        raise HTTPException(400, str(error)) from error
    return EditsAnswer.of(services, found.id)


@router.delete("/photos/{photo_id}/edits", responses=refusals(404, 409, 410, 422, 503))
def forget(services: ServicesDep, jobs: JobsDep, found: PhotoDep) -> EditsAnswer:
    """Take back all that was given here: what the file says counts again."""
    jobs.require_idle()
    try:
        editing.forget(services.library, {found.path: found.id})
    except EditError as error:
        raise HTTPException(410, str(error)) from error
    except LibraryLockedError as error:
        raise RefusedError(409, LOCKED, str(error)) from error
    return EditsAnswer.of(services, found.id)
