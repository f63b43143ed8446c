"""Exports over the HTTP API: what one would write, that it is written, what was, and the way back; tables to take away.

Sidecars alone are written, beside photos of the library, by the export service; no client names a path.
"""

import io
import shutil
import tempfile
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Annotated, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi import Path as InPath
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from app.tag_path import path_text
from app.tagging.export import table_export
from app.tagging.export.export_service import PHOTOS_AT_A_TIME, ExportReport
from app.tagging.export.sidecar_plan import Naming, Outcome, Planned, Refused, habit, plan
from app.tagging.export.table_export import Table
from app.web.answers import PathText
from app.web.dependencies import ServicesDep
from app.web.door.short_bodies import ShortBody
from app.web.responses import TABLES, refusals
from app.web.tagging.jobs import Job, JobAnswer, JobsDep
from indexer.catalog.stores.export_store import Export
from indexer.library import Library

RUN = "an export"
SHOWN = 1000  # files left alone that an answer names
CHUNK = 256 * 1024
KINDS = {Table.csv: "text/csv", Table.jsonl: "application/jsonl", Table.parquet: "application/vnd.apache.parquet"}

router = APIRouter(route_class=ShortBody)
_one_table = threading.Lock()

HowNamed = Annotated[Naming, Query(description="What new sidecars are called; auto is as most are already.")]


class FileAnswer(BaseModel):
    """What an export would make of the sidecar of one photo."""

    photo: int = Field(description="The photo's id.")
    path: PathText
    file: PathText
    outcome: Literal["new", "change", "leave", "as it should be"]
    added: list[str] = Field(description="Tags that it does not hold yet.")
    removed: list[str] = Field(description="Tags that an export wrote, and that the photo has no more.")
    words: list[str] = Field(description="Of rating, title and description what was given in the library.")
    reason: str | None = Field(description="Why it is left as it is.")

    @classmethod
    def of(cls, one: Outcome) -> "FileAnswer":
        """The answer for one photo."""
        planned = one if isinstance(one, Planned) else None
        refused = one.reason if isinstance(one, Refused) else None
        outcome: Literal["leave", "as it should be"] = "as it should be" if refused is None else "leave"
        return cls(
            photo=one.photo.id,
            path=str(one.photo.path),
            file=str(one.path),
            outcome=outcome if planned is None else "new" if planned.before is None else "change",
            added=[path_text(tag) for tag in planned.added] if planned else [],
            removed=[path_text(tag) for tag in planned.removed] if planned else [],
            words=list(planned.words) if planned else [],
            reason=refused,
        )


class PreviewAnswer(BaseModel):
    """A part of what an export would do now, in the order in which it would."""

    photos: int = Field(description="Photos that have something to say, on all pages.")
    naming: Naming = Field(description="What new sidecars would be called.")
    following: int | None = Field(description="The next page; null where this is the last one.")
    files: list[FileAnswer]


class LeftAlone(BaseModel):
    """A file that was left as it is, and why."""

    file: PathText
    reason: str


class ReportAnswer(BaseModel):
    """What an export did, or its undoing."""

    export: int | None = Field(description="Its id; null where there was nothing to write.")
    written: int = Field(description="Files written, or put back.")
    unchanged: int = Field(description="Files that held everything already.")
    refused: int = Field(description="Files that were left as they are.")
    left_alone: list[LeftAlone] = Field(description=f"The first {SHOWN:,} of these.")

    @classmethod
    def of(cls, report: ExportReport) -> "ReportAnswer":
        """The answer for one export."""
        shown = [LeftAlone(file=str(path), reason=reason) for path, reason in report.refused[:SHOWN]]
        counts = {"written": report.written, "unchanged": report.unchanged, "refused": len(report.refused)}
        return cls(export=report.export, left_alone=shown, **counts)


class ExportRunAnswer(JobAnswer):
    """How far the last export, or undoing, is."""

    report: ReportAnswer | None = Field(description="Null while it runs, and where it failed.")

    @classmethod
    def of(cls, job: Job) -> "ExportRunAnswer":
        """The answer for the last one."""
        return cls(report=job.result and ReportAnswer.of(job.result), **JobAnswer.fields(job))


class ExportRequest(BaseModel, extra="forbid"):
    """How to export; where to is nothing that a client says."""

    naming: Naming = Field(default=Naming.auto, description="What new sidecars are called.")


class ExportAnswer(BaseModel):
    """One export of the journal."""

    id: int
    kind: str
    files: int = Field(description="That it had written, be they put back or not.")
    started_at: datetime
    finished_at: datetime | None = Field(description="Null while it runs, and after a kill.")
    undone_at: datetime | None

    @classmethod
    def of(cls, export: Export) -> "ExportAnswer":
        """The answer for one export."""
        return cls(**{name: getattr(export, name) for name in cls.model_fields})


@router.get("/exports/preview", responses=refusals(422, 503))
def preview(
    services: ServicesDep,
    naming: HowNamed = Naming.auto,
    page: Annotated[int, Query(ge=0, lt=10**9, description=f"Of {PHOTOS_AT_A_TIME} photos each.")] = 0,
) -> PreviewAnswer:
    """What an export would write now, file by file. Nothing is written."""
    library = services.library
    named = habit(library) if naming is Naming.auto else naming
    ids = library.catalog.exports.exportable()
    part = ids[page * PHOTOS_AT_A_TIME : (page + 1) * PHOTOS_AT_A_TIME]  # as an export takes them together
    outcomes = plan(library, library.catalog.photos(part), library.catalog.tags.of(part), named)
    following = page + 1 if (page + 1) * PHOTOS_AT_A_TIME < len(ids) else None
    files = [FileAnswer.of(one) for one in outcomes]
    return PreviewAnswer(photos=len(ids), naming=named, following=following, files=files)


@router.get("/exports", responses=refusals(503))
def history(services: ServicesDep) -> list[ExportAnswer]:
    """Every export, the latest first."""
    return [ExportAnswer.of(export) for export in services.exports.history()]


@router.post("/exports", status_code=202, responses=refusals(400, 409, 413, 422, 503))
def export(services: ServicesDep, jobs: JobsDep, asked: ExportRequest) -> ExportRunAnswer:
    """Begin to write accepted tags to XMP files beside the photos. The photos stay as they are."""
    total = len(services.library.catalog.exports.exportable())
    run = services.exports.run
    job = jobs.start(
        services.library,
        RUN,
        lambda show, stop: run(asked.naming, on_progress=lambda done, _: show(done, total), stop=stop),
    )
    return ExportRunAnswer.of(job)


@router.get("/exports/run", responses=refusals())
def running(jobs: JobsDep) -> ExportRunAnswer:
    """How far the last export, or undoing, is that was started here."""
    return ExportRunAnswer.of(jobs.of(RUN))


@router.delete("/exports/run", responses=refusals())
def stop(jobs: JobsDep) -> ExportRunAnswer:
    """Have an export, or undoing, end soon; what is done by then is in the journal."""
    return ExportRunAnswer.of(jobs.stop(RUN))


@router.post("/exports/{export_id}/undo", status_code=202, responses=refusals(404, 409, 413, 422, 503))
def undo(
    services: ServicesDep, jobs: JobsDep, export_id: Annotated[int, InPath(ge=-(2**63), lt=2**63)]
) -> ExportRunAnswer:
    """Begin to put the files of an export back as they were; one that was changed since is left as it is."""
    if export_id not in {known.id for known in services.exports.history()}:
        raise HTTPException(404, f"there is no export {export_id}. GET /api/v1/exports lists them.")
    job = jobs.start(services.library, RUN, lambda _, stop: services.exports.undo(export_id, stop=stop))
    return ExportRunAnswer.of(job)


@router.get("/exports/table", response_class=StreamingResponse, responses={**TABLES, **refusals(409, 422, 503)})
def table(
    request: Request, services: ServicesDep, kind: Annotated[Table, Query(alias="format")] = Table.csv
) -> StreamingResponse:
    """All tags of all photos, in every state, as a table to take away."""
    if not _one_table.acquire(blocking=False):
        raise HTTPException(409, "another table is being made. Wait for it, then ask again.")
    try:
        file = _made(services.library, kind, request.app.state.folder)
    finally:
        _one_table.release()
    headers = {
        "Content-Disposition": f'attachment; filename="picsift-tags.{kind.value}"',
        "Content-Length": str(file.seek(0, io.SEEK_END)),
        "Cache-Control": "no-store",
    }
    file.seek(0)
    return StreamingResponse(_chunks(file), media_type=KINDS[kind], headers=headers)


def _made(library: Library, kind: Table, within: Path | None) -> IO[bytes]:
    """The table in a file that has no name, and goes with its handle; until it is made, in the server's folder."""
    file = tempfile.TemporaryFile(dir=within)  # noqa: SIM115  it is closed when it was sent
    try:
        with tempfile.TemporaryDirectory(prefix="picsift-table-", dir=within) as folder:
            target = Path(folder) / "table"
            table_export.write(library, kind, target, lambda done, total: None)
            with target.open("rb") as made:
                shutil.copyfileobj(made, file)
    except BaseException:
        file.close()
        raise
    return file


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while part := file.read(CHUNK):
            yield part
