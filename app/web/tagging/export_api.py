"""Exports over the HTTP API: what one would write, that it is written, what was, and the way back; tables to take away.

Sidecars are written, beside photos of the library, by the export service, and photos themselves only where a client
says so and has seen what would be; no client names a path.
"""

import io
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi import Path as InPath
from fastapi.responses import StreamingResponse

from app.tagging import export_ways
from app.tagging.export import plan_token, table_export
from app.tagging.export.export_service import PHOTOS_AT_A_TIME
from app.tagging.export.sidecar_plan import Naming
from app.tagging.export.table_export import Table
from app.tagging.export.way_back import ExportReport, UnknownExportError, UnsettledError
from app.web.dependencies import ServicesDep, Whole
from app.web.door.short_bodies import SmallBody
from app.web.problems import RefusedError
from app.web.responses import PREFIX, TABLES, refusals
from app.web.tagging.export_answers import (
    ExportAnswer,
    ExportRequest,
    ExportRunAnswer,
    FileAnswer,
    PreviewAnswer,
    Token,
    WayAnswer,
)
from app.web.tagging.jobs import LOCKED, JobsDep
from indexer.errors import LibraryLockedError
from indexer.library import Library

RUN = "an export"
UNSETTLED = "unsettled"  # a kind of refusal: a kill left an export whose files are not there to be looked at
TURN_S = 20.0  # how long a preview waits for the one before it
CHUNK = 256 * 1024
KINDS = {Table.csv: "text/csv", Table.jsonl: "application/jsonl", Table.parquet: "application/vnd.apache.parquet"}

router = APIRouter(prefix=PREFIX, route_class=SmallBody)
_one_table, _one_reading = threading.Lock(), threading.Lock()

ExportId = Annotated[Whole, InPath(ge=-(2**63), le=2**63 - 1)]
HowNamed = Annotated[Naming, Query(description="What new sidecars are called; auto is as most are already.")]


@router.get("/exports/preview", responses=refusals(409, 422, 503))
def preview(
    services: ServicesDep,
    naming: HowNamed = Naming.auto,
    page: Annotated[Whole, Query(ge=0, lt=10**9, description=f"Of {PHOTOS_AT_A_TIME} photos each.")] = 0,
    into_files: Annotated[bool, Query(description="What would be written into the photos themselves.")] = False,
    token: Annotated[Token | None, Query(description="As the page before gave it; of the first page none.")] = None,
) -> PreviewAnswer:
    """What an export would write now, file by file. Nothing is written."""
    if into_files:
        export_ways.require_into()  # what is wrong with ExifTool is said once, and not of each photo
    with _turn() if into_files else nullcontext():
        shown = services.exports.preview_page(page, naming, into_files=into_files)
    return PreviewAnswer(
        photos=shown.photos,
        naming=shown.naming,
        following=page + 1 if shown.following else None,
        token=plan_token.extended(token or plan_token.START, shown.outcomes),
        files=[FileAnswer.of(one) for one in shown.outcomes],
    )


@router.get("/exports/ways", responses=refusals())
def ways() -> list[WayAnswer]:
    """Which ways of export this server has, and why not those that it has not. No library is asked."""
    return [WayAnswer.of(way) for way in export_ways.ways()]


@router.get("/exports", responses=refusals(503))
def history(services: ServicesDep) -> list[ExportAnswer]:
    """Every export, the latest first."""
    return [ExportAnswer.of(export) for export in services.exports.history()]


@router.post("/exports", status_code=202, responses=refusals(400, 409, 413, 422, 503))
def export(services: ServicesDep, jobs: JobsDep, asked: ExportRequest) -> ExportRunAnswer:
    """Begin to write accepted tags to XMP files beside the photos or, where that is asked for, into the photos."""
    if asked.into_files:
        export_ways.require_into()  # what is wrong is said at once
    total = len(services.library.catalog.exports.exportable())
    report = ExportReport(kind="files" if asked.into_files else "sidecars")
    how: dict[str, Any] = {"into_files": asked.into_files, "token": asked.token, "report": report}
    run = services.exports.run
    job = jobs.start(
        services.library,
        RUN,
        lambda show, stop: run(asked.naming, **how, on_progress=lambda done, _: show(done, total), stop=stop),
        report,
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
def undo(services: ServicesDep, jobs: JobsDep, export_id: ExportId) -> ExportRunAnswer:
    """Begin to put the files of an export back as they were; one that was changed since is left as it is."""
    known = next((one for one in services.exports.history() if one.id == export_id), None)
    if known is None:
        raise HTTPException(404, _unknown(export_id))
    report = ExportReport(export_id, kind=known.kind, undoing=True)
    put_back = services.exports.undo
    job = jobs.start(
        services.library,
        RUN,
        lambda show, stop: put_back(export_id, on_progress=show, stop=stop, report=report),
        report,
    )
    return ExportRunAnswer.of(job)


@router.post("/exports/{export_id}/forget", responses=refusals(404, 409, 413, 422, 503))
def forget(services: ServicesDep, jobs: JobsDep, export_id: ExportId) -> list[ExportAnswer]:
    """Give up the way back from an export and from all before it; gives those that could be undone until now.

    The `type` of a refusal with 409 is `urn:picsift:running` where something runs here, `urn:picsift:locked` where
    another process writes, and `urn:picsift:unsettled` where a kill left one of them, and its files are away.
    """
    jobs.require_idle()
    try:
        return [ExportAnswer.of(export) for export in services.exports.forget(export_id)]
    except UnknownExportError as error:
        raise HTTPException(404, _unknown(export_id)) from error
    except UnsettledError as error:
        raise RefusedError(409, UNSETTLED, str(error)) from error
    except LibraryLockedError as error:
        raise RefusedError(409, LOCKED, str(error)) from error


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


def _unknown(export_id: int) -> str:
    return f"there is no export {export_id}. GET /api/v1/exports lists them."


@contextmanager
def _turn() -> Iterator[None]:
    """One preview at a time that starts ExifTool."""
    if not _one_reading.acquire(timeout=TURN_S):
        raise HTTPException(409, "another preview of what goes into photos is being made. Ask again.")
    try:
        yield
    finally:
        _one_reading.release()


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
