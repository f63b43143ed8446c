"""The journal of exports: what is about to be written, and how it was before, for a kill or a change of mind.

Functions on one connection, inside the caller's transaction. Files are written and restored elsewhere.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from json import dumps, loads
from typing import TYPE_CHECKING, Literal

from sqlalchemy import func, insert, select, union, update

from indexer.catalog.database import in_chunks
from indexer.catalog.tables.photo_tables import PhotoRow
from indexer.catalog.tables.tag_tables import EditRow, ExportRow, ExportStepRow, PhotoTagRow
from indexer.catalog.tag_records import TagPath
from indexer.metadata.sidecar import SUFFIX, name_in

if TYPE_CHECKING:
    from sqlalchemy import Connection

StepState = Literal["planned", "done", "failed", "undone"]


@dataclass(frozen=True)
class Export:
    """One export. `files` were written, be they undone or not; `finished_at` is None while it runs and after a kill."""

    id: int
    kind: str
    started_at: datetime
    finished_at: datetime | None
    undone_at: datetime | None
    files: int = 0


@dataclass(frozen=True)
class Step:
    """One file of an export.

    Attributes:
        photo_id: whose tags it holds.
        path: absolute.
        before: its bytes before, None where it was not there; with `sha256_before`, what makes them of those after.
        sha256_after: hexadecimal, of what is to be written.
        tags: those that this export added to it.
        mode: its permissions before.
        mtime_ns: its time before.
        state: how far it is.
        reason: why it failed.
        number: its place in the export.
        sha256_before: hexadecimal, of its bytes before, where `before` does not hold them.
    """

    photo_id: int
    path: str
    before: bytes | None
    sha256_after: str
    tags: tuple[TagPath, ...]
    mode: int | None = None
    mtime_ns: int | None = None
    state: StepState = "planned"
    reason: str | None = None
    number: int = 0
    sha256_before: str | None = None


def begin(connection: Connection, kind: str, now: datetime) -> int:
    """Enter an export; gives its id."""
    values = {"kind": kind, "plan": "{}", "started_at": now}
    return int(connection.execute(insert(ExportRow).values(**values).returning(ExportRow.id)).scalar_one())


def plan(connection: Connection, export_id: int, steps: Sequence[Step]) -> list[int]:
    """Write down files that are about to be written; gives their numbers."""
    highest = select(func.max(ExportStepRow.number)).where(ExportStepRow.export_id == export_id)
    first = (connection.execute(highest).scalar() or 0) + 1
    rows = [
        {
            **{"export_id": export_id, "number": number, "photo_id": step.photo_id, "path": step.path},
            **{"state": "planned", "mode": step.mode, "mtime_ns": step.mtime_ns, "sha256_after": step.sha256_after},
            "before": None if step.before is None else zlib.compress(step.before),
            "sha256_before": step.sha256_before,
            "written": dumps([list(path) for path in step.tags]),
        }
        for number, step in enumerate(steps, start=first)
    ]
    if rows:
        connection.execute(insert(ExportStepRow), rows)
    return [int(str(row["number"])) for row in rows]


def settle(
    connection: Connection, export_id: int, numbers: Sequence[int], state: StepState, reason: str | None = None
) -> None:
    """Note what became of files."""
    for chunk in in_chunks(numbers):
        of_export = (ExportStepRow.export_id == export_id, ExportStepRow.number.in_(chunk))
        connection.execute(update(ExportStepRow).where(*of_export).values(state=state, reason=reason))


def finish(connection: Connection, export_id: int, now: datetime, *, undone: bool = False) -> None:
    """Note that an export, or its undoing, has come to its end."""
    when = {"undone_at": now} if undone else {"finished_at": now}
    connection.execute(update(ExportRow).where(ExportRow.id == export_id).values(**when))


def exports(connection: Connection) -> list[Export]:
    """Give every export, the latest first."""
    written = func.count().filter(ExportStepRow.state.in_(("done", "undone")))
    columns = (ExportRow.id, ExportRow.kind, ExportRow.started_at, ExportRow.finished_at, ExportRow.undone_at)
    query = select(*columns, written).outerjoin(ExportStepRow, ExportStepRow.export_id == ExportRow.id)
    rows = connection.execute(query.group_by(ExportRow.id).order_by(ExportRow.id.desc()))
    return [Export(*row) for row in rows]


def steps(connection: Connection, export_id: int, state: StepState) -> list[Step]:
    """Give the files of an export that are in a state, in the order of their numbers."""
    query = select(ExportStepRow).where(ExportStepRow.export_id == export_id, ExportStepRow.state == state)
    return [
        Step(
            *(row.photo_id, row.path, None if row.before is None else zlib.decompress(row.before)),
            *(row.sha256_after, tuple(tuple(path) for path in loads(row.written))),
            *(row.mode, row.mtime_ns, row.state, row.reason, row.number, row.sha256_before),
        )
        for row in connection.execute(query.order_by(ExportStepRow.number))
    ]


def written(connection: Connection, paths: Sequence[str]) -> dict[str, set[TagPath]]:
    """Give the tags that exports added to these files and nobody took back: they are ours to take away."""
    found: dict[str, set[TagPath]] = {}
    for chunk in in_chunks(paths):
        query = select(ExportStepRow.path, ExportStepRow.written).where(ExportStepRow.path.in_(chunk))
        for path, tags in connection.execute(query.where(ExportStepRow.state == "done")):
            found.setdefault(path, set()).update(tuple(tag) for tag in loads(tags))
    return found


def exportable(connection: Connection) -> list[int]:
    """Give the photos that have something to say: accepted tags, edits, or what an export wrote; sorted."""
    tagged = select(PhotoTagRow.photo_id).where(PhotoTagRow.state == "accepted")
    touched = select(ExportStepRow.photo_id).where(ExportStepRow.state == "done")
    said = union(tagged, select(EditRow.photo_id), touched).subquery()
    present = select(PhotoRow.id).where(PhotoRow.id.in_(select(said.c[0])), PhotoRow.state == "ok")
    return list(connection.execute(present.order_by(PhotoRow.id)).scalars())


def sidecar_kinds(connection: Connection) -> dict[str, int]:
    """Count the sidecars that are called as the photo with its suffix, "full", and without it, "short"."""
    kinds = {"full": 0, "short": 0}
    for name, stamp in connection.execute(select(PhotoRow.name, PhotoRow.sidecar).where(PhotoRow.sidecar != "")):
        kinds["full" if name_in(stamp or "").lower() == f"{name.lower()}{SUFFIX}" else "short"] += 1
    return kinds
