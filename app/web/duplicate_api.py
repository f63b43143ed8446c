"""Photos that are one picture, over HTTP: groups with the best one named. It deletes nothing."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from app.duplicates.duplicate_service import Duplicates, Group, Member
from app.duplicates.kinds import Kind
from app.web.answers import LocalTime, PathText
from app.web.dependencies import ServicesDep
from app.web.responses import PREFIX, refusals
from app.web.search_fields import DuplicateFields, expect_once
from indexer.catalog.records import PhotoRecord

router = APIRouter(prefix=PREFIX)


class AlikeAnswer(BaseModel):
    """One photo of a group."""

    id: int
    path: PathText
    width: int | None
    height: int | None
    size: int = Field(description="Bytes of the file.")
    format: str | None
    taken_at: LocalTime | None
    reachable: bool = Field(description="Whether its file was there at the last look.")

    @classmethod
    def of(cls, photo: PhotoRecord) -> "AlikeAnswer":
        """The answer for one photo."""
        return cls.model_validate(_known(photo))


class MemberAnswer(AlikeAnswer):
    """A photo of a group that is not its best."""

    kind: Kind = Field(description="What it is of the photo that it was compared with.")
    compared_with: int = Field(description="That photo: the best of the group, or one that is itself near to it.")

    @classmethod
    def member(cls, one: Member) -> "MemberAnswer":
        """The answer for one of them."""
        return cls.model_validate({**_known(one.photo), "kind": one.kind, "compared_with": one.of.id})


class GroupAnswer(BaseModel):
    """Photos that are one picture."""

    best: AlikeAnswer = Field(description="The one to keep, by size, format and sharpness.")
    others: list[MemberAnswer]

    @classmethod
    def of(cls, group: Group) -> "GroupAnswer":
        """The answer for one group."""
        return cls(best=AlikeAnswer.of(group.best), others=list(map(MemberAnswer.member, group.others)))


class DuplicatesAnswer(BaseModel):
    """A page of groups, those with the strongest kind first, then by the path of the best."""

    photos: int = Field(description="How many photos were compared.")
    by_vector: int = Field(description="Of these, how many by their vector alone, for want of a thumbnail.")
    blank: int = Field(description="Of these, how many show nearly nothing, and are compared as exact copies only.")
    total: int = Field(description="Groups in all.")
    hint: str | None = Field(description="Where the filters pass no photo: what may have been meant, if that is known.")
    groups: list[GroupAnswer]

    @classmethod
    def of(cls, found: Duplicates, limit: int, offset: int) -> "DuplicatesAnswer":
        """The answer for one page."""
        groups = list(map(GroupAnswer.of, found.groups[offset : offset + limit]))
        return cls(
            photos=found.photos,
            by_vector=found.by_vector,
            blank=found.blank,
            total=len(found.groups),
            hint=found.hint,
            groups=groups,
        )


@router.get("/duplicates", dependencies=[Depends(expect_once)], responses=refusals(400, 422, 503))
async def duplicates(services: ServicesDep, asked: Annotated[DuplicateFields, Query()]) -> DuplicatesAnswer:
    """Photos that are the same picture, nearly the same, or of one burst; the first look takes longest."""
    kinds = tuple(asked.kind) or tuple(Kind)
    found = await run_in_threadpool(lambda: services.duplicates.remembered(kinds, asked.filter()))
    return DuplicatesAnswer.of(found, asked.limit, asked.offset)


def _known(photo: PhotoRecord) -> dict[str, object]:
    known = {name: getattr(photo, name) for name in ("id", "width", "height", "size", "format", "taken_at")}
    return {**known, "path": str(photo.path), "reachable": photo.missing_since is None}
