"""What people change of tags themselves over the HTTP API, and runs that suggest them: as the command line does it."""

from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, model_validator

from app.tag_path import path_text
from app.tagging import lookup as tag_lookup
from app.tagging import tag_changing
from app.tagging.tagging_service import TaggingReport
from app.web.dependencies import ServicesDep
from app.web.door.short_bodies import Sent, SmallBody
from app.web.responses import PREFIX, refusals
from app.web.tagging.jobs import Job, JobAnswer, JobsDep
from app.web.tagging.review_api import PATH
from indexer.catalog.tag_records import TagPath

RUN = "tagging"

router = APIRouter(prefix=PREFIX, route_class=SmallBody)

Which = Annotated[str, Field(description="A tag's path, or its name where only one tag has it.", max_length=2000)]
_EXACT = "Tags are named by their whole paths alone: where one is gone, no other one of its name is taken."
Exact = Annotated[bool, Field(description=_EXACT)]


class RenameRequest(Sent):
    """Another path for a tag."""

    tag: Which
    to: str = Field(description=f"Its new path. {PATH}", max_length=2000)
    exact: Exact = False


class MergeRequest(Sent):
    """A tag that is to be part of another."""

    tag: Which
    into: Which
    exact: Exact = False


class RestoreRequest(Sent):
    """A word of the vocabulary that may be suggested again, or all of them: one of the two is said."""

    tag: str | None = Field(default=None, description=PATH, max_length=2000)
    all: bool = Field(default=False, description="Forget every renaming, merging and deleting.")

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if (self.tag is None) is not self.all:
            raise ValueError("name a tag, or say all: true")
        return self


class ChangeAnswer(BaseModel):
    """A tag that was renamed, merged or deleted."""

    tag: str = Field(description=f"What it was. {PATH}")
    now: str | None = Field(description="What it is now; null where it is deleted.")

    @classmethod
    def of(cls, old: TagPath, new: TagPath | None) -> "ChangeAnswer":
        """The answer for one change."""
        return cls(tag=path_text(old), now=None if new is None else path_text(new))


class ChangedAnswer(ChangeAnswer):
    """What a change came to."""

    count: int = Field(
        description="Renamed: tags that have new paths; merged: photos' tags that went over; deleted: photos that "
        "had it."
    )


class RestoredAnswer(BaseModel):
    """What is suggested again from the next run on; decisions are not brought back."""

    count: int = Field(description="Changes that count no more.")


class TaggingRequest(Sent):
    """What a run is to do."""

    only_new: bool = Field(
        default=False, description="Only what changed since the last time; all once photos, or decisions, have doubled."
    )
    threshold: float | None = Field(
        default=None, ge=0.01, le=0.99, description="Least confidence of a suggestion, from now on; null: as it is."
    )


class TaggingReportAnswer(BaseModel):
    """What a run did."""

    model: str
    vocabulary: str
    tags: int = Field(description="Words.")
    photos: int = Field(description="That were looked at, by their stored vectors.")
    suggestions: int = Field(description="That stand now for those.")
    learned: list[str] = Field(description="Tags whose decisions count.")
    changed: int = Field(description="Words that are renamed, merged or deleted.")
    seconds: float

    @classmethod
    def of(cls, report: TaggingReport) -> "TaggingReportAnswer":
        """The answer for one run."""
        known = {name: getattr(report, name) for name in cls.model_fields if name != "learned"}
        return cls(learned=[path_text(path) for path in sorted(report.learned)], **known)


class TaggingAnswer(JobAnswer):
    """How far the last run is."""

    report: TaggingReportAnswer | None = Field(description="Null while it runs, and where it failed.")

    @classmethod
    def of(cls, job: Job) -> "TaggingAnswer":
        """The answer for the last run."""
        return cls(report=job.result and TaggingReportAnswer.of(job.result), **JobAnswer.fields(job))


@router.post("/tags/rename", responses=refusals(400, 413, 422, 503))
def rename(services: ServicesDep, asked: RenameRequest) -> ChangedAnswer:
    """Give a tag, with what lies under it, another path."""
    old, new, count = tag_changing.rename(services, asked.tag, asked.to, exact=asked.exact)
    return ChangedAnswer(tag=path_text(old), now=path_text(new), count=count)


@router.post("/tags/merge", responses=refusals(400, 413, 422, 503))
def merge(services: ServicesDep, asked: MergeRequest) -> ChangedAnswer:
    """Let a tag become part of another. A decision goes before a suggestion, and the later of two decisions."""
    old, new, count = tag_changing.merge(services, asked.tag, asked.into, exact=asked.exact)
    return ChangedAnswer(tag=path_text(old), now=path_text(new), count=count)


@router.delete("/tags", responses=refusals(400, 422, 503))
def delete(
    services: ServicesDep,
    tag: Annotated[str, Query(max_length=2000)],
    exact: Annotated[bool, Query(description=_EXACT)] = False,
) -> ChangedAnswer:
    """Delete a tag with what lies under it, and what was decided of it."""
    path = tag_lookup.find(services, tag, exact=exact)
    return ChangedAnswer(tag=path_text(path), now=None, count=services.library.catalog.tags.remove(path))


@router.get("/tags/changes", responses=refusals(503))
def changes(services: ServicesDep) -> list[ChangeAnswer]:
    """The words of vocabularies that were renamed, merged and deleted, which runs keep to."""
    return [ChangeAnswer.of(old, new) for old, new in tag_changing.changes(services)]


@router.post("/tags/restore", responses=refusals(400, 413, 422, 503))
def restore(services: ServicesDep, asked: RestoreRequest) -> RestoredAnswer:
    """Let runs suggest a word again that was renamed, merged or deleted."""
    if asked.tag is None:
        return RestoredAnswer(count=tag_changing.restore_all(services))
    tag_changing.restore(services, asked.tag)
    return RestoredAnswer(count=1)


@router.get("/tagging", responses=refusals())
def tagging(jobs: JobsDep) -> TaggingAnswer:
    """How far the last run is that was started here."""
    return TaggingAnswer.of(jobs.of(RUN))


@router.post("/tagging", status_code=202, responses=refusals(400, 409, 413, 422, 503))
def tag(services: ServicesDep, jobs: JobsDep, asked: TaggingRequest) -> TaggingAnswer:
    """Begin to suggest tags for the photos of the library. No photo is opened, and no decision is written over."""
    services.search.live.model(), services.tagging.vocabulary()  # what is wrong with them is said at once
    run = services.tagging.run
    job = jobs.start(
        services.library,
        RUN,
        lambda show, stop: run(only_new=asked.only_new, threshold=asked.threshold, on_progress=show, stop=stop),
    )
    return TaggingAnswer.of(job)


@router.delete("/tagging", responses=refusals())
def stop_tagging(jobs: JobsDep) -> TaggingAnswer:
    """Have a run end soon; what is done by then is kept."""
    return TaggingAnswer.of(jobs.stop(RUN))
