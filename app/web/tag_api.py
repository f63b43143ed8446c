"""Tags over the HTTP API: which there are, which a photo has, and a person's word on them."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.tag_path import path_text
from app.tagging import lookup as tag_lookup
from app.web.dependencies import PhotoDep, ServicesDep
from app.web.door.short_bodies import Sent, SmallBody
from app.web.responses import PREFIX, refusals
from app.web.tagging.changes_api import router as changes_router
from app.web.tagging.edit_api import router as edit_router
from app.web.tagging.export_api import router as export_router
from app.web.tagging.review_api import PATH
from app.web.tagging.review_api import router as review_router
from indexer.catalog.tag_records import Decision, PhotoTag, TagCounts

router = APIRouter(prefix=PREFIX, route_class=SmallBody)
ROUTERS = (router, changes_router, review_router, export_router, edit_router)
"""All that is about tags, for `api.py` to put in."""

Tag = Annotated[str, Query(description="A tag's path, or its name where only one tag has it.", max_length=2000)]


class TagAnswer(BaseModel):
    """A tag, and how many photos have it in each state."""

    tag: str = Field(description=PATH)
    accepted: int
    suggested: int
    rejected: int

    @classmethod
    def of(cls, count: TagCounts) -> "TagAnswer":
        """The answer for one tag."""
        numbers = {"accepted": count.accepted, "suggested": count.suggested, "rejected": count.rejected}
        return cls(tag=path_text(count.path), **numbers)


class PhotoTagAnswer(BaseModel):
    """A tag on a photo."""

    tag: str = Field(description=PATH)
    state: Literal["suggested", "accepted", "rejected"]
    origin: str = Field(description="model, person, or what it was imported from.")
    model: str | None = Field(description="Which model scored it; null where none did.")
    score: float | None = Field(description="Cosine of the photo and the tag, -1 to 1.")
    confidence: float | None = Field(description="How sure the model is, 0 to 1.")
    changed_at: datetime

    @classmethod
    def of(cls, tag: PhotoTag) -> "PhotoTagAnswer":
        """The answer for one tag on one photo."""
        known = {name: getattr(tag, name) for name in cls.model_fields if name != "tag"}
        return cls(tag=path_text(tag.path), **known)


class DecisionRequest(Sent):
    """A person's word on one tag of one photo."""

    tag: str = Field(description="A tag's path, or its name where only one tag has it; accepting makes a new one.")
    state: Literal["accepted", "rejected"]


@router.get("/tags", responses=refusals(422, 503))
def tags(
    services: ServicesDep, every: Annotated[bool, Query(description="Also tags that no photo has.")] = False
) -> list[TagAnswer]:
    """Every tag that a photo has, in the order of paths."""
    counts = services.library.catalog.tags.counts()
    return [TagAnswer.of(count) for count in counts if every or count.accepted or count.suggested or count.rejected]


@router.get("/photos/{photo_id}/tags", responses=refusals(404, 422, 503))
def photo_tags(services: ServicesDep, found: PhotoDep) -> list[PhotoTagAnswer]:
    """The tags of one photo, in every state."""
    return _tags(services, found.id)


@router.post("/photos/{photo_id}/tags", responses=refusals(400, 404, 413, 422, 503))
def decide(services: ServicesDep, found: PhotoDep, decision: DecisionRequest) -> list[PhotoTagAnswer]:
    """Accept a tag for a photo, or reject it."""
    path = tag_lookup.find_or_make(services, decision.tag, make=decision.state == "accepted")
    services.library.catalog.tags.decide([Decision(found.id, path, decision.state)])
    return _tags(services, found.id)


@router.delete("/photos/{photo_id}/tags", responses=refusals(400, 404, 422, 503))
def undecide(services: ServicesDep, found: PhotoDep, tag: Tag) -> list[PhotoTagAnswer]:
    """Take back what was said of a tag on a photo."""
    path = tag_lookup.find(services, tag)
    catalog = services.library.catalog.tags
    catalog.undecide([found.id], catalog.make([path])[path])
    return _tags(services, found.id)


def _tags(services: ServicesDep, photo_id: int) -> list[PhotoTagAnswer]:
    return [PhotoTagAnswer.of(tag) for tag in services.library.catalog.tags.of([photo_id]).get(photo_id, ())]
